"""Answers to requests that are refused before the application sees them, in the shape of all errors."""

from __future__ import annotations

from http import HTTPStatus

from gunicorn.http import errors

from serve.errors import RequestError
from serve.responses import encode_json

# The HTTP status of each error, and what was expected.
REFUSALS: dict[type[Exception], tuple[int, str]] = {
    errors.LimitRequestLine: (414, "a shorter request line was expected"),
    errors.LimitRequestHeaders: (431, "fewer or shorter header fields were expected"),
    errors.InvalidRequestLine: (400, "a request line of HTTP/1.1 was expected"),
    errors.InvalidRequestMethod: (400, "a method such as GET was expected"),
    errors.InvalidHTTPVersion: (400, "a version of HTTP such as HTTP/1.1 was expected"),
    errors.InvalidHeader: (400, "header fields of HTTP/1.1 were expected"),
    errors.InvalidHeaderName: (400, "names of header fields of HTTP/1.1 were expected"),
    errors.ObsoleteFolding: (400, "header fields on a line each were expected"),
    errors.UnsupportedTransferCoding: (501, "the transfer coding chunked was expected"),
    errors.ExpectationFailed: (417, "100-continue was expected as the expectation"),
    errors.ParseException: (400, "a request of HTTP/1.1 was expected"),
    errors.NoMoreData: (400, "a whole request was expected"),
}


def refusal(error: Exception) -> bytes | None:
    """The whole answer to a request that cannot be read; None for any other error.

    >>> refusal(errors.InvalidHTTPVersion((9, 9))).splitlines()[0]
    b'HTTP/1.1 400 Bad Request'
    """
    if isinstance(error, RequestError):
        return _answer(error.status, str(error))
    for error_type in type(error).__mro__:
        if error_type in REFUSALS:
            status, expected = REFUSALS[error_type]
            return _answer(status, f"{expected}, and something else was found")
    return None


def _answer(status: int, message: str, *headers: str) -> bytes:
    body = encode_json({"error": message})
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Connection: close",
        *headers,
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


# The answer if the service itself fails.
FAILURE = _answer(500, "the service failed to answer; its log says why")
# The answer if too many requests wait for a thread.
OVERLOADED = _answer(503, "fewer requests at a time were expected; try again later", "Retry-After: 1")
