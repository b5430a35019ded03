"""The parts of the OpenAPI document that depend on no model's columns: the protocol, health and metrics."""

from __future__ import annotations

import msgspec

from model.tables.columns import ColumnSpec, NumericColumn
from model.tables.date_columns import DateColumn
from model.tables.date_spelling import describe_date
from serve.loaded_model import Model
from serve.open_inference_codec import JSON_LENGTH, InferRequest, InferResponse, metadata_of
from serve.openapi_parts import (
    BOOLEAN,
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
    ready = {"type": "object", "properties": {"ready": BOOLEAN}}
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
        "/metrics": {"get": operation("metrics", "Metrics.", content("For Prometheus.", TEXT, "text/plain"))},
        "/openapi.json": {"get": operation("openapi", "This document.", content("The document.", document))},
    }


def protocol_schemas() -> Schema:
    """The schemas of the protocol's requests and answers, and of errors."""
    _, components = msgspec.json.schema_components(
        (InferRequest, InferResponse, Error), ref_template="#/components/schemas/{name}"
    )
    schemas: Schema = dict(components)
    schemas["InputTensor"]["properties"]["datatype"] = {"enum": list(DATATYPES)}
    schemas["InputTensor"]["properties"]["shape"]["items"]["minimum"] = 0
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
    versions = sorted({model.version for model in models})
    name, version = _path_parameter("name", names), _path_parameter("version", versions)
    return _paths("", "", models, [name]) | _paths("/versions/{version}", "_version", models, [name, version])


def _path_parameter(name: str, values: list[str]) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": values}}


def _paths(suffix: str, operation_suffix: str, models: list[Model], parameters: list[Schema]) -> Schema:
    base = f"/v2/models/{{name}}{suffix}"
    tensors = array_of(object_of(name=TEXT, datatype={"enum": list(DATATYPES)}, shape=array_of(INTEGER)))
    metadata = object_of(name=TEXT, versions=array_of(TEXT), platform=TEXT, inputs=tensors, outputs=tensors)
    readiness = object_of(name=TEXT, ready={"const": True})
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
