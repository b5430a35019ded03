"""Around the application, on every answer: who may ask, the request's id, headers, the log and the count.

And the shortest way through it: one row by GET /predict, and tensors by POST /v2/models/…/infer, are answered here
where they are as they should be. All else, errors among it, goes to Flask.
"""

from __future__ import annotations

import hmac
import re
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from io import BytesIO
from random import getrandbits
from typing import Any

import numpy as np
from flask import request

from serve.metrics import count_request
from serve.open_inference_codec import JSON_LENGTH, infer
from serve.predict import answers
from serve.registry import Registry
from serve.responses import encode

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Start = Callable[..., Any]

ROUTE = "nudge.route"
HEALTH = "/v2/health/"
SECURITY: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]
MODELS, INFER = "/v2/models/", "/infer"
# A body of more bytes is left to Flask.
SHORT = 1 << 20
OCTETS: Headers = [("Content-Type", "application/octet-stream")]
JSON: Headers = [("Content-Type", "application/json")]
PREFLIGHT: Headers = [
    ("Access-Control-Allow-Methods", "GET, POST"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Inference-Header-Content-Length, X-API-Key, X-Request-ID",
    ),
    ("Access-Control-Max-Age", "600"),
]
_REQUEST_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


class Edge:
    """A WSGI application around another."""

    def __init__(self, application: Callable[[Environ, Start], Iterable[bytes]], registry: Registry) -> None:
        self.application, self.registry = application, registry
        self.settings = registry.settings
        self.keys = [key.encode() for key in self.settings.api_keys]

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer a request."""
        started = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        # getrandbits does not give up the interpreter, as urandom does
        request_id = given if _REQUEST_ID.fullmatch(given) else f"{getrandbits(64):016x}"

        own = [*SECURITY, ("X-Request-ID", request_id)]
        if self.settings.cors_origins:
            own += self._cors(environ)
        found = "500"

        def start(status: str, headers: Headers, *rest: Any) -> Any:
            nonlocal found
            found = status
            return start_response(status, headers + own, *rest)

        body = self._answer(environ, start)
        seconds, code = time.perf_counter() - started, int(found[:3])
        route = environ.get(ROUTE, "none")
        count_request(route, code, seconds)
        if self.settings.access_log:
            _log(environ, request_id, route, code, seconds)
        return body

    def _answer(self, environ: Environ, start: Start) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if self.settings.cors_origins and method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            start("204 No Content", PREFLIGHT)
            return []
        if self.keys and not path.startswith(HEALTH) and not self._has_key(environ):
            body = encode({"error": "an API key was expected, and none that is known was found; send X-API-Key"})
            start("401 Unauthorized", [*JSON, ("Content-Length", str(len(body))), ("WWW-Authenticate", "Bearer")])
            return [body]
        answered = self._short(environ, path, method)
        if answered is None:
            return self.application(environ, start)
        body, headers = answered
        start("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _short(self, environ: Environ, path: str, method: str) -> tuple[bytes, Headers] | None:
        """The answer and its headers, or None for what Flask is to answer."""
        try:
            if path == "/predict" and method == "GET":
                environ[ROUTE] = path
                return self._one_row(environ["QUERY_STRING"]), JSON
            if method == "POST" and path.startswith(MODELS) and path.endswith(INFER):
                environ[ROUTE] = f"{MODELS}<name>{INFER}"
                return self._tensors(environ, path[len(MODELS) : -len(INFER)])
        except Exception:  # what is wrong comes up again in Flask's route, which says it
            return None
        return None

    def _one_row(self, query: str) -> bytes:
        model = self.registry.default_model
        if model is None or not query.isascii():
            raise ValueError(query)
        return encode(answers(model, np.array([model.rows.of_query(query)]))[0])

    def _tensors(self, environ: Environ, name: str) -> tuple[bytes, Headers]:
        model, length = self.registry.models[name], int(environ["CONTENT_LENGTH"])
        if length > min(SHORT, self.settings.max_body) or environ.get("HTTP_CONTENT_ENCODING") or not name.isascii():
            raise ValueError(length)
        given = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = BytesIO(given)
        if len(given) < length:
            raise ValueError(length)
        json_length = environ.get("HTTP_INFERENCE_HEADER_CONTENT_LENGTH")
        body, raw_from = infer(model, given, json_length, self.settings.max_rows)
        return body, JSON if raw_from is None else [*OCTETS, (JSON_LENGTH, str(raw_from))]

    def _has_key(self, environ: Environ) -> bool:
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        given = environ.get("HTTP_X_API_KEY") or (token.strip() if scheme.lower() == "bearer" else "")
        found = [hmac.compare_digest(given.encode("latin-1", "replace"), key) for key in self.keys]
        return any(found)

    def _cors(self, environ: Environ) -> Headers:
        origin, allowed = environ.get("HTTP_ORIGIN"), self.settings.cors_origins
        if "*" in allowed:
            return [
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Expose-Headers", f"X-Request-ID, {JSON_LENGTH}"),
            ]
        if origin in allowed:
            return [
                ("Access-Control-Allow-Origin", str(origin)),
                ("Access-Control-Expose-Headers", f"X-Request-ID, {JSON_LENGTH}"),
                ("Vary", "Origin"),
            ]
        return [("Vary", "Origin")]


def tell_route() -> None:
    """Note the rule that a request matched, for the log and the count."""
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
        sys.stdout.buffer.write(encode(line))
        sys.stdout.buffer.flush()
    except OSError:  # nobody reads the log: the answer is more than its line
        return
