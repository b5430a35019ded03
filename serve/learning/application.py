"""The Flask application of the process that computes for learners."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, request

from serve import errors
from serve.learning import endpoints
from serve.learning.limits import MAX_BODY_BYTES
from serve.request_body import read_body
from serve.responses import to_response

blueprint = Blueprint("learning", __name__, url_prefix="/learn")


@blueprint.get("/presets")
def presets() -> Response:
    """What a learner can choose."""
    return to_response(endpoints.answer_presets())


@blueprint.post("/csv")
def csv() -> Response:
    """A learner's own table."""
    return to_response(endpoints.answer_csv(_body(), request.args.get("target")))


@blueprint.put("/checkpoint")
def upload() -> Response:
    """A learner's own checkpoint."""
    return to_response(endpoints.answer_upload(_body()))


def _json_view(name: str) -> None:
    def view() -> Response:
        return to_response(endpoints.answer_json(name, _body()))

    blueprint.add_url_rule(f"/{name}", name, view, methods=["POST"])


for _name in endpoints.JSON_ENDPOINTS:
    _json_view(_name)


def _body() -> bytes:
    return read_body(request.environ, MAX_BODY_BYTES)


def create_learning_app() -> Flask:
    """The application.

    Returns:
        The application, for any WSGI server.

    Example:
        >>> create_learning_app().test_client().get("/learn/presets").status_code
        200
    """
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = app.url_map.redirect_defaults = False
    app.register_blueprint(blueprint)
    errors.register(app)
    return app
