"""Run gunicorn's worker in the process of a test, turn by turn."""

import contextlib
import inspect
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from serve.worker import Worker
from tests.serve.serving import LONGEST_WAIT

MAX_BODY_BYTES = 1_000_000


class Application:
    """A WSGI application that counts its calls. It answers with what it was asked, in JSON.

    /slow waits until the test sets `go`, in a thread. /large answers with a million bytes. /broken raises an error.
    """

    max_body_bytes = MAX_BODY_BYTES

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.refusals: list[int] = []
        self.go = threading.Event()

    def is_quick(self, path: str, body: bytes) -> bool:
        return path.startswith(("/v2/health/", "/quick"))

    def refuses(self, environ: dict[str, Any]) -> bool:
        return environ["PATH_INFO"] == "/forbidden" or int(environ.get("CONTENT_LENGTH", 0)) > self.max_body_bytes

    def note_refusal(self, status: int) -> None:
        self.refusals.append(status)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.paths.append(path)
        if path == "/broken":
            raise ValueError("a bug")
        if path == "/slow":
            assert self.go.wait(60)
        body = environ["wsgi.input"].read() if not self.refuses(environ) else b""
        answer = {"path": path, "body": len(body), "client": environ.get("REMOTE_ADDR")}
        data = b"x" * 1_000_000 if path == "/large" else json.dumps(answer).encode()
        status = "403 Forbidden" if self.refuses(environ) else "200 OK"
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
        return [data]

    def wsgi(self) -> "Application":
        """As gunicorn gets it from its own application."""
        return self


class RunningWorker:
    """A worker with its application, and its clients.

    Args:
        settings: gunicorn's settings that are not those of the tests.
    """

    def __init__(self, **settings: Any) -> None:
        self.application, self.config = Application(), Config()
        usual = {"threads": 2, "keepalive": 80, "limit_request_line": 4094, "limit_request_fields": 64}
        for name, value in (usual | settings).items():
            self.config.set(name, value)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        log = Logger(self.config)
        self.worker = Worker(0, os.getppid(), [self.listener], self.application, 60, self.config, log)
        self.worker.PIPE = os.pipe()
        for descriptor in self.worker.PIPE:
            os.set_blocking(descriptor, False)
        self.worker.load_wsgi()
        self.worker.prepare()
        self.clients: list[socket.socket] = []

    def connect(self, data: bytes = b"") -> socket.socket:
        """A new client that has sent these bytes, as far as the system took them."""
        client = socket.create_connection(self.listener.getsockname())
        client.setblocking(False)
        self.clients.append(client)
        if data:
            client.send(data)
        return client

    def turn(self, times: int = 1) -> None:
        """Let the loop take turns. None of them waits."""
        for _ in range(times):
            self.worker.next_look = 0.0
            self.worker.turn()

    def turn_until(self, is_so: Callable[[], bool]) -> int:
        """Let the loop take turns until it is so, and return how many it took."""
        turns, end = 0, time.monotonic() + LONGEST_WAIT
        while not is_so():
            assert time.monotonic() < end, f"this never came: {inspect.getsource(is_so)}"
            self.turn()
            turns += 1
        return turns

    def read(self, client: socket.socket, answers: int = 1) -> list[tuple[int, Any]]:
        """The status and the JSON of the next answers to a client."""
        received, found = bytearray(), list[tuple[int, Any]]()

        def is_there() -> bool:
            with contextlib.suppress(BlockingIOError):
                received.extend(client.recv(1 << 20))
            while (answer := take_answer(received)) is not None:
                found.append(answer)
            return len(found) >= answers

        self.turn_until(is_there)
        assert len(found) == answers
        assert not received
        return found

    def is_closed(self, client: socket.socket) -> bool:
        """Whether the worker has closed the connection, or has ended its side of it."""
        try:
            return not client.recv(1 << 20)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    def close(self) -> None:
        """Close everything."""
        self.application.go.set()
        self.worker.calls.shut_down()
        for connection in list(self.worker.clients.connections):
            connection.sock.close()
        for client in self.clients:
            client.close()
        self.worker.poller.close()
        self.listener.close()
        self.worker.tmp.close()
        for descriptor in self.worker.PIPE:
            os.close(descriptor)


def take_answer(received: bytearray) -> tuple[int, Any] | None:
    """Take a whole answer from the start of what was received; None if it is not whole yet."""
    head, _, rest = bytes(received).partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields.get(b"content-length", 0))
    if not head.startswith(b"HTTP/1.") or len(rest) < length or b"\r\n\r\n" not in received:
        return None
    del received[: len(head) + 4 + length]
    body = rest[:length]
    return int(head.split()[1]), json.loads(body) if body.startswith(b"{") else len(body)


@contextmanager
def running_worker(**settings: Any) -> Iterator[RunningWorker]:
    """Run a worker with these settings of gunicorn."""
    running = RunningWorker(**settings)
    try:
        yield running
    finally:
        running.close()
