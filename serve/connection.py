"""A client's connection, while gunicorn's worker serves it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, field

from gunicorn.config import Config

from serve.http_request import Address, Head, IncomingRequest, find_head_end, parse_head

READ_BYTES = 65_536
# A connection for which fewer bytes are held is not ended to get them back.
MIN_HELD_BYTES = 8 * 1024
# What a socket that never blocks raises if it must wait.
WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(eq=False, slots=True)
class Connection:
    """A connection.

    Attributes:
        sock: the socket, which never blocks.
        client: the client's address.
        server: the address that it connected to.
        deadline: when the connection is closed if nothing happens, in seconds of the monotonic clock.
        received: what has arrived after the last request or head that was taken.
        searched: how much of `received` has been looked through for the end of a head.
        head_end: where the head in `received` ends; None if that is still to come.
        head: the head before, which often differs from the next only in its first line.
        incoming: the request whose head has arrived, until it is answered.
        number: how many requests have arrived.
        unsent: what the client has not taken yet.
        held_bytes: the memory of all that, as the worker has counted it.
        events: what the worker's loop listens to, a mask of `selectors`.
        is_queued: whether the connection waits for its turn in the loop.
        is_computing: whether a thread makes its answer, or will.
        has_to_wait: whether no thread was free for its request.
        has_ended: whether the client will send no more.
        is_last: whether no other request is answered.
        is_finished: whether the last answer is sent, so that the client only has to close the connection.
    """

    sock: socket.socket
    client: Address
    server: Address
    deadline: float
    received: bytearray = field(default_factory=bytearray)
    searched: int = 0
    head_end: int | None = None
    head: Head | None = None
    incoming: IncomingRequest | None = None
    number: int = 0
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    held_bytes: int = 0
    events: int = 0
    is_queued: bool = False
    is_computing: bool = False
    has_to_wait: bool = False
    has_ended: bool = False
    is_last: bool = False
    is_finished: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether it is the worker's turn, not the client's."""
        return self.is_queued or self.is_computing

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to answer and nothing to send."""
        return not (self.is_busy or self.incoming or self.received or self.unsent)

    @property
    def can_be_ended(self) -> bool:
        """Whether ending the connection gives back memory."""
        return self.held_bytes > MIN_HELD_BYTES and not (self.is_busy or self.is_finished)

    def count_bytes(self) -> int:
        """The bytes that are held for the client. Of an answer, all are held until the last is sent."""
        body = len(self.incoming.body) if self.incoming else 0
        answer = len(self.unsent.obj) if self.unsent else 0  # type: ignore[arg-type]
        return len(self.received) + answer + body

    def receive(self) -> bytes | None:
        """What has arrived: b"" at the end of the stream, None if there is nothing yet."""
        try:
            data = self.sock.recv(READ_BYTES)
            while isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():  # the loop does not see these bytes
                data += self.sock.recv(READ_BYTES)
        except WAITS:
            return None
        except OSError:
            return b""
        return data

    def send(self) -> bool:
        """Send what the client takes now, and return whether that was all. Raises OSError if the client is gone."""
        try:
            while self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except WAITS:
            return False
        self.unsent = memoryview(b"")  # an empty part would hold the whole
        return True

    def set_answer(self, answer: bytes, is_last: bool) -> None:
        """Let an answer take the place of the request. is_last: no other request is answered."""
        if self.incoming:
            self.incoming.request.body = None  # the head may be kept, and it would hold the body
        self.incoming, self.unsent, self.is_last = None, memoryview(answer), is_last

    def end(self) -> bool:
        """Send no more, so that the client closes the connection and loses no answer (RFC 9112, section 9.6).

        Returns whether the client is still there.
        """
        self.is_finished = True
        self.received.clear()
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                with contextlib.suppress(*WAITS):  # it has said that it ends, and would wait for the client to say so
                    self.sock.unwrap()
            socket.socket.shutdown(self.sock, socket.SHUT_WR)
        except OSError:
            return False
        return True

    def notice_end(self) -> None:
        """Note whether the client has ended the connection while it waits for its answer."""
        try:
            self.has_ended = not socket.socket.recv(self.sock, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self.has_ended = True

    def has_arrived(self, limit_request_line: int, max_body_bytes: int) -> bool:
        """Whether a whole head has arrived, or after it a whole body, some chunks, or more than is allowed.

        Raises ParseException if no head can become of what has arrived.
        """
        if self.incoming:
            is_whole = self.incoming.length is None or self.incoming.find_end(self.received) is not None
            return is_whole or self.has_ended or self.is_longer_than(max_body_bytes)
        if self.head_end is None and self.received:
            self.head_end = find_head_end(self.received, self.searched, limit_request_line)
            self.searched = len(self.received)
        return self.head_end is not None or self.has_ended

    def is_longer_than(self, max_body_bytes: int) -> bool:
        """Whether the body is longer. Chunks may double its bytes."""
        size = self.incoming.size if self.incoming else 0
        return max(size, len(self.received) // 2) > max_body_bytes

    def take_head(self, config: Config) -> IncomingRequest | None:
        """Parse the head that has arrived; None if the client has ended without one. Raises ParseException."""
        if self.head_end is None:
            return None
        data = bytes(memoryview(self.received)[: self.head_end])
        del self.received[: self.head_end]
        self.head_end, self.searched, self.number = None, 0, self.number + 1
        self.head = parse_head(config, data, self.client, self.number, self.head)
        self.incoming = IncomingRequest(self.head)
        return self.incoming


def accept(listener: socket.socket, tls: ssl.SSLContext | None, seconds: float) -> Connection | None:
    """Accept a connection that has so many seconds to send a request; None if the client is gone.

    Raises BlockingIOError if there is none, and OSError if none can be accepted.
    """
    client, address = listener.accept()
    try:
        client.setblocking(False)
        if tls:
            client = tls.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
    except OSError:
        client.close()
        return None
    return Connection(client, address, listener.getsockname(), time.monotonic() + seconds)
