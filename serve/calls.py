"""Calls the application: in the loop of the worker for quick requests, and in threads for all others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any

from serve.connection import Connection
from serve.gunicorn_errors import FAILURE, refusal
from serve.http_request import IncomingRequest, open_answer

# The bytes of an answer, and whether the connection may be used again.
Reply = tuple[bytes, bool]

# The most requests that wait for a thread.
MAX_PENDING = 512
# Requests with longer or compressed bodies are answered one at a time, because their rows take memory.
LARGE_BODY_BYTES = 256 * 1024
# Requests of learners: how many a worker hands on at once, and how many wait for that.
LEARN_THREADS, MAX_LEARN_PENDING = 2, 16
# The longest body for an application that does not say which it takes.
DEFAULT_BODY_BYTES = 64 * 1024 * 1024


class Threads:
    """Some threads.

    Args:
        count: how many.

    Attributes:
        pending: how many requests they have.
    """

    def __init__(self, count: int) -> None:
        self.count, self.pending = count, 0
        self.pool = ThreadPoolExecutor(count)


class Calls:
    """Calls of an application.

    Args:
        worker: gunicorn's worker, with its configuration, its log and the application.
        wake: wakes the loop.

    Attributes:
        max_body_bytes: the longest body that the application takes.
        finished: connections with the threads that have answered, and the answers; an answer is None if the client has
            not waited for it.
    """

    def __init__(self, worker: Any, wake: Callable[[], None]) -> None:
        self.worker, self.application, self.wake = worker, worker.wsgi, wake
        self.finished: deque[tuple[Connection, Threads, Future[Reply | None]]] = deque()
        self.threads, self.large_thread = Threads(worker.cfg.threads), Threads(1)
        self.learn_threads = Threads(LEARN_THREADS)
        # gunicorn's configuration takes a while to look anything up in.
        self.has_keepalive = bool(worker.cfg.keepalive)
        self.pre_request, self.post_request = worker.cfg.pre_request, worker.cfg.post_request
        # Other applications than ours have none of these.
        self.max_body_bytes: int = getattr(self.application, "max_body_bytes", DEFAULT_BODY_BYTES)
        self._is_quick = getattr(self.application, "is_quick", lambda path, body: False)
        self._is_for_learners = getattr(self.application, "is_for_learners", lambda path: False)
        self._refuses = getattr(self.application, "refuses", lambda environ: False)
        self.note_refusal: Callable[[int], None] = getattr(self.application, "note_refusal", lambda status: None)

    @property
    def pending(self) -> int:
        """How many requests threads have."""
        return self.threads.pending + self.large_thread.pending + self.learn_threads.pending

    def is_quick(self, incoming: IncomingRequest) -> bool:
        """Whether a request takes less time than to start a thread."""
        if incoming.length is None or incoming.is_compressed:
            return False
        return bool(self._is_quick(incoming.request.path, incoming.body))

    def is_refused(self, connection: Connection, incoming: IncomingRequest) -> bool:
        """Whether the application refuses a request whatever its body is."""
        _, environ, _ = open_answer(incoming.request, connection.client, connection.server, self.worker.cfg)
        return bool(self._refuses(environ))

    def start(self, connection: Connection, incoming: IncomingRequest) -> bool:
        """Answer in a thread. Returns False if too many requests wait already."""
        if self.pending >= MAX_PENDING:
            return False
        threads = self._threads_for(incoming)
        if threads is self.learn_threads and threads.pending >= MAX_LEARN_PENDING:
            return False
        connection.is_computing, connection.has_to_wait = True, threads.pending >= threads.count
        threads.pending += 1
        future = threads.pool.submit(self._answer_in_thread, connection, incoming)
        future.add_done_callback(partial(self._tell, connection, threads))
        return True

    def _threads_for(self, incoming: IncomingRequest) -> Threads:
        if self._is_for_learners(incoming.request.path):
            return self.learn_threads
        is_large = len(incoming.body) > LARGE_BODY_BYTES or incoming.is_compressed
        return self.large_thread if is_large else self.threads

    def take_finished(self) -> tuple[Connection, Reply | None]:
        """The next connection whose thread has finished, and the answer."""
        connection, threads, future = self.finished.popleft()
        threads.pending -= 1
        connection.is_computing = False
        return connection, future.result()

    def answer(self, connection: Connection, incoming: IncomingRequest) -> Reply:
        """Call the application."""
        try:
            incoming.decode_body()
            return self._answer(connection, incoming)
        except Exception as error:  # whatever the application raises, the client gets an answer
            return self.refuse(error), False

    def refuse(self, error: Exception) -> bytes:
        """The answer to a request that cannot be read, or that the application fails to answer."""
        answer = refusal(error)
        if answer is None:
            self.worker.log.error("A request was not answered", exc_info=error)
            self.note_refusal(500)
            return FAILURE
        self.worker.log.debug("A request is refused: %s", error)
        self.note_refusal(int(answer[9:12]))
        return answer

    def shut_down(self) -> None:
        """End the threads, without waiting for them."""
        for threads in (self.threads, self.large_thread, self.learn_threads):
            threads.pool.shutdown(wait=False, cancel_futures=True)

    def _answer_in_thread(self, connection: Connection, incoming: IncomingRequest) -> Reply | None:
        return None if connection.has_to_wait and connection.has_ended else self.answer(connection, incoming)

    def _tell(self, connection: Connection, threads: Threads, future: Future[Reply | None]) -> None:
        self.finished.append((connection, threads, future))
        self.wake()

    def _answer(self, connection: Connection, incoming: IncomingRequest) -> Reply:
        worker, request, started = self.worker, incoming.request, datetime.now()
        self.pre_request(worker, request)
        response, environ, outbox = open_answer(request, connection.client, connection.server, worker.cfg)
        environ["wsgi.multithread"] = True
        worker.nr += 1
        if worker.nr >= worker.max_requests and worker.alive:
            worker.log.info("Autorestarting worker after current request.")
            worker.alive = False
        if not worker.alive or not self.has_keepalive:
            response.force_close()
        parts = self.application(environ, response.start_response)
        try:
            for part in parts:
                response.write(part)
            response.close()
        finally:
            if hasattr(parts, "close"):
                parts.close()
        worker.log.access(response, request, environ, datetime.now() - started)
        self.post_request(worker, request, environ, response)
        return b"".join(outbox.parts), not response.should_close()
