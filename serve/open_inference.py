"""Blueprint /v2: the Open Inference Protocol, REST, with binary tensors and Triton's repository index."""

from __future__ import annotations

from importlib.metadata import version as version_of

import msgspec
from flask import Blueprint, Response, request

from serve.model_lookup import current_registry, current_settings, find_model
from serve.open_inference_codec import JSON_LENGTH, decode_request, metadata_of, predict_tensors
from serve.request_body import read_body
from serve.responses import json_response

blueprint = Blueprint("open_inference", __name__, url_prefix="/v2")

EXTENSIONS = ["binary_tensor_data", "model_repository"]


@blueprint.get("")
def server() -> Response:
    """The server's name, its version and the extensions that it knows."""
    return json_response({"name": "nudge", "version": version_of("nudge-jax"), "extensions": EXTENSIONS})


@blueprint.get("/models/<name>", defaults={"version": None})
@blueprint.get("/models/<name>/versions/<version>")
def metadata(name: str, version: str | None) -> Response:
    """The names, datatypes and shapes of a model's inputs and outputs."""
    return json_response(metadata_of(find_model(name, version)))


@blueprint.get("/models/<name>/ready", defaults={"version": None})
@blueprint.get("/models/<name>/versions/<version>/ready")
def model_ready(name: str, version: str | None) -> Response:
    """200 if the model can answer."""
    return json_response({"name": find_model(name, version).name, "ready": True})


@blueprint.post("/repository/index")
def index() -> Response:
    """Every model, with the reason if it cannot answer."""
    registry = current_registry()
    body = read_body()
    only_ready = bool(body) and decode_request(msgspec.json.Decoder(_IndexRequest), body).ready
    entries = [
        {"name": name, "version": model.version, "state": "READY", "reason": ""}
        for name, model in sorted(registry.models.items())
    ]
    if not only_ready:
        entries += [
            {"name": name, "version": "", "state": "UNAVAILABLE", "reason": reason}
            for name, reason in sorted(registry.failures.items())
            if name not in registry.models
        ]
    return json_response(entries)


class _IndexRequest(msgspec.Struct):
    ready: bool = False


@blueprint.post("/models/<name>/infer", defaults={"version": None})
@blueprint.post("/models/<name>/versions/<version>/infer")
def infer(name: str, version: str | None) -> Response:
    """Predict rows, which come as one tensor of all columns or as one tensor per column."""
    body, json_length = predict_tensors(
        find_model(name, version), read_body(), request.headers.get(JSON_LENGTH), current_settings().max_rows
    )
    if json_length is None:
        return Response(body, mimetype="application/json")
    return Response(body, mimetype="application/octet-stream", headers={JSON_LENGTH: str(json_length)})
