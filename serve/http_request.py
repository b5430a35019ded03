"""gunicorn's HTTP, as far as the worker relies on it: from the bytes of a request to the bytes of its answer.

`tests/serve/test_gunicorn_internals.py` lists all that the service takes from inside gunicorn, and fails where a new
gunicorn changes any of it.
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

from gunicorn.config import Config
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.errors import (
    InvalidChunkSize,
    InvalidHeader,
    InvalidRequestLine,
    LimitRequestHeaders,
    LimitRequestLine,
)
from gunicorn.http.message import PP_V2_SIGNATURE, Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.http.wsgi import create as make_environ

Environ = dict[str, Any]
# An address: host and port, or the path of a Unix socket.
Address = Any

MAX_HEAD_BYTES = 65_536
# The most bytes of a line between two chunks, the most digits of a chunk's size, and the most chunks of a body.
MAX_CHUNK_LINE, MAX_SIZE_DIGITS, MAX_CHUNKS = 8_190, 16, 200_000
# The most chunks that are looked at in one step.
MAX_CHUNKS_IN_STEP = 500
# gunicorn copies what it has of a body at every chunk, so it gets the body in pieces of so many bytes.
PIECE_BYTES = 4_096
# A longer head is not kept to compare it with the next.
MAX_KEPT_HEAD_BYTES = 2_048
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_TLS_HELLO = b"\x16\x03"


@dataclass
class Chunks:
    """How far a chunked body has been looked through.

    Attributes:
        position: where the next line with a chunk's size begins, counted from the start of the body.
        size: the bytes of all chunks before it.
        count: how many chunks there are before it.
        is_behind: whether there is more that has not been looked through.
    """

    position: int = 0
    size: int = 0
    count: int = 0
    is_behind: bool = False

    def find_end(self, data: bytearray) -> int | None:
        """Where the body ends; None if that is not known yet. Of a body that is broken, all belongs to it."""
        last = self.count + MAX_CHUNKS_IN_STEP
        self.is_behind = False
        while self.position <= len(data):
            if self.count >= last:
                self.is_behind = True
                return None
            line_end = data.find(b"\r\n", self.position)
            if line_end < 0:
                return len(data) if len(data) - self.position > MAX_CHUNK_LINE else None
            digits = bytes(data[self.position : line_end]).partition(b";")[0].strip()
            if not digits.isalnum() or len(digits) > MAX_SIZE_DIGITS or self.count > MAX_CHUNKS:
                return len(data)
            try:
                size = int(digits, 16)
            except ValueError:
                return len(data)
            if size == 0:
                end = data.find(b"\r\n\r\n", line_end)
                return end + 4 if end >= 0 else len(data) if len(data) - line_end > MAX_HEAD_BYTES else None
            self.position = line_end + 2 + size + 2
            self.size += size
            self.count += 1
        return None


@dataclass(frozen=True)
class Head:
    """The head of a request.

    Attributes:
        request: gunicorn's request, whose headers were checked.
        fields: the lines after the first one, as they were sent; None if they are not kept.
        length: the length of the body; None if it is chunked.
        expects_continue: whether the client sends the body only when it is told to.
    """

    request: Any
    fields: bytes | None
    length: int | None
    expects_continue: bool


class IncomingRequest:
    """A request whose head has arrived.

    Args:
        head: its head.

    Attributes:
        length: the length of the body; None if it is chunked.
        chunks: how far a chunked body has been looked through.
        expects_continue: whether the client still waits to be told to send the body.
        body: the whole body, as it was sent; empty until it has arrived.
    """

    def __init__(self, head: Head) -> None:
        self.request, self.length, self.expects_continue = head.request, head.length, head.expects_continue
        self.chunks, self.body = Chunks(), b""

    @property
    def is_compressed(self) -> bool:
        """Whether the body has a content coding, so that it may be much larger than it looks."""
        return any(name == "CONTENT-ENCODING" for name, _ in self.request.headers)

    @property
    def size(self) -> int:
        """The bytes of the body, as far as they are known."""
        return self.chunks.size if self.length is None else self.length

    def find_end(self, data: bytearray) -> int | None:
        """Where in the data after the head the body ends; None if that is still to come."""
        if self.length is None:
            return self.chunks.find_end(data)
        return self.length if len(data) >= self.length else None

    def decode_body(self) -> None:
        """Give the application the body without its chunks. Raises ParseException or NoMoreData if they are broken."""
        if self.length is None:
            if self.chunks.count > MAX_CHUNKS:
                raise InvalidChunkSize(b"too many")  # type: ignore[no-untyped-call]
            pieces = [self.body[start : start + PIECE_BYTES] for start in range(0, len(self.body), PIECE_BYTES)]
            self.body = Body(ChunkedReader(self.request, IterUnreader(pieces))).read()  # type: ignore[no-untyped-call]
        self.request.body = BytesIO(self.body)


def find_head_end(data: bytearray, searched: int, limit_request_line: int) -> int | None:
    """Where the head of a request ends; None if that is still to come.

    Args:
        data: what has arrived.
        searched: how much of it was looked through before.
        limit_request_line: the most bytes of the first line; 0 for any number.

    Raises:
        ParseException: if no head can become of this.
    """
    start = 0
    if len(data) < 16 and data[:12] == PP_V2_SIGNATURE[: len(data)]:  # which has empty lines inside
        return None
    if data.startswith(PP_V2_SIGNATURE):
        start = 16 + int.from_bytes(data[14:16], "big")
    end = data.find(b"\r\n\r\n", max(searched - 3, start))
    stop = len(data) if end < 0 else end
    if data.startswith(_TLS_HELLO):
        raise InvalidRequestLine("TLS")  # type: ignore[no-untyped-call]
    if _BARE_LINE_FEED.search(data, max(searched - 1, start), stop):
        raise InvalidHeader("bare line feed")  # type: ignore[no-untyped-call]
    if end >= 0:
        return end + 4
    if (
        0 < limit_request_line < len(data) - start - 2
        and data.find(b"\r\n", start + 2, start + limit_request_line + 2) < 0
    ):
        raise LimitRequestLine(len(data), limit_request_line)  # type: ignore[no-untyped-call]
    if len(data) > MAX_HEAD_BYTES:
        raise LimitRequestHeaders("head")  # type: ignore[no-untyped-call]
    return None


def parse_head(config: Config, data: bytes, client: Address, number: int, previous: Head | None) -> Head:
    """Parse the head of a request.

    Args:
        config: gunicorn's configuration.
        data: the head, with the empty line at its end.
        client: the client's address.
        number: how many heads the connection has had, this one included.
        previous: the head before this one on the connection. Its fields are not parsed again if they are the same.

    Raises:
        ParseException: if it is not HTTP as gunicorn or RFC 9112 allows it.
    """
    line, _, fields = data.partition(b"\r\n")
    has_right_length = 0 < len(line) <= (config.limit_request_line or MAX_HEAD_BYTES)
    if previous and previous.fields == fields and previous.length is not None and has_right_length:
        known = copy(previous.request)
        known.parse_request_line(line)
        if known.version == previous.request.version:
            return replace(previous, request=known)
    request: Any = Request(config, IterUnreader((data,)), client, number)  # type: ignore[no-untyped-call]
    if (request.proxy_protocol_info or {}).get("client_addr", client) is None:  # the proxy asks for itself
        request.proxy_protocol_info = None
    request.version = min(request.version, (1, 1))  # the highest that is spoken here (RFC 9110, section 2.5)
    if previous:
        request.proxy_protocol_info = previous.request.proxy_protocol_info
    names = [name for name, _ in request.headers]
    if request.version >= (1, 1) and "HOST" not in names:
        raise InvalidHeader("HOST", req=request)  # type: ignore[no-untyped-call]
    length = next((int(value) for name, value in request.headers if name == "CONTENT-LENGTH"), 0)
    expects_continue = request._expected_100_continue
    request._expected_100_continue = False  # the worker says `100 Continue` itself, before the body
    # Before the first line there may be an empty one, or that of the PROXY protocol.
    is_whole = line.startswith(request.method.encode()) and len(data) <= MAX_KEPT_HEAD_BYTES
    return Head(
        request, fields if is_whole else None, None if "TRANSFER-ENCODING" in names else length, expects_continue
    )


class Outbox:
    """Stands for a socket while an answer is made, and keeps what is sent."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.sendall = self.parts.append


def open_answer(request: Any, client: Address, server: Address, config: Config) -> tuple[Any, Environ, Outbox]:
    """A response of gunicorn to a request, what WSGI tells the application, and where the answer's bytes will be."""
    outbox = Outbox()
    response, environ = make_environ(request, outbox, client, server, config)  # type: ignore[no-untyped-call]
    return response, environ, outbox
