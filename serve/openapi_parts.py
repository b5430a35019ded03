"""The parts from which the OpenAPI document is built: schemas, answers and operations."""

from __future__ import annotations

import re
from typing import Any

from serve.loaded_model import Model

Schema = dict[str, Any]
TEXT, INTEGER = {"type": "string"}, {"type": "integer"}
COMMON_HEADERS = {
    "X-Request-ID": {
        "description": "The ID of the request if it is valid, and otherwise a new one.",
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9_.:/+=@-]{1,128}$"},
    },
    "traceparent": {
        "description": "The traceparent of the request, if that has a valid one (W3C Trace Context).",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"},
    },
}
REFUSAL: Schema = {"$ref": "#/components/responses/Error"}


def component_name(model: Model) -> str:
    """The name of a model's component. It has only the characters that such names may have."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", model.name)
    return plain if plain == model.name else f"{plain}.{model.version}"


def reference(name: str) -> Schema:
    """A reference to the schema of a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def content(description: str, schema: Schema, mimetype: str = "application/json") -> Schema:
    """An answer with a body of the schema."""
    return {"description": description, "headers": dict(COMMON_HEADERS), "content": {mimetype: {"schema": schema}}}


def object_of(**properties: Schema) -> Schema:
    """The schema of an object that has all of these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def array_of(items: Schema, **rest: Any) -> Schema:
    """The schema of an array."""
    return {"type": "array", "items": items, **rest}


def operation(name: str, summary: str, answers: Schema, refusals: tuple[int, ...] = (), **rest: Any) -> Schema:
    """An operation with its answer and the statuses of its refusals. Any operation can also fail with a 5XX."""
    responses = {"200": answers, **{str(status): REFUSAL for status in refusals}, "5XX": REFUSAL}
    return {"operationId": name, "summary": summary, **rest, "responses": responses}
