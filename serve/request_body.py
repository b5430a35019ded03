"""Whole, decompressed bodies of requests."""

from __future__ import annotations

import zlib

from flask import current_app, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from model.messages import quote
from serve.errors import RequestError

# zlib's window bits for each content coding. What HTTP calls deflate is the zlib format.
WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def read_body() -> bytes:
    """The request's whole body, decompressed.

    Werkzeug silently cuts a chunked body at the limit, and gunicorn silently ends a body whose client hangs up. Both
    are refused here.

    Raises:
        RequestError: if the body is broken or incomplete, or has an unknown content coding.
        RequestEntityTooLarge: if it is longer than the limit, before or after it is decompressed.
    """
    try:
        data = request.get_data(cache=False)
        rest = request.environ["wsgi.input"].read(1)
    except (OSError, ParseException, ClientDisconnected):
        raise RequestError(
            "a whole body was expected, and one that breaks off or has broken chunks was found"
        ) from None
    if rest:
        raise RequestEntityTooLarge
    if request.content_length not in (None, len(data)):
        raise RequestError(f"a body of {request.content_length} bytes was expected, and {len(data)} were found")
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    return data if coding == "identity" else _decompress(data, coding)


def _decompress(data: bytes, coding: str) -> bytes:
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    if coding not in WINDOWS:
        raise RequestError(f"the content coding gzip or deflate was expected, and {quote(coding)} was found", 415)
    decompressor = zlib.decompressobj(WINDOWS[coding])
    try:
        plain = decompressor.decompress(data, limit + 1)
    except zlib.error:
        raise RequestError(f"a body in {coding} was expected, and other bytes were found") from None
    if len(plain) > limit:
        raise RequestEntityTooLarge
    if not decompressor.eof or decompressor.unused_data:
        raise RequestError(f"a whole body in {coding} was expected, and one that breaks off or goes on was found")
    return plain
