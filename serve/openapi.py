"""Blueprint /openapi.json: the service as OpenAPI 3.1, with the columns of the models that are loaded."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from typing import Any
from urllib.parse import quote

import msgspec
from flask import Blueprint, Response

from model.tables.columns import BEYOND_FLOAT32, CategoricalColumn, ColumnSpec, NumericColumn
from model.tables.parsing import MISSING
from serve.model_lookup import registry
from serve.open_inference_codec import JSON_LENGTH, InferRequest, InferResponse, metadata_of
from serve.registry import Model, Registry
from serve.responses import answer
from serve.tensors import DATATYPES

blueprint = Blueprint("openapi", __name__)

Schema = dict[str, Any]
REQUEST_ID = {
    "X-Request-ID": {
        "description": "The request's own, where it has a fit one, and else a new one.",
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9_.:/+=@-]{1,128}$"},
    }
}
TEXT, TRUTH, WHOLE = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}


class Error(msgspec.Struct):
    """What every refusal is. error: one sentence with what was expected and what was found."""

    error: str


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The document."""
    return answer(document(registry()))


def document(models: Registry) -> Schema:
    """The service as it is now."""
    secured = bool(models.settings.api_keys)
    schemas = _protocol_schemas()
    paths: Schema = {}
    for model in models.models.values():
        name = _component(model)
        schemas |= _schemas(model, name)
        paths[f"/models/{quote(model.name, safe='')}/predict"] = _predict(
            model, name, f"predict_{name}", models.settings.max_rows, (400, 404)
        )
    if models.default_model:
        name = _component(models.default_model)
        paths["/predict"] = _predict(models.default_model, name, "predict", models.settings.max_rows, (400,))
    paths |= _service() | _protocol(list(models.models.values()))
    for path, operations in paths.items():
        for operation in operations.values() if secured else ():
            if path.startswith("/v2/health/"):
                operation["security"] = []
            else:
                operation["responses"]["401"] = _REFUSAL
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Nudge",
            "version": version_of("nudge-jax"),
            "description": "Predictions of small neural networks, and the Open Inference Protocol, version 2.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Error": _content("What is wrong, in one sentence.", _reference("Error"))},
            **({"securitySchemes": _SECURITY} if secured else {}),
        },
        **({"security": [{"key": []}, {"bearer": []}]} if secured else {}),
    }


_SECURITY = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
_REFUSAL = {"$ref": "#/components/responses/Error"}


def _component(model: Model) -> str:
    """A model's name in the names of components, which have no other characters."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", model.name)
    return plain if plain == model.name else f"{plain}.{model.version}"


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(description: str, schema: Schema, kind: str = "application/json") -> Schema:
    return {"description": description, "headers": dict(REQUEST_ID), "content": {kind: {"schema": schema}}}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _array(items: Schema, **rest: Any) -> Schema:
    return {"type": "array", "items": items, **rest}


def _operation(name: str, summary: str, answers: Schema, refusals: tuple[int, ...] = (), **rest: Any) -> Schema:
    """An operation with its answer, the statuses of what it refuses, and those of a service that cannot answer."""
    responses = {"200": answers, **{str(status): _REFUSAL for status in refusals}, "5XX": _REFUSAL}
    return {"operationId": name, "summary": summary, **rest, "responses": responses}


def _predict(model: Model, component: str, name: str, max_rows: int, refusals: tuple[int, ...]) -> Schema:
    columns = zip(model.checkpoint.columns, model.checkpoint.column_specs, strict=True)
    row, answers = _reference(f"{component}.row"), _reference(f"{component}.answer")
    rows = {"oneOf": [row, _array(row, maxItems=max_rows)]}
    return {
        "get": _operation(
            f"{name}_row",
            f"Predict {model.checkpoint.target} of one row.",
            _content("The prediction.", answers),
            refusals,
            parameters=[
                {"name": column, "in": "query", "required": not kind.missing, "schema": _query_value(kind)}
                for column, kind in columns
            ],
        ),
        "post": _operation(
            f"{name}_rows",
            f"Predict {model.checkpoint.target} of a row, or of several.",
            _content("The prediction, or an array of them.", {"oneOf": [answers, _array(answers)]}),
            (*refusals, 413, 415),
            requestBody={"required": True, "content": {"application/json": {"schema": rows}}},
        ),
    }


def _schemas(model: Model, component: str) -> Schema:
    columns = dict(zip(model.checkpoint.columns, model.checkpoint.column_specs, strict=True))
    row = {
        "type": "object",
        "properties": {name: _json_value(column) for name, column in columns.items()},
        "required": [name for name, column in columns.items() if not column.missing],
        "additionalProperties": False,
    }
    classes = list(model.checkpoint.classes)
    chance = {"type": "number", "minimum": 0, "maximum": 1}
    predictions = {
        "binary": chance,
        "multiclass": _object(**{str(name): chance for name in classes}),
        "regression": {"type": "number"},
    }
    properties: Schema = {"prediction": predictions[model.checkpoint.network.task]}
    if classes:
        properties["label"] = {"enum": classes}
    if model.checkpoint.members > 1:
        properties["spread"] = {"type": "number", "minimum": 0}
    answers = _object(**properties, model={"const": model.name}, version=TEXT)
    return {f"{component}.row": row, f"{component}.answer": answers}


def _number(column: NumericColumn) -> Schema:
    value: Schema = {"type": "number", "exclusiveMinimum": -BEYOND_FLOAT32, "exclusiveMaximum": BEYOND_FLOAT32}
    if column.minimum is not None and column.maximum is not None:
        value["description"] = f"{column.minimum:g} to {column.maximum:g} in training"
    return value


def _json_value(column: ColumnSpec) -> Schema:
    if isinstance(column, NumericColumn):
        return {"anyOf": [_number(column), {"type": "null"}]} if column.missing else _number(column)
    texts = [*column.categories, *MISSING] if column.missing else [*column.categories]
    truths = [text == "true" for text in column.categories] if column.boolean else []
    return {"enum": [*texts, *truths, *([None] if column.missing else [])]}


def _query_value(column: ColumnSpec) -> Schema:
    missing = list(MISSING) if column.missing else []
    if isinstance(column, CategoricalColumn):
        return {"type": "string", "enum": [*column.categories, *missing]}
    return {"anyOf": [_number(column), {"enum": missing}]} if missing else _number(column)


def _service() -> Schema:
    """The paths that do not depend on a model."""
    states = _object(name=TEXT, version=TEXT, state={"enum": ["READY", "UNAVAILABLE"]}, reason=TEXT)
    ready = {"type": "object", "properties": {"ready": TRUTH}}
    server = _object(name=TEXT, version=TEXT, extensions=_array(TEXT))
    live, can = _object(live={"const": True}), _object(live={"const": True}, ready={"const": True})
    document = _object(openapi=TEXT, info={"type": "object"}, paths={"type": "object"})
    return {
        "/v2": {"get": _operation("server", "What answers.", _content("Name and extensions.", server))},
        "/v2/health/live": {"get": _operation("live", "Whether it lives.", _content("It does.", live))},
        "/v2/health/ready": {"get": _operation("ready", "Whether it can answer.", _content("It can.", can))},
        "/v2/repository/index": {
            "post": _operation(
                "index",
                "All models.",
                _content("Names, versions and states.", _array(states)),
                (400, 413, 415),
                requestBody={"content": {"application/json": {"schema": ready}}},
            )
        },
        "/metrics": {"get": _operation("metrics", "Prometheus.", _content("Numbers.", TEXT, "text/plain"))},
        "/openapi.json": {"get": _operation("openapi", "This document.", _content("It.", document))},
    }


def _protocol_schemas() -> Schema:
    _, components = msgspec.json.schema_components(
        (InferRequest, InferResponse, Error), ref_template="#/components/schemas/{name}"
    )
    schemas: Schema = dict(components)
    schemas["InputTensor"]["properties"]["datatype"] = {"enum": list(DATATYPES)}
    schemas["InputTensor"]["properties"]["shape"]["items"]["minimum"] = 0
    return schemas


def _example(model: Model) -> Schema:
    """A request for the prediction of a row."""
    columns = dict(zip(model.checkpoint.columns, model.checkpoint.column_specs, strict=True))
    values = {
        name: column.mean if isinstance(column, NumericColumn) else next(iter(column.categories), None)
        for name, column in columns.items()
    }
    inputs = [
        {
            "name": each["name"],
            "shape": [1, *each["shape"][1:]],
            "datatype": each["datatype"],
            "data": list(values.values()) if each["shape"][1:] else [values[each["name"]]],
        }
        for each in metadata_of(model)["inputs"]
    ]
    return {"summary": f"A row for {model.name}.", "value": {"inputs": inputs}}


def _protocol(models: list[Model]) -> Schema:
    """The paths of the Open Inference Protocol that name a model."""
    names = sorted(model.name for model in models)
    versions = sorted({model.version for model in models})
    of_model = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string", "enum": names}}]
    version = {"name": "version", "in": "path", "required": True, "schema": {"type": "string", "enum": versions}}
    length = {"type": "integer", "minimum": 0}
    binary = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    tensors = _array(_object(name=TEXT, datatype={"enum": list(DATATYPES)}, shape=_array(WHOLE)))
    metadata = _object(name=TEXT, versions=_array(TEXT), platform=TEXT, inputs=tensors, outputs=tensors)
    ready = _object(name=TEXT, ready={"const": True})
    request = {
        "schema": _reference("InferRequest"),
        "examples": {_component(model): _example(model) for model in models},
    }
    answers = _content("The predictions.", _reference("InferResponse"))
    answers["content"] |= binary
    answers["headers"][JSON_LENGTH] = {"description": "Of an answer with raw tensors.", "schema": length}
    paths: Schema = {}
    for suffix, name, parameters in (("", "", of_model), ("/versions/{version}", "_version", [*of_model, version])):
        base = f"/v2/models/{{name}}{suffix}"
        shared: Schema = {"refusals": (404,), "parameters": parameters}
        paths[base] = {"get": _operation(f"model{name}", "Inputs and outputs.", _content("They.", metadata), **shared)}
        paths[f"{base}/ready"] = {
            "get": _operation(f"model_ready{name}", "Whether it can.", _content("It can.", ready), **shared)
        }
        paths[f"{base}/infer"] = {
            "post": _operation(
                f"infer{name}",
                "Predict rows of tensors.",
                answers,
                (400, 404, 413, 415),
                parameters=[*parameters, {"name": JSON_LENGTH, "in": "header", "schema": length}],
                requestBody={
                    "required": True,
                    "content": {"application/json": request, **binary},
                },
            )
        }
    return paths
