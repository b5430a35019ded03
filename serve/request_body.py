"""The bodies of requests, whole and decompressed."""

from __future__ import annotations

import zlib

from flask import current_app, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from model.messages import quote
from serve.errors import RequestError

# zlib's window for each content coding: of gzip, and of the zlib format that HTTP calls deflate.
WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def whole_body() -> bytes:
    """The body, once it is certain that all of it is there, and decompressed. The limit holds before and after.

    Werkzeug cuts a chunked body at the limit without a word, and gunicorn ends one early whose sender does. Raises
    RequestError, or RequestEntityTooLarge.
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
    return data if coding == "identity" else _decompressed(data, coding)


def _decompressed(data: bytes, coding: str) -> bytes:
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
