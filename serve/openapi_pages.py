"""The parts of the OpenAPI document for what the pages ask about models."""

from __future__ import annotations

from serve.loaded_model import Model
from serve.openapi_parts import INTEGER, TEXT, Schema, array_of, content, object_of, operation
from serve.openapi_protocol import path_parameter

NUMBER, FLAG = {"type": "number"}, {"type": "boolean"}
TASK, CLASSES = {"enum": ["binary", "multiclass", "regression"]}, {"type": "array"}
PAIR = {"type": ["array", "null"], "items": NUMBER, "minItems": 2, "maxItems": 2}


def description_paths(models: list[Model]) -> Schema:
    """The paths of the list of models and of the description of each.

    Args:
        models: those that are loaded.

    Returns:
        Two paths.
    """
    state = {"enum": ["ready", "loading", "broken"]}
    summary = object_of(name=TEXT, state=state, is_default=FLAG)
    summary["properties"] |= {"failure": TEXT, "version": TEXT, "task": TASK, "target": TEXT}
    summary["properties"] |= {"classes": CLASSES, "columns": INTEGER}
    listed = object_of(models=array_of(summary), has_learning=FLAG)
    name = path_parameter("name", sorted(model.name for model in models))
    return {
        "/models.json": {"get": operation("models", "All models.", content("All models, by their names.", listed))},
        "/models/{name}/description": {
            "get": operation(
                "description",
                "What a model is: its columns, metrics and training.",
                content("All that the page of the model shows, except predictions.", _description()),
                (404,),
                parameters=[name],
            )
        },
    }


def _description() -> Schema:
    ends = {"low": NUMBER, "high": NUMBER, "is_known": FLAG, "is_whole": FLAG}
    common = {"name": TEXT, "takes_missing": FLAG, "values": {"type": "array"}}
    columns: list[Schema] = [
        object_of(**common, kind={"const": "number"}, usual=NUMBER, unit=TEXT, **ends),
        object_of(
            **common,
            kind={"const": "date"},
            usual=TEXT,
            style={"enum": ["day", "month", "time"]},
            has_times=FLAG,
            **ends,
        ),
        object_of(**common, kind={"const": "category"}, usual=TEXT, takes_others=FLAG, shares=array_of(NUMBER)),
    ]
    metric = object_of(name=TEXT, value=NUMBER, interval=PAIR, baseline={"type": ["number", "null"]})
    return object_of(
        name=TEXT,
        version=TEXT,
        task=TASK,
        target=TEXT,
        classes=CLASSES,
        threshold={"type": ["number", "null"]},
        columns=array_of({"oneOf": columns}),
        metrics=array_of(metric),
        training={"type": "object"},
        loaded_at={"type": "string", "format": "date-time"},
    )
