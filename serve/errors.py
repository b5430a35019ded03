"""Errors. Every error is answered in the same shape: an HTTP status and {"error": "one sentence"}."""

from __future__ import annotations

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed

from model.messages import quote
from serve.responses import json_response

# Seconds after which a client may ask again for what cannot be answered now.
RETRY_SECONDS = "1"


class RequestError(Exception):
    """A request that cannot be answered.

    Args:
        message: one sentence that says what was expected and what was found.
        status: the HTTP status of the answer.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def check_rows(rows: int, max_rows: int) -> None:
    """Raise RequestError if there are more rows than a request may have."""
    if rows > max_rows:
        raise RequestError(
            f"at most {max_rows:,} rows were expected, and {rows:,} were found; send them in several", 413
        )


def register(app: Flask) -> None:
    """Answer every error of the application in the same shape."""
    app.register_error_handler(RequestError, _answer_request_error)
    app.register_error_handler(HTTPException, _answer_http_exception)


def _answer_request_error(error: RequestError) -> Response:
    response = json_response({"error": str(error)}, error.status)
    if error.status == 503:
        response.headers["Retry-After"] = RETRY_SECONDS
    return response


def _answer_http_exception(error: HTTPException) -> Response:
    """Answer an error of Werkzeug in our words, but with its headers, such as Allow."""
    status = error.code or InternalServerError.code
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    sentences = {
        404: f"there is nothing at {quote(request.path)}; predictions are at /predict",
        405: f"{quote(request.path)} takes {_methods(error)}, not {quote(request.method)}",
        413: f"the body must be of at most {limit:,} bytes, and a longer one was found",
        500: "the service failed to answer; its log says why",
    }
    sentence = sentences.get(status, f"the request cannot be answered ({error.name.lower()})")
    response = json_response({"error": sentence}, status)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _methods(error: HTTPException) -> str:
    allowed = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    return " or ".join(sorted({"GET", "POST"} & set(allowed or ())))
