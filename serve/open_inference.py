"""Blueprint /v2: the Open Inference Protocol, REST, with binary tensors and Triton's repository index."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

import msgspec
from flask import Blueprint, Response, current_app, request

from model.checkpoint import SUFFIX
from model.messages import quote
from serve.errors import RequestError
from serve.model_description import config_of, metadata_of
from serve.model_lookup import current_registry, current_settings, find_model
from serve.open_inference_codec import predict_tensors
from serve.open_inference_messages import JSON_LENGTH, decode_request
from serve.registry import Registry
from serve.request_body import read_body
from serve.responses import OCTETS, Answer, json_response, to_response
from serve.statistics import Statistics, Watch

blueprint = Blueprint("open_inference", __name__, url_prefix="/v2")

EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"]


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
    body = read_body(request.environ, registry.settings.max_body_bytes)
    only_ready = bool(body and decode_request(msgspec.json.Decoder(_IndexRequest), body).ready)
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
    ready: bool | None = None


@blueprint.post("/models/<name>/infer", defaults={"version": None})
@blueprint.post("/models/<name>/versions/<version>/infer")
def infer(**arguments: Any) -> Response:
    """Predict rows, which come as one tensor of all columns or as one tensor per column."""
    return to_response(current_app.extensions["nudge.answers"][request.endpoint](request.environ, **arguments))


def answer_tensors(
    registry: Registry, statistics: Statistics, environ: dict[str, Any], name: str, version: str | None
) -> Answer:
    """Answer a request for predictions of the rows in tensors.

    Args:
        registry: the models.
        statistics: where the request is counted.
        environ: the request.
        name: the name of the model.
        version: its version, as in `find_model`.

    Raises:
        RequestError: if the request does not fit the model, or if the model cannot answer.
    """
    model, settings = find_model(name, version, registry), registry.settings
    with Watch(statistics, model) as watch:
        body = read_body(environ, settings.max_body_bytes)
        json_length = environ.get("HTTP_INFERENCE_HEADER_CONTENT_LENGTH")
        answer, answer_json_length = predict_tensors(model, body, json_length, settings.max_rows, watch)
        if answer_json_length is None:
            return Answer(answer)
        return Answer(answer, [*OCTETS, (JSON_LENGTH, str(answer_json_length))])


@blueprint.get("/models/<name>/config", defaults={"version": None})
@blueprint.get("/models/<name>/versions/<version>/config")
def config(name: str, version: str | None) -> Response:
    """Triton's configuration of a model."""
    return json_response(config_of(find_model(name, version), current_settings().max_rows))


@blueprint.get("/models/stats", defaults={"name": None, "version": None})
@blueprint.get("/models/<name>/stats", defaults={"version": None})
@blueprint.get("/models/<name>/versions/<version>/stats")
def stats(name: str | None, version: str | None) -> Response:
    """Triton's statistics, of a model or of all, since this worker has loaded them."""
    models = [find_model(name, version)] if name else list(current_registry().models.values())
    statistics: Statistics = current_app.extensions["nudge.statistics"]
    return json_response(statistics.describe(models))


@blueprint.post("/repository/models/<name>/load")
@blueprint.post("/repository/models/<name>/unload")
def load(name: str) -> Response:
    """Triton's way to load and unload models, which this service does not have."""
    expected = "models were expected to come and go as files, and a request to load or unload one was found"
    raise RequestError(f"{expected}; put {quote(name + SUFFIX)} into the directory of checkpoints, or remove it")
