"""The parts of the OpenAPI document that depend on no model's columns: the protocol, health and metrics."""

from __future__ import annotations

import msgspec

from model.tables.columns import ColumnSpec, NumericColumn
from model.tables.date_columns import DateColumn
from model.tables.date_spelling import describe_date
from serve.loaded_model import Model
from serve.model_description import metadata_of
from serve.model_lookup import CURRENT_VERSION
from serve.open_inference_messages import JSON_LENGTH, InferRequest, InferResponse
from serve.openapi_parts import (
    INTEGER,
    TEXT,
    Schema,
    array_of,
    component_name,
    content,
    object_of,
    operation,
    reference,
)
from serve.tensors import DATATYPES

_LENGTH: Schema = {"type": "integer", "minimum": 0}
_BINARY: Schema = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


class Error(msgspec.Struct):
    """A refusal: one sentence that says what was expected and what was found."""

    error: str


def service_paths() -> Schema:
    """The paths that do not contain the name of a model."""
    states = object_of(name=TEXT, version=TEXT, state={"enum": ["READY", "UNAVAILABLE"]}, reason=TEXT)
    ready = {"type": "object", "properties": {"ready": {"type": ["boolean", "null"]}}}
    server = object_of(name=TEXT, version=TEXT, extensions=array_of(TEXT))
    live, readiness = object_of(live={"const": True}), object_of(live={"const": True}, ready={"const": True})
    document = object_of(openapi=TEXT, info={"type": "object"}, paths={"type": "object"})
    return {
        "/v2": {"get": operation("server", "The server.", content("Name, version and extensions.", server))},
        "/v2/health/live": {"get": operation("live", "Whether the process runs.", content("It runs.", live))},
        "/v2/health/ready": {"get": operation("ready", "Whether it can answer.", content("It can.", readiness))},
        "/v2/repository/index": {
            "post": operation(
                "index",
                "All models.",
                content("Names, versions and states.", array_of(states)),
                (400, 413, 415),
                requestBody={"content": {"application/json": {"schema": ready}}},
            )
        },
        "/v2/models/stats": {"get": operation("all_stats", "Statistics.", content("Of all models.", statistics()))},
        "/metrics": {"get": operation("metrics", "Metrics.", content("For Prometheus.", TEXT, "text/plain"))},
        "/openapi.json": {"get": operation("openapi", "This document.", content("The document.", document))},
    }


def statistics() -> Schema:
    """The schema of Triton's statistics of models, which one worker keeps."""
    duration = object_of(count=_LENGTH, ns=_LENGTH)
    names = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")
    counts = ("last_inference", "inference_count", "execution_count")
    model = object_of(
        **{"name": TEXT, "version": TEXT, "inference_stats": object_of(**dict.fromkeys(names, duration))},
        **dict.fromkeys(counts, _LENGTH),
    )
    return object_of(model_stats=array_of(model))


def protocol_schemas() -> Schema:
    """The schemas of the protocol's requests and answers, and of errors."""
    _, components = msgspec.json.schema_components(
        (InferRequest, InferResponse, Error), ref_template="#/components/schemas/{name}"
    )
    schemas: Schema = dict(components)
    schemas["InputTensor"]["properties"]["datatype"] = {"enum": list(DATATYPES)}
    schemas["InputTensor"]["properties"]["shape"] = array_of(_LENGTH, maxItems=8)
    schemas["OutputTensor"]["properties"]["data"] = {"type": "array"}
    return schemas


def _example_value(column: ColumnSpec) -> float | str | None:
    if isinstance(column, DateColumn):
        return describe_date(column.mean, column.style)
    return column.center if isinstance(column, NumericColumn) else next(iter(column.categories), None)


def _example(model: Model) -> Schema:
    """An example of a request for one row."""
    columns = dict(zip(model.checkpoint.columns, model.checkpoint.column_specs, strict=True))
    values = {name: _example_value(column) for name, column in columns.items()}
    inputs = [
        {
            "name": tensor["name"],
            "shape": [1, *tensor["shape"][1:]],
            "datatype": tensor["datatype"],
            "data": list(values.values()) if tensor["shape"][1:] else [values[tensor["name"]]],
        }
        for tensor in metadata_of(model)["inputs"]
    ]
    return {"summary": f"One row for {model.name}.", "value": {"inputs": inputs}}


def model_paths(models: list[Model]) -> Schema:
    """The paths of the protocol that contain the name of a model, without and with its version."""
    names = sorted(model.name for model in models)
    versions = [CURRENT_VERSION, *sorted({model.version for model in models})] if models else []
    name, version = path_parameter("name", names), path_parameter("version", versions)
    return _paths("", "", models, [name]) | _paths("/versions/{version}", "_version", models, [name, version])


def path_parameter(name: str, values: list[str]) -> Schema:
    """A part of a path that has one of some values."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": values}}


def _paths(suffix: str, operation_suffix: str, models: list[Model], parameters: list[Schema]) -> Schema:
    base = f"/v2/models/{{name}}{suffix}"
    tensors = array_of(object_of(name=TEXT, datatype={"enum": list(DATATYPES)}, shape=array_of(INTEGER)))
    metadata = object_of(name=TEXT, versions=array_of(TEXT), platform=TEXT, inputs=tensors, outputs=tensors)
    readiness = object_of(name=TEXT, ready={"const": True})
    configured = array_of(object_of(name=TEXT, data_type=TEXT, dims=array_of(_LENGTH)))
    configuration = object_of(name=TEXT, platform=TEXT, max_batch_size=INTEGER, input=configured, output=configured)
    return {
        base: {
            "get": operation(
                f"model{operation_suffix}",
                "Inputs and outputs of a model.",
                content("Its inputs and outputs.", metadata),
                (404,),
                parameters=parameters,
            )
        },
        f"{base}/ready": {
            "get": operation(
                f"model_ready{operation_suffix}",
                "Whether a model can answer.",
                content("It can.", readiness),
                (404,),
                parameters=parameters,
            )
        },
        f"{base}/config": {
            "get": operation(
                f"model_config{operation_suffix}",
                "Triton's configuration of a model.",
                content("Its configuration.", configuration),
                (404,),
                parameters=parameters,
            )
        },
        f"{base}/stats": {
            "get": operation(
                f"model_stats{operation_suffix}",
                "Statistics of a model, since this worker has loaded it.",
                content("Its statistics.", statistics()),
                (404,),
                parameters=parameters,
            )
        },
        f"{base}/infer": {"post": _infer_operation(f"infer{operation_suffix}", models, parameters)},
    }


def _infer_operation(name: str, models: list[Model], parameters: list[Schema]) -> Schema:
    request = {
        "schema": reference("InferRequest"),
        "examples": {component_name(model): _example(model) for model in models},
    }
    answers = content("The predictions.", reference("InferResponse"))
    answers["content"] |= _BINARY
    answers["headers"][JSON_LENGTH] = {"description": "Of an answer with raw tensors.", "schema": _LENGTH}
    return operation(
        name,
        "Predict rows of tensors.",
        answers,
        (400, 404, 413, 415),
        parameters=[*parameters, {"name": JSON_LENGTH, "in": "header", "schema": _LENGTH}],
        requestBody={"required": True, "content": {"application/json": request, **_BINARY}},
    )
