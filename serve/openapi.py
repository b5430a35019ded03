"""Blueprint /openapi.json: the service as OpenAPI 3.1, with the columns of the models that are loaded."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

import msgspec
from flask import Blueprint, Response

from model.columns import Category, Number
from model.values import MISSING
from serve.answers import answer
from serve.models import registry
from serve.protocol import JSON_LENGTH, InferRequest, InferResponse
from serve.registry import Model, Registry

blueprint = Blueprint("openapi", __name__)

Schema = dict[str, Any]
MOST = 3.4e38


class Error(msgspec.Struct):
    """What every refusal is. error: one sentence with what was expected and what was found."""

    error: str


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The document."""
    return answer(document(registry()))


def document(models: Registry) -> Schema:
    """The service as it is now."""
    _, components = msgspec.json.schema_components(
        (InferRequest, InferResponse, Error), ref_template="#/components/schemas/{name}"
    )
    schemas: Schema = dict(components)
    paths: Schema = {}
    for model in models.models.values():
        schemas |= _schemas(model)
        paths[f"/models/{_path(model.name)}/predict"] = _predict(model, f"predict_{model.name}")
    if models.default_model:
        paths["/predict"] = _predict(models.default_model, "predict")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Nudge",
            "version": version_of("nudge"),
            "description": "Predictions of small neural networks, and the Open Inference Protocol, version 2.",
        },
        "paths": paths | _protocol(sorted(models.models), [model.version for model in models.models.values()]),
        "components": {
            "schemas": schemas,
            "responses": {"Error": _content("What is wrong, in one sentence.", _reference("Error"))},
            **({"securitySchemes": _SECURITY} if models.settings.api_keys else {}),
        },
        **({"security": [{"key": []}, {"bearer": []}]} if models.settings.api_keys else {}),
    }


_SECURITY = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def _path(name: str) -> str:
    return name.replace("{", "%7B").replace("}", "%7D")


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(description: str, schema: Schema, kind: str = "application/json") -> Schema:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _operation(name: str, summary: str, answers: Schema, **rest: Any) -> Schema:
    error = {"$ref": "#/components/responses/Error"}
    return {"operationId": name, "summary": summary, **rest, "responses": {"200": answers, "default": error}}


def _predict(model: Model, name: str) -> Schema:
    columns = zip(model.checkpoint.columns, model.checkpoint.scaling, strict=True)
    row, answers = _reference(f"{model.name}.row"), _reference(f"{model.name}.answer")
    rows = {"oneOf": [row, {"type": "array", "items": row, "maxItems": 100_000}]}
    answers_of_rows = {"oneOf": [answers, {"type": "array", "items": answers}]}
    return {
        "get": _operation(
            f"{name}_row",
            f"Predict {model.checkpoint.target} of one row.",
            _content("The prediction.", answers),
            parameters=[
                {"name": column, "in": "query", "required": not kind.missing, "schema": _query_value(kind)}
                for column, kind in columns
            ],
        ),
        "post": _operation(
            f"{name}_rows",
            f"Predict {model.checkpoint.target} of a row, or of several.",
            _content("The prediction, or an array of them.", answers_of_rows),
            requestBody={"required": True, "content": {"application/json": {"schema": rows}}},
        ),
    }


def _schemas(model: Model) -> Schema:
    columns = dict(zip(model.checkpoint.columns, model.checkpoint.scaling, strict=True))
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
        "multiclass": {"type": "object", "properties": {str(name): chance for name in classes}},
        "regression": {"type": "number"},
    }
    properties: Schema = {"prediction": predictions[model.checkpoint.network.task]}
    if classes:
        properties["label"] = {"enum": classes}
    if model.checkpoint.members > 1:
        properties["spread"] = {"type": "number", "minimum": 0}
    properties |= {"model": {"type": "string"}, "version": {"type": "string"}}
    answers = {"type": "object", "properties": properties, "required": list(properties)}
    return {f"{model.name}.row": row, f"{model.name}.answer": answers}


def _json_value(column: Number | Category) -> Schema:
    if isinstance(column, Number):
        value: Schema = {"type": "number", "minimum": -MOST, "maximum": MOST}
        if column.least is not None and column.most is not None:
            value["description"] = f"{column.least:g} to {column.most:g} in training"
    elif column.boolean:
        value = {"enum": [True, False, "true", "false"]}
    else:
        value = {"enum": list(column.categories)}
    return {"anyOf": [value, {"type": "null"}]} if column.missing else value


def _query_value(column: Number | Category) -> Schema:
    if isinstance(column, Number):
        value: Schema = {"type": "number", "minimum": -MOST, "maximum": MOST}
    else:
        value = {"type": "string", "enum": list(column.categories)}
    return {"anyOf": [value, {"enum": list(MISSING)}]} if column.missing else value


def _protocol(names: list[str], versions: list[str]) -> Schema:
    """The paths of the Open Inference Protocol."""
    of_model = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string", "enum": names}}]
    version = {"name": "version", "in": "path", "required": True, "schema": {"type": "string", "enum": versions}}
    any_object = {"type": "object"}
    length = {"name": JSON_LENGTH, "in": "header", "schema": {"type": "integer", "minimum": 0}}
    binary = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    paths: Schema = {
        "/v2": {"get": _operation("server", "What answers.", _content("Name and extensions.", any_object))},
        "/v2/health/live": {"get": _operation("live", "Whether it lives.", _content("It does.", any_object))},
        "/v2/health/ready": {"get": _operation("ready", "Whether it can answer.", _content("It can.", any_object))},
        "/v2/repository/index": {
            "post": _operation(
                "index",
                "All models.",
                _content("Names, versions and states.", {"type": "array", "items": any_object}),
                requestBody={
                    "content": {
                        "application/json": {"schema": {"type": "object", "properties": {"ready": {"type": "boolean"}}}}
                    }
                },
            )
        },
        "/metrics": {
            "get": _operation("metrics", "Prometheus.", _content("Numbers.", {"type": "string"}, "text/plain"))
        },
        "/openapi.json": {"get": _operation("openapi", "This document.", _content("It.", any_object))},
    }
    for suffix, name, parameters in (("", "", of_model), ("/versions/{version}", "_version", [*of_model, version])):
        base = f"/v2/models/{{name}}{suffix}"
        answers = _content("The predictions.", _reference("InferResponse"))
        answers["content"] |= binary
        paths[base] = {
            "get": _operation(
                f"model{name}", "Inputs and outputs.", _content("They.", any_object), parameters=parameters
            )
        }
        paths[f"{base}/ready"] = {
            "get": _operation(
                f"model_ready{name}", "Whether it can.", _content("It can.", any_object), parameters=parameters
            )
        }
        paths[f"{base}/infer"] = {
            "post": _operation(
                f"infer{name}",
                "Predict rows of tensors.",
                answers,
                parameters=[*parameters, length],
                requestBody={
                    "required": True,
                    "content": {"application/json": {"schema": _reference("InferRequest")}, **binary},
                },
            )
        }
    return paths
