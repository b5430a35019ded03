"""Whole, decompressed bodies of requests."""

from __future__ import annotations

import zlib
from typing import Any

from gunicorn.http.errors import ParseException

from model.messages import quote
from serve.errors import RequestError

# zlib's window bits for each content coding. What HTTP calls deflate is the zlib format.
WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
# How much is decompressed at a time, and how many compressed streams, one after another, a body may be.
CHUNK_BYTES = 65_536
MAX_MEMBERS = 1000


def check_body_headers(environ: dict[str, Any], max_bytes: int) -> None:
    """Raise RequestError if the headers alone say that the body cannot be read."""
    length = environ.get("CONTENT_LENGTH")
    if length and _content_length(length) > max_bytes:
        raise too_large(max_bytes)
    coding = environ.get("HTTP_CONTENT_ENCODING")
    if coding and environ["REQUEST_METHOD"] in ("POST", "PUT"):
        _content_coding(coding)


def read_body(environ: dict[str, Any], max_bytes: int) -> bytes:
    """A request's whole body, decompressed.

    gunicorn silently ends a body whose client hangs up. That is refused here.

    Args:
        environ: the request.
        max_bytes: the largest length of the body, before and after it is decompressed.

    Raises:
        RequestError: if the body is broken, incomplete or too long, or has an unknown content coding.
    """
    length, stream = environ.get("CONTENT_LENGTH"), environ["wsgi.input"]
    if not length and not environ.get("wsgi.input_terminated"):
        return b""
    expected = _content_length(length) if length else None
    if expected is not None and expected > max_bytes:
        raise too_large(max_bytes)
    try:
        data: bytes = stream.read(max_bytes + 1 if expected is None else expected)
    except (OSError, ParseException):
        raise RequestError(
            "a whole body was expected, and one that breaks off or has broken chunks was found"
        ) from None
    if len(data) > max_bytes:
        raise too_large(max_bytes)
    if expected not in (None, len(data)):
        raise RequestError(f"a body of {expected:,} bytes was expected, and {len(data):,} were found")
    coding = _content_coding(environ.get("HTTP_CONTENT_ENCODING", ""))
    return data if coding == "identity" else _decompress(data, coding, max_bytes)


def _content_length(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise RequestError(f"a number of bytes was expected as Content-Length, and {quote(text)} was found")
    return int(text)


def _content_coding(text: str) -> str:
    coding = text.strip().lower() or "identity"
    if coding != "identity" and coding not in WINDOWS:
        raise RequestError(f"the content coding gzip or deflate was expected, and {quote(coding)} was found", 415)
    return coding


def too_large(max_bytes: int) -> RequestError:
    """The error for a body that is longer than this."""
    return RequestError(f"the body must be of at most {max_bytes:,} bytes, and a longer one was found", 413)


def _decompress(data: bytes, coding: str, max_bytes: int) -> bytes:
    """Decompress a body. One of gzip may have several members (RFC 1952, 2.2)."""
    plain, rest = bytearray(), memoryview(data)
    try:
        for _ in range(1 if coding == "deflate" else MAX_MEMBERS):
            rest = _decompress_member(rest, coding, plain, max_bytes)
            if not rest:
                return bytes(plain)
    except zlib.error:
        raise RequestError(f"a body in {coding} was expected, and other bytes were found") from None
    raise RequestError(f"a whole body in {coding} was expected, and one that goes on was found")


def _decompress_member(rest: memoryview, coding: str, plain: bytearray, max_bytes: int) -> memoryview:
    """Append the decompressed bytes of a member to `plain`, and return what follows the member."""
    decompressor = zlib.decompressobj(WINDOWS[coding])
    while rest:
        chunk = rest[:CHUNK_BYTES]
        plain += decompressor.decompress(chunk, max_bytes + 1 - len(plain))
        if len(plain) > max_bytes:
            raise too_large(max_bytes)
        rest = rest[len(chunk) - len(decompressor.unused_data) :]
        if decompressor.eof:
            return rest
    raise RequestError(f"a whole body in {coding} was expected, and one that breaks off was found")
