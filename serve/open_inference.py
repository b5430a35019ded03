"""Blueprint /v2: the Open Inference Protocol, REST, with binary tensors and Triton's repository index."""

from __future__ import annotations

from importlib.metadata import version as version_of

import msgspec
from flask import Blueprint, Response, request

from serve import open_inference_codec as protocol
from serve.model_lookup import model_named, registry, settings
from serve.open_inference_codec import JSON_LENGTH, decode, metadata_of
from serve.request_body import whole_body
from serve.responses import answer

blueprint = Blueprint("inference", __name__, url_prefix="/v2")

EXTENSIONS = ["binary_tensor_data", "model_repository"]


@blueprint.get("")
def server() -> Response:
    """What answers, and which extensions it knows."""
    return answer({"name": "nudge", "version": version_of("nudge-jax"), "extensions": EXTENSIONS})


@blueprint.get("/models/<name>", defaults={"version": None})
@blueprint.get("/models/<name>/versions/<version>")
def metadata(name: str, version: str | None) -> Response:
    """A model's inputs and outputs."""
    return answer(metadata_of(model_named(name, version)))


@blueprint.get("/models/<name>/ready", defaults={"version": None})
@blueprint.get("/models/<name>/versions/<version>/ready")
def model_ready(name: str, version: str | None) -> Response:
    """200 where the model can answer."""
    return answer({"name": model_named(name, version).name, "ready": True})


@blueprint.post("/repository/index")
def index() -> Response:
    """Every model, and of those that cannot answer the reason."""
    models = registry()
    body = whole_body()
    only_ready = bool(body) and decode(msgspec.json.Decoder(_IndexRequest), body).ready
    found = [
        {"name": name, "version": model.version, "state": "READY", "reason": ""}
        for name, model in sorted(models.models.items())
    ]
    if not only_ready:
        found += [
            {"name": name, "version": "", "state": "UNAVAILABLE", "reason": reason}
            for name, reason in sorted(models.failures.items())
            if name not in models.models
        ]
    return answer(found)


class _IndexRequest(msgspec.Struct):
    ready: bool = False


@blueprint.post("/models/<name>/infer", defaults={"version": None})
@blueprint.post("/models/<name>/versions/<version>/infer")
def infer(name: str, version: str | None) -> Response:
    """The predictions for the rows of one tensor of all columns, or of a tensor for each."""
    body, length = protocol.infer(
        model_named(name, version), whole_body(), request.headers.get(JSON_LENGTH), settings().max_rows
    )
    if length is None:
        return Response(body, mimetype="application/json")
    return Response(body, mimetype="application/octet-stream", headers={JSON_LENGTH: str(length)})
