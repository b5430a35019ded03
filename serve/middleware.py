"""What every request passes through: API keys, request ids, headers, the access log and the counts."""

from __future__ import annotations

import hmac
import re
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from random import getrandbits
from typing import Any

from flask import request

from serve.fast_path import JSON, ROUTE, Environ, FastPath, Headers
from serve.metrics import note_request
from serve.open_inference_codec import JSON_LENGTH
from serve.responses import encode_json
from serve.settings import Settings

StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# Paths below this one need no key.
HEALTH_PREFIX = "/v2/health/"
SECURITY_HEADERS: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]
PREFLIGHT_HEADERS: Headers = [
    ("Access-Control-Allow-Methods", "GET, POST"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Inference-Header-Content-Length, X-API-Key, X-Request-ID",
    ),
    ("Access-Control-Max-Age", "600"),
]
EXPOSED_HEADERS = ("Access-Control-Expose-Headers", f"X-Request-ID, {JSON_LENGTH}")
_REQUEST_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


class Middleware:
    """A WSGI application around another one.

    Args:
        application: answers the requests that are let through.
        settings: the settings of the service.
        fast_path: is asked before the application; None for no fast path.
    """

    def __init__(self, application: Application, settings: Settings, fast_path: FastPath | None) -> None:
        self.application = application
        self.settings = settings
        self.fast_path = fast_path
        self.keys = [key.encode() for key in self.settings.api_keys]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        started = time.perf_counter()
        sent_id = environ.get("HTTP_X_REQUEST_ID", "")
        # Unlike urandom, getrandbits does not release the interpreter's lock.
        request_id = sent_id if _REQUEST_ID.fullmatch(sent_id) else f"{getrandbits(64):016x}"
        added_headers = [*SECURITY_HEADERS, ("X-Request-ID", request_id)]
        if self.settings.cors_origins:
            added_headers += self._cors_headers(environ)
        status_line = "500"

        def start(status: str, headers: Headers, *rest: Any) -> Any:
            nonlocal status_line
            status_line = status
            return start_response(status, headers + added_headers, *rest)

        body = self._answer(environ, start)
        seconds, status = time.perf_counter() - started, int(status_line[:3])
        route = environ.get(ROUTE, "none")
        note_request(route, status, seconds)
        if self.settings.has_access_log:
            _log(environ, request_id, route, status, seconds)
        return body

    def _answer(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if self.settings.cors_origins and method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            start("204 No Content", PREFLIGHT_HEADERS)
            return []
        if self.keys and not path.startswith(HEALTH_PREFIX) and not self._has_key(environ):
            body = encode_json({"error": "an API key was expected, and none that is known was found; send X-API-Key"})
            start("401 Unauthorized", [*JSON, ("Content-Length", str(len(body))), ("WWW-Authenticate", "Bearer")])
            return [body]
        answer = self.fast_path.answer(environ, path, method) if self.fast_path else None
        if answer is None:
            return self.application(environ, start)
        body, headers = answer
        start("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _has_key(self, environ: Environ) -> bool:
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        sent_key = environ.get("HTTP_X_API_KEY") or (token.strip() if scheme.lower() == "bearer" else "")
        matches = [hmac.compare_digest(sent_key.encode("latin-1", "replace"), key) for key in self.keys]
        return any(matches)  # all keys are compared, so that the time does not depend on which one matches

    def _cors_headers(self, environ: Environ) -> Headers:
        origin, allowed = environ.get("HTTP_ORIGIN"), self.settings.cors_origins
        if "*" in allowed:
            return [("Access-Control-Allow-Origin", "*"), EXPOSED_HEADERS]
        if origin in allowed:
            return [("Access-Control-Allow-Origin", str(origin)), EXPOSED_HEADERS, ("Vary", "Origin")]
        return [("Vary", "Origin")]


def note_route() -> None:
    """Note the route that a request matched, for the log and the counts."""
    if request.url_rule:
        request.environ[ROUTE] = request.url_rule.rule


def _log(environ: Environ, request_id: str, route: str, status: int, seconds: float) -> None:
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "id": request_id,
        "client": environ.get("REMOTE_ADDR", ""),
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
        "route": route,
        "status": status,
        "milliseconds": round(seconds * 1000, 3),
    }
    try:
        sys.stdout.buffer.write(encode_json(line))
        sys.stdout.buffer.flush()
    except OSError:  # nobody reads the log; the answer matters more
        return
