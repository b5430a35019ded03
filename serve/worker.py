"""gunicorn's threaded worker, with a loop that reads the head of each request before a thread takes it.

So a client that sends its request slowly occupies no thread. If a request is short and the application calls it quick,
the loop itself answers it, because a thread would cost more than the answer. Every other request gets a thread and a
deadline.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import sys
import threading
import time
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from model.messages import RefusalError
from serve.connection import Connection, Outbox
from serve.gunicorn_errors import FAILURE, refusal

# Seconds that a client may take to send the head of a request, and seconds that a thread may take to answer it.
REQUEST_SECONDS = int(os.environ.get("NUDGE_REQUEST_SECONDS") or 30)
# Seconds after that deadline in which the request is no longer read, but an answer can still be sent.
GRACE_SECONDS = 2
# The most connections that are accepted in one turn of the loop.
MAX_ACCEPTS = 256
# A longer head is passed to gunicorn, which limits each of its parts.
MAX_HEAD_BYTES = 65_536
# A quick request is not longer than this, body included.
MAX_QUICK_BYTES = 32_768
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
# Fields that say that a body follows, that it is compressed, or that the client waits for an answer before it.
BODY_FIELDS = re.compile(rb"\r\n(?:content-length|content-encoding|transfer-encoding|expect):", re.IGNORECASE)


class Worker(ThreadWorker):
    """A worker whose connections are in the loop (`waiting`) or in a thread (`deadlines`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.waiting: dict[Connection, None] = {}  # in the order of their last requests
        self.deadlines: dict[Connection, float] = {}
        self.overdue: set[Connection] = set()  # past their deadline; their requests are no longer read
        self.lock = threading.Lock()
        self.quick_requests: tuple[bytes, ...] = ()

    def load_wsgi(self) -> None:
        """Load the application. If it cannot start, the log says why in one line."""
        try:
            super().load_wsgi()  # type: ignore[no-untyped-call]
        except RefusalError as error:
            self.log.critical("%s: %s", type(error).__name__, error)
            sys.exit(3)  # gunicorn then ends instead of trying again
        self.quick_requests = getattr(self.wsgi, "quick_requests", ())

    def accept(self, listener: socket.socket) -> bool:
        """Accept the connections that are there, and return whether there may be more."""
        if self.cfg.is_ssl:
            super().accept(listener)  # type: ignore[no-untyped-call]
            return False
        for _ in range(MAX_ACCEPTS):
            try:
                client, address = listener.accept()
            except ConnectionAbortedError:
                continue
            except BlockingIOError:
                return False
            except OSError as error:  # no file descriptor is left
                self.log.warning("A connection was not accepted: %s", error)
                self._make_room()
                return False
            self.nr_conns += 1
            timeout = time.monotonic() + REQUEST_SECONDS
            self._wait(Connection(self.cfg, client, address, listener.getsockname(), timeout))
            if self.nr_conns >= self.worker_connections:
                self._make_room()
        return True

    def _make_room(self) -> None:
        """Close the connection that has been silent the longest."""
        for connection in self.waiting:
            if not connection.received and not connection.unsent:
                self._close(connection)
                return

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or end accepting connections. A worker that ends still accepts those that are already made."""
        is_ending = not self.alive and not enabled and self._accepting
        for listener in self.sockets if is_ending else ():
            while self.accept(listener):
                pass
        super().set_accept_enabled(enabled)  # type: ignore[no-untyped-call]
        for listener in self.sockets if is_ending else ():
            listener.close()  # so that the next connection is refused at once

    def _wait(self, connection: Connection) -> None:
        assert self.poller is not None
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._read, connection))
        self.waiting[connection] = None

    def _stop_waiting(self, connection: Connection) -> None:
        assert self.poller is not None
        self.waiting.pop(connection, None)
        self.poller.unregister(connection.sock)

    def _read(self, connection: Connection, client: socket.socket) -> None:
        if connection not in self.waiting:  # closed since the loop heard of it
            return
        try:
            data = client.recv(MAX_HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data and b"\r\n\r\n" not in connection.received:
            self._close(connection)
            return
        if connection.is_finished:
            return
        if not connection.received:
            connection.timeout = time.monotonic() + REQUEST_SECONDS
        connection.received += data
        self._answer(connection, is_whole=not data)

    def _answer(self, connection: Connection, is_whole: bool = False) -> None:
        """Answer the requests that a waiting connection has sent. is_whole: no more will come."""
        while connection.received:
            end = connection.received.find(b"\r\n\r\n")
            if end < 0 and len(connection.received) < MAX_HEAD_BYTES:
                return
            quick_length = self._quick_length(connection.received[: end + 2], end + 4)
            if len(connection.received) < quick_length:
                if not is_whole:
                    return
                quick_length = 0
            unreader = connection.parser.unreader
            unreader.unread(connection.received)
            connection.received = b""
            if not quick_length:
                self._stop_waiting(connection)
                self.enqueue_req(connection)  # type: ignore[no-untyped-call]
                return
            connection.is_finished = not self._answer_in_loop(connection)
            self.waiting[connection] = self.waiting.pop(connection)
            if not connection.is_finished:
                connection.received = unreader.take_buffered()
                connection.timeout = time.monotonic() + (REQUEST_SECONDS if connection.received else self.cfg.keepalive)
            if not self._send(connection):
                return

    def _quick_length(self, head: bytes, start: int) -> int:
        """The length of a request that the loop can answer, and 0 for any other. start: where its body starts."""
        if not head.startswith(self.quick_requests):
            return 0
        fields = BODY_FIELDS.findall(head)
        if not fields:
            return start
        length = CONTENT_LENGTH.search(head)
        size = start + int(length[1]) if length and len(fields) == 1 else MAX_QUICK_BYTES + 1
        return size if size <= MAX_QUICK_BYTES else 0

    def _answer_in_loop(self, connection: Connection) -> bool:
        """Put an answer in `unsent`, and return whether the connection can be used again."""
        client, outbox = connection.sock, Outbox(connection.sock)
        connection.sock = outbox
        try:
            is_kept = self.handle_request(next(connection.parser), connection)  # type: ignore[no-untyped-call]
            # All of the body is here. What the application has not read of it is no next request.
            return bool(is_kept and connection.parser.finish_body())
        except (StopIteration, errors.NoMoreData) as error:
            self.log.debug("A connection ends: %s", error)
        except Exception as error:  # whatever the application raises, the client gets an answer
            outbox.parts.append(self._refuse(error))
        finally:
            connection.sock = client
            connection.unsent = b"".join(outbox.parts)
        return False

    def _send(self, connection: Connection) -> bool:
        """Send what the client takes now, and return whether all is sent and the connection stays open."""
        assert self.poller is not None
        try:
            sent = connection.sock.send(connection.unsent) if connection.unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return False
        connection.unsent = connection.unsent[sent:]
        if connection.unsent:
            connection.timeout = time.monotonic() + REQUEST_SECONDS
            self.poller.modify(connection.sock, selectors.EVENT_WRITE, partial(self._write, connection))
            return False
        if connection.is_finished:
            self._end(connection)
        return not connection.is_finished

    def _write(self, connection: Connection, client: socket.socket) -> None:
        if connection not in self.waiting:
            return
        if self._send(connection) or (connection.is_finished and connection in self.waiting and not connection.unsent):
            assert self.poller is not None
            self.poller.modify(client, selectors.EVENT_READ, partial(self._read, connection))
            self._answer(connection)

    def handle(self, conn: Connection) -> Any:
        """Answer a request, in a thread."""
        with self.lock:
            self.deadlines[conn] = time.monotonic() + REQUEST_SECONDS
        try:
            return super().handle(conn)  # type: ignore[no-untyped-call]
        finally:
            with self.lock:
                del self.deadlines[conn]
                self.overdue.discard(conn)

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """Take a connection back from its thread."""
        if self.cfg.is_ssl:
            super().finish_request(conn, fs)  # type: ignore[no-untyped-call]
            return
        try:
            conn.sock.setblocking(False)
            self._wait(conn)
        except (OSError, ValueError) as error:
            self.log.debug("A connection was gone: %s", error)
            self._close(conn)
            return
        if fs.cancelled() or fs.exception() or not fs.result():
            self._end(conn)
            return
        conn.received = conn.parser.unreader.take_buffered()
        idle = self.cfg.keepalive if self.alive else GRACE_SECONDS
        conn.timeout = time.monotonic() + (REQUEST_SECONDS if conn.received else idle)
        self._answer(conn)

    def _end(self, connection: Connection) -> None:
        """Send no more and wait for the client to close, so that no answer is lost (RFC 9112, section 9.6)."""
        connection.is_finished, connection.timeout = True, time.monotonic() + GRACE_SECONDS
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection in self.waiting:
            self._stop_waiting(connection)
        self.nr_conns -= 1
        connection.sock.close()

    def murder_pending(self) -> None:
        """Close the connections whose time is over. For one in a thread, reading its request is ended first."""
        super().murder_pending()  # type: ignore[no-untyped-call]
        now = time.monotonic()
        for connection in [connection for connection in self.waiting if connection.timeout < now]:
            self._close(connection)
        with self.lock:
            for connection in [connection for connection, deadline in self.deadlines.items() if deadline < now]:
                is_second_time = connection in self.overdue or self.cfg.is_ssl
                self.overdue.add(connection)
                self.deadlines[connection] = now + GRACE_SECONDS
                try:
                    # Not the shutdown of TLS: what a thread sends after it would not be encrypted.
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR if is_second_time else socket.SHUT_RD)
                except OSError as error:
                    self.log.debug("A connection was gone: %s", error)

    def _cap_keepalive(self, deadline: float) -> None:
        """When the worker ends, wait for a connection's next request only until the deadline."""
        for connection in self.waiting:
            if not connection.received and not connection.unsent:
                connection.timeout = min(connection.timeout, deadline)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer a request that cannot be read, in the shape of all errors."""
        try:
            util.write_nonblock(client, self._refuse(exc))  # type: ignore[no-untyped-call]
        except OSError as error:
            self.log.debug("A client was gone: %s", error)

    def _refuse(self, exc: Exception) -> bytes:
        answer = refusal(exc)
        if answer is None:
            self.log.error("A request was not answered", exc_info=exc)
            return FAILURE
        self.log.debug("A request is refused: %s", exc)
        return answer
