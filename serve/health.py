"""Blueprint /v2/health: whether the process runs, and whether it can answer."""

from __future__ import annotations

from flask import Blueprint

from serve.model_lookup import default_model

blueprint = Blueprint("health", __name__, url_prefix="/v2/health")


@blueprint.get("/live")
def live() -> dict[str, bool]:
    """200 while the process can answer at all."""
    return {"live": True}


@blueprint.get("/ready")
def ready() -> dict[str, bool]:
    """200 if the default model can answer, and otherwise 503 with the reason.

    A worker accepts no connection before it has loaded it. Each other model has its own readiness.
    """
    default_model()
    return {"live": True, "ready": True}
