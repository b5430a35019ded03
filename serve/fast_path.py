"""The fast path: one row by GET /predict, and tensors by POST /v2/models/…/infer, are answered without Flask.

Only correct requests are answered here. Everything else, errors included, goes to Flask.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from serve.open_inference_codec import JSON_LENGTH, predict_tensors
from serve.predict import make_answers
from serve.registry import Registry
from serve.responses import encode_json

Environ = dict[str, Any]
Headers = list[tuple[str, str]]

# The key in environ of the matched route, such as /models/<name>/predict, for the log and the counts.
ROUTE = "nudge.route"
MODELS_PREFIX, INFER_SUFFIX = "/v2/models/", "/infer"
INFER_ROUTE = f"{MODELS_PREFIX}<name>{INFER_SUFFIX}"
# Flask answers requests with longer bodies.
MAX_BODY_BYTES = 1 << 20
OCTETS: Headers = [("Content-Type", "application/octet-stream")]
JSON: Headers = [("Content-Type", "application/json")]


class FastPath:
    """Answers the two most frequent requests."""

    def __init__(self, registry: Registry) -> None:
        self.registry, self.settings = registry, registry.settings

    def answer(self, environ: Environ, path: str, method: str) -> tuple[bytes, Headers] | None:
        """The body and the headers of an answer; None if Flask must answer."""
        try:
            if path == "/predict" and method == "GET":
                environ[ROUTE] = path
                return self._answer_row(environ["QUERY_STRING"]), JSON
            if method == "POST" and path.startswith(MODELS_PREFIX) and path.endswith(INFER_SUFFIX):
                environ[ROUTE] = INFER_ROUTE
                return self._answer_tensors(environ, path[len(MODELS_PREFIX) : -len(INFER_SUFFIX)])
        except Exception:  # whatever is wrong, Flask's route meets it again and says what it is
            return None
        return None

    def _answer_row(self, query: str) -> bytes:
        model = self.registry.default_model
        if model is None or not query.isascii():
            raise ValueError(query)
        return encode_json(make_answers(model, model.rows.from_query(query))[0])

    def _answer_tensors(self, environ: Environ, name: str) -> tuple[bytes, Headers]:
        model, length = self.registry.models[name], int(environ["CONTENT_LENGTH"])
        is_long = length > min(MAX_BODY_BYTES, self.settings.max_body_bytes)
        if is_long or environ.get("HTTP_CONTENT_ENCODING") or not name.isascii():
            raise ValueError(length)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = BytesIO(body)
        if len(body) < length:
            raise ValueError(length)
        json_length = environ.get("HTTP_INFERENCE_HEADER_CONTENT_LENGTH")
        answer, answer_json_length = predict_tensors(model, body, json_length, self.settings.max_rows)
        if answer_json_length is None:
            return answer, JSON
        return answer, [*OCTETS, (JSON_LENGTH, str(answer_json_length))]
