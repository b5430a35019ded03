"""gunicorn's threaded worker, with a loop that reads the head of each request before it takes a thread.

So a client that is slow to ask holds none. A short request that the application calls quick is answered in the loop at
once, for handing it to a thread and taking its connection back costs more than such an answer. Every other has a
thread, and a deadline.
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
from gunicorn.http import errors, get_parser
from gunicorn.workers.gthread import TConn, ThreadWorker

from serve.gunicorn_errors import FAILURE, refusal

# Seconds that a client may take to send the head of a request; and that a request in a thread may take to its end.
REQUEST_SECONDS = int(os.environ.get("NUDGE_REQUEST_SECONDS") or 30)
# Seconds that are left then, in which no more of the request is read, to tell the client.
LAST_WORDS = 2
# Connections that are accepted before those that are there are looked at again.
AT_ONCE = 256
# A head of more bytes is left to gunicorn, which has limits for each of its parts.
LONGEST_HEAD = 65_536
# A quick request has no more bytes, its body with it.
LONGEST_QUICK = 32_768
# Fields by which a head says that a body follows, or asks for an answer before it does.
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
# What is compressed may be long once it is not.
BODY = re.compile(rb"\r\n(?:content-length|content-encoding|transfer-encoding|expect):", re.IGNORECASE)


class Connection(TConn):
    """A connection. received: what has come of a request that no one has begun to answer. timeout: when it is over.

    unsent: what the client has not taken yet of an answer. ended: whether its last answer is sent, and only the client
    has still to close it.
    """

    def __init__(self, worker: Worker, client: socket.socket, address: Any, listener: socket.socket) -> None:
        super().__init__(worker.cfg, client, address, listener.getsockname())  # type: ignore[no-untyped-call]
        self.parser: Any = get_parser(worker.cfg, client, address)  # type: ignore[no-untyped-call]
        self.initialized = self.data_ready = True
        self.received = b""
        self.unsent = b""
        self.ended = False
        self.timeout: float = time.monotonic() + REQUEST_SECONDS


class Outbox:
    """Stands for the socket of a connection while an answer to it is made in the loop, and keeps what is sent."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.parts = sock, list[bytes]()
        self.sendall = self.parts.append

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


class Worker(ThreadWorker):
    """A worker whose connections are in the loop (waiting) or in a thread (deadlines)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.waiting: dict[Connection, None] = {}  # in the order in which they came
        self.deadlines: dict[Connection, float] = {}
        self.late: set[Connection] = set()  # of which no more is read
        self.lock = threading.Lock()
        self.quick: tuple[bytes, ...] = ()

    def load_wsgi(self) -> None:
        """Load the application; what it cannot start without is one line in the log."""
        try:
            super().load_wsgi()  # type: ignore[no-untyped-call]
        except ValueError as error:  # CheckpointError and SettingError
            self.log.critical("%s: %s", type(error).__name__, error)
            sys.exit(3)  # gunicorn then ends, rather than try again
        self.quick = getattr(self.wsgi, "quick", ())

    def accept(self, listener: socket.socket) -> bool:
        """Accept connections that are there, and wait for their requests. Whether there may be more."""
        if self.cfg.is_ssl:
            super().accept(listener)  # type: ignore[no-untyped-call]
            return False
        for _ in range(AT_ONCE):
            try:
                client, address = listener.accept()
            except ConnectionAbortedError:
                continue
            except BlockingIOError:
                return False
            except OSError as error:  # no descriptor is left
                self.log.warning("A connection was not accepted: %s", error)
                self._make_room()
                return False
            self.nr_conns += 1
            self._wait(Connection(self, client, address, listener))
            if self.nr_conns >= self.worker_connections:
                self._make_room()
        return True

    def _make_room(self) -> None:
        """Close the connection that has been silent for longest."""
        for connection in self.waiting:
            if not connection.received and not connection.unsent:
                self._close(connection)
                return

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections from now on, or no longer; those that are made when the worker ends are its own too."""
        ending = not self.alive and not enabled and self._accepting
        for listener in self.sockets if ending else ():
            while self.accept(listener):
                pass
        super().set_accept_enabled(enabled)  # type: ignore[no-untyped-call]
        for listener in self.sockets if ending else ():
            listener.close()  # so that the next is refused, and does not wait in vain

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
            data = client.recv(LONGEST_HEAD)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data and b"\r\n\r\n" not in connection.received:
            self._close(connection)
            return
        if connection.ended:
            return
        if not connection.received:
            connection.timeout = time.monotonic() + REQUEST_SECONDS
        connection.received += data
        self._answer(connection, whole=not data)

    def _answer(self, connection: Connection, whole: bool = False) -> None:
        """Answer what has been received of a waiting connection, as far as it goes. whole: no more will come."""
        while connection.received:
            end = connection.received.find(b"\r\n\r\n")
            if end < 0 and len(connection.received) < LONGEST_HEAD:
                return
            quick = self._quick(connection.received[: end + 2], end + 4)
            if len(connection.received) < quick:
                if not whole:
                    return
                quick = 0
            unreader = connection.parser.unreader
            unreader.unread(connection.received)
            connection.received = b""
            if not quick:
                self._stop_waiting(connection)
                self.enqueue_req(connection)  # type: ignore[no-untyped-call]
                return
            connection.ended = not self._answer_here(connection)
            self.waiting[connection] = self.waiting.pop(connection)
            if not connection.ended:
                connection.received = unreader.take_buffered()
                connection.timeout = time.monotonic() + (REQUEST_SECONDS if connection.received else self.cfg.keepalive)
            if not self._send(connection):
                return

    def _quick(self, head: bytes, start: int) -> int:
        """The length of a request that can be answered here, and 0 for any other. start: where its body does."""
        if not head.startswith(self.quick):
            return 0
        fields = BODY.findall(head)
        if not fields:
            return start
        length = LENGTH.search(head)
        size = start + int(length[1]) if length and len(fields) == 1 else LONGEST_QUICK + 1
        return size if size <= LONGEST_QUICK else 0

    def _answer_here(self, connection: Connection) -> bool:
        """Whether the connection can be used again, once its answer is in `unsent`."""
        client, outbox = connection.sock, Outbox(connection.sock)
        connection.sock = outbox
        try:
            kept = self.handle_request(next(connection.parser), connection)  # type: ignore[no-untyped-call]
            # What the application has not read of the body, all of which is here, is no next request.
            return bool(kept and connection.parser.finish_body())
        except (StopIteration, errors.NoMoreData) as error:
            self.log.debug("A connection ends: %s", error)
        except Exception as error:
            outbox.parts.append(self._refusal(error))
        finally:
            connection.sock = client
            connection.unsent = b"".join(outbox.parts)
        return False

    def _send(self, connection: Connection) -> bool:
        """Send what the client takes, and leave the rest until it takes more. Whether all is sent and it stays open."""
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
        if connection.ended:
            self._end(connection)
        return not connection.ended

    def _write(self, connection: Connection, client: socket.socket) -> None:
        if connection not in self.waiting:
            return
        if self._send(connection) or (connection.ended and connection in self.waiting and not connection.unsent):
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
                self.late.discard(conn)

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
        idle = self.cfg.keepalive if self.alive else LAST_WORDS
        conn.timeout = time.monotonic() + (REQUEST_SECONDS if conn.received else idle)
        self._answer(conn)

    def _end(self, connection: Connection) -> None:
        """Send no more and let the client close: with something unread, its answer could be lost (RFC 9112, 9.6)."""
        connection.ended, connection.timeout = True, time.monotonic() + LAST_WORDS
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
        """Close what is late, once a second or so. A request in a thread first gets no more of its body."""
        super().murder_pending()  # type: ignore[no-untyped-call]
        now = time.monotonic()
        for connection in [connection for connection in self.waiting if connection.timeout < now]:
            self._close(connection)
        with self.lock:
            for connection in [connection for connection, deadline in self.deadlines.items() if deadline < now]:
                over = connection in self.late or self.cfg.is_ssl
                self.late.add(connection)
                self.deadlines[connection] = now + LAST_WORDS
                try:
                    # Not that of TLS, after which what a thread still sends would be in clear.
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR if over else socket.SHUT_RD)
                except OSError as error:
                    self.log.debug("A connection was gone: %s", error)

    def _cap_keepalive(self, deadline: float) -> None:
        """Once the worker ends, wait for the next request of a connection no longer than until the deadline."""
        for connection in self.waiting:
            if not connection.received and not connection.unsent:
                connection.timeout = min(connection.timeout, deadline)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what is no request with the one shape of errors."""
        try:
            util.write_nonblock(client, self._refusal(exc))  # type: ignore[no-untyped-call]
        except OSError as error:
            self.log.debug("A client was gone: %s", error)

    def _refusal(self, exc: Exception) -> bytes:
        answer = refusal(exc)
        if answer is None:
            self.log.error("A request was not answered", exc_info=exc)
            return FAILURE
        self.log.debug("A request is refused: %s", exc)
        return answer
