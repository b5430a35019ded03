"""Blueprint /learn: hands the requests of learners on to the process that computes for them."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

from flask import Blueprint, Response, request

from serve.errors import RequestError
from serve.model_lookup import current_settings
from serve.request_body import read_body
from serve.responses import Answer, to_response
from serve.routes import LEARN_PREFIX

# The paths below it, and the methods of each.
ENDPOINTS: dict[str, tuple[str, ...]] = {
    "presets": ("GET",),
    "table": ("POST",),
    "csv": ("POST",),
    "start": ("POST",),
    "forward": ("POST",),
    "gradients": ("POST",),
    "trace": ("POST",),
    "train": ("POST",),
    "surface": ("POST",),
    "why-stuck": ("POST",),
    "starts": ("POST",),
    "checkpoint": ("POST", "PUT"),
    "python": ("POST",),
}
MAX_BODY_BYTES = 2 * 1024 * 1024
# Seconds after which a worker no longer waits for an answer.
ANSWER_SECONDS = 60
# The fields of an answer that are handed on.
_KEPT = ("Content-Type", "Content-Disposition", "Retry-After")

blueprint = Blueprint("learn", __name__, url_prefix=LEARN_PREFIX.rstrip("/"))


def _hand_on() -> Response:
    """The answer of the process that computes for learners."""
    settings = current_settings()
    body = read_body(request.environ, min(MAX_BODY_BYTES, settings.max_body_bytes))
    path = request.path + (f"?{request.query_string.decode('latin-1')}" if request.query_string else "")
    return to_response(ask(settings.learning_socket, request.method, path, body))


for _name, _methods in ENDPOINTS.items():
    blueprint.add_url_rule(f"/{_name}", _name, _hand_on, methods=_methods)


class _Connection(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("learning", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(str(self._path))


def ask(path: Path | None, method: str, target: str, body: bytes) -> Answer:
    """Ask the process that computes for learners.

    Args:
        path: of its socket; None if there is no such process.
        method: of the request.
        target: the path of the request, and its query.
        body: its body, decompressed.

    Returns:
        The answer, whatever its status.

    Raises:
        RequestError: a 503 if the process does not answer.
    """
    if path is None:
        raise RequestError("a process that computes for learners was expected, and this service has none", 503)
    connection = _Connection(path)
    try:
        connection.request(method, target, body, {"Connection": "close"})
        answer = connection.getresponse()
        data = answer.read()
    except (FileNotFoundError, ConnectionRefusedError):
        raise RequestError("the process that computes for learners is starting; ask again soon", 503) from None
    except (OSError, http.client.HTTPException):
        raise RequestError("the process that computes for learners gives no answer; ask again", 503) from None
    finally:
        connection.close()
    return Answer(data, [(name, value) for name in _KEPT if (value := answer.headers.get(name))], answer.status)
