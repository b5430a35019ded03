"""Blueprint /v2/health: whether the process lives, and whether it can answer."""

from __future__ import annotations

from flask import Blueprint

from serve.model_lookup import default_model

blueprint = Blueprint("health", __name__, url_prefix="/v2/health")


@blueprint.get("/live")
def live() -> dict[str, bool]:
    """200 as long as the process answers."""
    return {"live": True}


@blueprint.get("/ready")
def ready() -> dict[str, bool]:
    """200 once the default model is loaded and compiled, and 503 with the reason when it can no longer answer.

    A worker that is not so far yet accepts no connection.
    """
    default_model()
    return {"live": True, "ready": True}
