"""Blueprint /openapi.json: the service as OpenAPI 3.1, with the columns of the models that are loaded."""

from __future__ import annotations

from importlib.metadata import version as version_of
from urllib.parse import quote

from flask import Blueprint, Response

from serve.model_lookup import current_registry
from serve.openapi_learn import learn_paths, learn_schemas
from serve.openapi_models import model_schemas, predict_operations
from serve.openapi_pages import description_paths
from serve.openapi_parts import REFUSAL, Schema, component_name, content, reference
from serve.openapi_protocol import model_paths, protocol_schemas, service_paths
from serve.registry import Registry
from serve.responses import json_response
from serve.size_limits import row_limit

blueprint = Blueprint("openapi", __name__)

_SECURITY_SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The document."""
    return json_response(document(current_registry()))


def document(registry: Registry) -> Schema:
    """The OpenAPI document of the service with the models of a registry."""
    is_secured = bool(registry.settings.api_keys)
    schemas = protocol_schemas()
    paths: Schema = {}
    for model in registry.models.values():
        name, max_rows = component_name(model), row_limit(model, registry.settings.max_rows)
        schemas |= model_schemas(model, name)
        path = f"/models/{quote(model.name, safe='')}/predict"
        paths[path] = predict_operations(model, name, f"predict_{name}", max_rows, (400, 404))
    if registry.default_model:
        model = registry.default_model
        name, max_rows = component_name(model), row_limit(model, registry.settings.max_rows)
        paths["/predict"] = predict_operations(model, name, "predict", max_rows, (400,))
    models = list(registry.models.values())
    paths |= service_paths() | model_paths(models)
    if registry.settings.has_pages:
        paths |= description_paths(models)
    if registry.settings.learns:
        schemas |= learn_schemas()
        paths |= learn_paths()
    if is_secured:
        _secure(paths)
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
            "responses": {"Error": content("What is wrong, in one sentence.", reference("Error"))},
            **({"securitySchemes": _SECURITY_SCHEMES} if is_secured else {}),
        },
        **({"security": [{"key": []}, {"bearer": []}]} if is_secured else {}),
    }


def _secure(paths: Schema) -> None:
    """Add to each operation whether it needs a key."""
    for path, operations in paths.items():
        for operation in operations.values():
            if path.startswith("/v2/health/"):
                operation["security"] = []
            else:
                operation["responses"]["401"] = REFUSAL
