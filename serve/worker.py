"""gunicorn's worker for the service: a loop that reads and writes for all clients, and a few threads that compute.

In each of its turns the loop reads once from each client that has sent something, and takes at most `MAX_STEPS` steps,
one for a connection: a step parses a head, looks through some chunks, or answers a request that the application calls
quick. Every other request is answered in a thread once all of it has arrived. Threads never wait for a client, so a few
are enough.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import sys
import time
from collections import deque
from typing import Any

from gunicorn.workers.base import Worker as BaseWorker

from model.messages import RefusalError
from serve.calls import Calls
from serve.clients import Clients
from serve.connection import Connection
from serve.gunicorn_errors import OVERLOADED
from serve.http_request import IncomingRequest
from serve.listeners import Listeners
from serve.request_body import too_large

# The most steps of one turn for health, and for all else, and the seconds after which no other step is begun.
MAX_STEPS, MAX_TURN_SECONDS = 64, 0.02
HEALTH = (b"GET /v2/health/", b"HEAD /v2/health/")


class Worker(BaseWorker):
    """A worker: connections wait in `urgent` if they ask for health, and in `ready` for a step of any other kind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.urgent, self.ready = deque[Connection](), deque[Connection]()
        self.next_look = 0.0

    def load_wsgi(self) -> None:
        """Load the application. If it cannot start, the log says why in one line."""
        try:
            super().load_wsgi()  # type: ignore[no-untyped-call]
        except RefusalError as error:
            self.log.critical("%s: %s", type(error).__name__, error)
            sys.exit(3)  # gunicorn then ends instead of trying again

    def run(self) -> None:
        """Serve until a signal, and then answer what has been accepted."""
        self.prepare()
        while self.alive:
            self.turn()
        self.listeners.stop()
        self.clients.stop()
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while self.clients.connections and time.monotonic() < deadline:
            self.turn()
        self.calls.shut_down()

    def prepare(self) -> None:
        """Listen to clients, to signals and to threads."""
        self.poller = selectors.DefaultSelector()
        self.clients = Clients(self.poller, self.cfg)
        self.listeners = Listeners(self.sockets, self.clients, self.cfg, self.log)
        self.calls = Calls(self, self._write_wake)
        self.poller.register(self.PIPE[0], selectors.EVENT_READ, self._read_wake)

    def turn(self) -> None:
        """Wait until something happens, and do a bounded part of what there is to do."""
        is_waiting = not (self.urgent or self.ready or self.calls.finished)
        self.listeners.share(is_idle=is_waiting)
        for key, mask in self.poller.select(max(0.0, self.next_look - time.monotonic()) if is_waiting else 0):
            if isinstance(key.data, Connection):
                self._serve(key.data, mask)
            else:
                key.data()
        for _ in range(len(self.calls.finished)):
            connection, answer = self.calls.take_finished()
            if answer:
                self._reply(connection, *answer)
            else:
                self.clients.close(connection)
        end = time.monotonic() + MAX_TURN_SECONDS
        for queue in (self.urgent, self.ready):
            for _ in range(min(len(queue), MAX_STEPS)):
                self._step(queue.popleft())
                if time.monotonic() > end:
                    break
        if time.monotonic() >= self.next_look:
            self._look_after()

    def _write_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # then the loop is awake anyway
            os.write(self.PIPE[1], b".")

    def _read_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.PIPE[0], 65_536)

    def _look_after(self) -> None:
        """Once a second, tell gunicorn that the loop runs, and close the connections whose time is over."""
        self.next_look = time.monotonic() + 1
        self.notify()  # type: ignore[no-untyped-call]
        if self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self.alive = False
        self.clients.close_overdue()

    def _serve(self, connection: Connection, mask: int) -> None:
        """Read or write, as the client is ready for it."""
        if connection not in self.clients:  # closed in this turn
            return
        if mask & selectors.EVENT_WRITE:
            if self.clients.send(connection):
                self._queue_if_ready(connection)
        elif connection.is_busy:
            connection.notice_end()
            self.clients.listen(connection, 0)
        elif self.clients.receive(connection):
            self._queue_if_ready(connection)

    def _queue_if_ready(self, connection: Connection) -> None:
        """Queue a connection if what has arrived makes something to do, and otherwise listen for more."""
        try:
            is_ready = connection.has_arrived(self.cfg.limit_request_line, self.calls.max_body_bytes)
        except Exception as error:
            self._reply(connection, self.calls.refuse(error), False)
            return
        if is_ready:
            connection.is_queued = True
            (self.urgent if connection.received.startswith(HEALTH) else self.ready).append(connection)
        else:
            self.clients.listen(connection, selectors.EVENT_READ)

    def _step(self, connection: Connection) -> None:
        """Do one step for a connection: parse a head, answer a quick request, or give one to a thread."""
        connection.is_queued = False
        if connection not in self.clients:
            return
        try:
            incoming = connection.incoming or connection.take_head(self.cfg)
            if incoming is None:
                self.clients.close(connection)
                return
            end = incoming.find_end(connection.received)
            if incoming.chunks.is_behind:
                connection.is_queued = True
                self.ready.append(connection)
                return
            if end is None and not connection.has_ended:
                self._await_body(connection, incoming)
                return
            incoming.body = bytes(memoryview(connection.received)[:end])
            del connection.received[:end]
            if self.calls.is_quick(incoming):
                self._reply(connection, *self.calls.answer(connection, incoming))
            elif not self.calls.start(connection, incoming):
                self.calls.note_refusal(503)
                self._reply(connection, OVERLOADED, False)
        except Exception as error:
            self._reply(connection, self.calls.refuse(error), False)
        self.clients.count(connection)

    def _await_body(self, connection: Connection, incoming: IncomingRequest) -> None:
        """Wait for the rest of a body, unless the request is refused without it."""
        if self.calls.is_refused(connection, incoming):
            incoming.length = 0
            incoming.request.force_close()
            self._reply(connection, *self.calls.answer(connection, incoming))
        elif connection.is_longer_than(self.calls.max_body_bytes):
            raise too_large(self.calls.max_body_bytes)
        else:
            if incoming.expects_continue and not connection.received:
                with contextlib.suppress(OSError):  # a client that is gone is noticed when it is read
                    connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            incoming.expects_continue = False
            self.clients.listen(connection, selectors.EVENT_READ)

    def _reply(self, connection: Connection, answer: bytes, is_kept: bool) -> None:
        if self.clients.reply(connection, answer, is_kept):
            self._queue_if_ready(connection)
