"""The Flask application of the process that computes for learners."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import Blueprint, Flask, Response, request

from serve import errors
from serve.learning import endpoints
from serve.learning.slots import Slots
from serve.learning_limits import MAX_BODY_BYTES
from serve.request_body import read_body
from serve.responses import Answer, to_response
from serve.routes import LEARN_PREFIX


def create_learning_app(slots: Slots | None = None) -> Flask:
    """The application.

    Args:
        slots: in which its requests compute; by default its own.

    Returns:
        The application, for any WSGI server.

    Example:
        >>> create_learning_app().test_client().get("/learn/presets").status_code
        200
    """
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = app.url_map.redirect_defaults = False
    app.register_blueprint(_blueprint(slots or Slots()))
    errors.register(app)
    return app


def _blueprint(slots: Slots) -> Blueprint:
    """The endpoints. A request's body is read before it takes a slot."""
    blueprint = Blueprint("learning", __name__, url_prefix=LEARN_PREFIX.rstrip("/"))

    def add(name: str, method: str, answer: Callable[[bytes], Answer]) -> None:
        def view() -> Response:
            body = read_body(request.environ, MAX_BODY_BYTES)
            with slots.taken():
                return to_response(answer(body))

        blueprint.add_url_rule(f"/{name}", f"{method} {name}", view, methods=[method])

    add("presets", "GET", lambda _: endpoints.answer_presets())
    add("csv", "POST", lambda body: endpoints.answer_csv(body, request.args.get("target")))
    add("checkpoint", "PUT", endpoints.answer_upload)
    for name in endpoints.JSON_ENDPOINTS:
        add(name, "POST", partial(endpoints.answer_json, name))
    return blueprint
