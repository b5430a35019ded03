"""Errors. Every error is answered in the same shape: an HTTP status and {"error": "one sentence"}."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from model.messages import quote
from serve.responses import Answer, Headers, json_answer, to_response

log = logging.getLogger("gunicorn.error")

# Seconds after which a client may ask again for what cannot be answered now.
RETRY_SECONDS = "1"


class RequestError(Exception):
    """A request that cannot be answered.

    Args:
        message: one sentence that says what was expected and what was found.
        status: the HTTP status of the answer.
        headers: further headers of the answer.
    """

    def __init__(self, message: str, status: int = 400, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


def check_rows(rows: int, max_rows: int) -> None:
    """Raise RequestError if there are more rows than a request may have."""
    if rows > max_rows:
        raise RequestError(
            f"at most {max_rows:,} rows were expected, and {rows:,} were found; send them in several", 413
        )


def answer_error(error: Exception, environ: dict[str, Any]) -> Answer:
    """The answer to a request that has failed. What is no fault of the request is a 500, and the log says why."""
    if isinstance(error, RequestError):
        retry = [("Retry-After", RETRY_SECONDS)] if error.status == 503 else []
        return json_answer({"error": str(error)}, error.status, [*error.headers, *retry])
    path, method = path_of(environ), environ["REQUEST_METHOD"]
    if not isinstance(error, HTTPException):
        log.error("%s %s was not answered", method, quote(path), exc_info=error)
        return json_answer({"error": "the service failed to answer; its log says why"}, 500)
    sentences = {
        404: f"there is nothing at {quote(path)}; predictions are at /predict",
        405: f"{quote(path)} takes {_methods(error)}, not {quote(method)}",
    }
    status = error.code or 500
    sentence = sentences.get(status, f"the request cannot be answered ({error.name.lower()})")
    kept = [each for each in error.get_headers() if each[0].lower() not in ("content-type", "content-length")]
    return json_answer({"error": sentence}, status, kept)


def path_of(environ: dict[str, Any]) -> str:
    """The path of a request. WSGI has its bytes as Latin-1."""
    path: str = environ["PATH_INFO"]
    return path if path.isascii() else path.encode("latin-1").decode(errors="replace")


def register(app: Flask) -> None:
    """Answer every error of Flask's routes in the same shape."""
    app.register_error_handler(Exception, _respond)


def _respond(error: Exception) -> Response:
    return to_response(answer_error(error, request.environ))


def _methods(error: HTTPException) -> str:
    allowed = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    return " or ".join(sorted({"GET", "POST", "PUT"} & set(allowed or ())))
