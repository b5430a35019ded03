"""Blueprint of the pages: HTML, styles and scripts. They hold no data; their scripts ask for it in JSON."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import NotFound

from serve.responses import Answer, to_response
from serve.settings import Settings
from serve.static_files import answer_file

blueprint = Blueprint("pages", __name__)


@blueprint.get("/", defaults={"page": ""}, endpoint="start")
@blueprint.get("/learn", defaults={"page": "learn.html"}, endpoint="page")
@blueprint.get("/models", defaults={"page": "models.html"}, endpoint="page")
@blueprint.get("/models/<name>", defaults={"page": "model.html"}, endpoint="page")
@blueprint.get("/static/<path:page>", endpoint="page")
def page(**arguments: Any) -> Response:
    """GET /learn, /models, /models/NAME: a page. GET /: leads to one."""
    return to_response(current_app.extensions["nudge.answers"][request.endpoint](request.environ, **arguments))


def answer_start(settings: Settings, environ: dict[str, Any], page: str) -> Answer:
    """Lead to the page for learners, or else to the models. The address is relative: no host of a client is in it."""
    return Answer(b"", [("Location", "/learn" if settings.learns else "/models")], 303)


def answer_page(settings: Settings, environ: dict[str, Any], page: str, name: str = "") -> Answer:
    """Answer a request for a page, or for a file of one.

    Args:
        settings: the settings of the service.
        environ: the request.
        page: the file, by its path in serve/static.
        name: the model that the page shows. The page is the same for all, also for one that there is not.

    Returns:
        The file.

    Raises:
        NotFound: if there is no such file, or if it is the page for learners and they are not served.
    """
    if page == "learn.html" and not settings.learns:
        raise NotFound
    return answer_file(page, environ)
