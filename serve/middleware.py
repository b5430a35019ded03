"""What every request passes through: API keys, limits, request IDs, headers, the access log and the counts."""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from random import getrandbits
from typing import Any

from werkzeug.exceptions import HTTPException

from serve.access_log import AccessLog
from serve.errors import RequestError, answer_error, path_of
from serve.learning_limits import MAX_BODY_BYTES
from serve.metrics import note_request
from serve.open_inference_messages import JSON_LENGTH
from serve.request_body import check_body_headers
from serve.responses import SECURITY, Answer, Headers
from serve.routes import HEALTH_PREFIX, LEARN_PREFIX, PAGE_PATHS, Route, Routes
from serve.settings import Settings
from serve.trace_context import TRACE_HEADER, trace_of

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# The key in environ of the pattern of the route, such as /models/<name>/predict, for the log and the counts.
ROUTE = "nudge.route"
ALLOWED_HEADERS = (
    *("Authorization", "Content-Type", JSON_LENGTH, "X-API-Key", "X-Request-ID"),
    *(TRACE_HEADER, "tracestate"),
)
PREFLIGHT_HEADERS: Headers = (
    ("Access-Control-Allow-Methods", "GET, POST, PUT"),
    ("Access-Control-Allow-Headers", ", ".join(ALLOWED_HEADERS)),
    ("Access-Control-Max-Age", "600"),
)
EXPOSED = ("X-Request-ID", TRACE_HEADER, JSON_LENGTH, "Content-Disposition")
EXPOSED_HEADERS = ("Access-Control-Expose-Headers", ", ".join(EXPOSED))
# Answers without a body, and so without a length (RFC 9110, 8.6).
WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_REQUEST_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


class Middleware:
    """A WSGI application around Flask's.

    Args:
        application: Flask's.
        routes: all routes.
        settings: the settings of the service.
        answers: for endpoints that need nothing of Flask, the functions that answer their requests.
    """

    def __init__(
        self,
        application: Application,
        routes: Routes,
        settings: Settings,
        answers: Mapping[str, Callable[..., Answer]],
    ) -> None:
        self.application, self.routes, self.settings, self.answers = application, routes, settings, answers
        self.keys = [key.encode() for key in settings.api_keys]
        self.access_log = AccessLog(settings.trusted_proxies) if settings.has_access_log else None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        started = time.perf_counter()
        sent_id = environ.get("HTTP_X_REQUEST_ID", "")
        # Unlike urandom, getrandbits does not release the interpreter's lock.
        request_id = sent_id if _REQUEST_ID.fullmatch(sent_id) else f"{getrandbits(64):016x}"
        trace = trace_of(environ)
        added_headers = [("X-Request-ID", request_id)]
        if trace:
            added_headers.append((TRACE_HEADER, trace))
        if self.settings.cors_origins:
            added_headers += self._cors_headers(environ)
        answer = self._answer(environ)
        if answer is None:
            status, body = self._ask_flask(environ, start_response, [*SECURITY, *added_headers])
        else:
            status, body = answer.status, [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]
            length = [("Content-Length", str(len(answer.body)))] if status not in WITHOUT_BODY else []
            start_response(STATUS_LINES[status], [*answer.headers, *length, *answer.security, *added_headers])
        seconds, route = time.perf_counter() - started, environ.get(ROUTE, "none")
        note_request(route, status, seconds)
        if self.access_log:
            self.access_log.write(environ, request_id, trace, route, status, seconds)
        return body

    def refuses(self, environ: Environ) -> bool:
        """Whether the head alone refuses a request. `__call__` then refuses it without reading the body."""
        try:
            if not self._is_preflight(environ):
                self._check_head(environ)
        except (RequestError, HTTPException):
            return True
        return False

    def _answer(self, environ: Environ) -> Answer | None:
        """The answer to a request; None if Flask must answer it."""
        try:
            if self._is_preflight(environ):
                return Answer(b"", PREFLIGHT_HEADERS, HTTPStatus.NO_CONTENT)
            route = self._check_head(environ)
            answer = self.answers.get(route.endpoint)
            if answer is None or environ["REQUEST_METHOD"] == "OPTIONS":
                return None
            return answer(environ, **route.arguments)
        except Exception as error:
            return answer_error(error, environ)

    def _ask_flask(
        self, environ: Environ, start_response: StartResponse, added_headers: list[tuple[str, str]]
    ) -> tuple[int, Iterable[bytes]]:
        """Let Flask answer a request. Returns the status and the body."""
        status_line = "500"

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal status_line
            status_line = status
            return start_response(status, headers + added_headers, *rest)

        body = self.application(environ, start)
        return int(status_line[:3]), body

    def _is_preflight(self, environ: Environ) -> bool:
        return bool(
            self.settings.cors_origins
            and environ["REQUEST_METHOD"] == "OPTIONS"
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        )

    def _check_head(self, environ: Environ) -> Route:
        """The route of a request. Raises RequestError or HTTPException if its head alone shows that it is wrong."""
        path = path_of(environ)
        if self.keys and not self._is_open(path, environ) and not self._has_key(environ):
            message = "an API key was expected, and none that is known was found; send X-API-Key"
            raise RequestError(message, 401, [("WWW-Authenticate", "Bearer")])
        route = self.routes.find(path, environ["REQUEST_METHOD"])
        environ[ROUTE] = route.rule
        most = self.settings.max_body_bytes
        check_body_headers(environ, min(most, MAX_BODY_BYTES) if path.startswith(LEARN_PREFIX) else most)
        return route

    def _is_open(self, path: str, environ: Environ) -> bool:
        """Whether a request needs no key: for health, and for pages, which hold no data."""
        if path.startswith(HEALTH_PREFIX):
            return True
        is_page = environ["REQUEST_METHOD"] in ("GET", "HEAD") and PAGE_PATHS.fullmatch(path)
        return bool(self.settings.has_pages and is_page)

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
