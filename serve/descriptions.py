"""Blueprint of what the pages show of models: /models.json and /models/NAME/description."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response

from serve.column_description import Description, describe_columns
from serve.loaded_model import Model
from serve.model_lookup import current_registry, find_model
from serve.registry import LOADING, Registry
from serve.responses import json_response
from serve.size_limits import row_limit

blueprint = Blueprint("descriptions", __name__)

# What a page is told of the record of a training, by the names there.
TRAINING_FACTS = (
    *("table", "rows", "held_out", "split", "dropped", "epoch", "epochs", "restarts", "solved", "seed", "loss"),
    *("optimizer", "learning_rate"),
)


@blueprint.get("/models.json")
def models() -> Response:
    """All models: those that answer, those that are being loaded, and those whose files are broken."""
    registry = current_registry()
    names = sorted({*registry.models, *registry.failures})
    summaries = [_summary(name, registry) for name in names]
    return json_response({"models": summaries, "has_learning": registry.settings.learns})


@blueprint.get("/models/<name>/description")
def description(name: str) -> Response:
    """All that a page shows of a model. What the model predicts, the page asks at /models/NAME/predict."""
    registry = current_registry()
    return json_response(describe_model(find_model(name), registry))


def _summary(name: str, registry: Registry) -> Description:
    """A model in the list. `failure` says why it cannot answer, or why the newest file is not what answers."""
    model, failure = registry.models.get(name), registry.failures.get(name)
    state = "ready" if model else "loading" if failure == LOADING else "broken"
    found: Description = {"name": name, "state": state, "is_default": name == registry.default_name}
    if failure and failure != LOADING:
        found["failure"] = failure
    if model:
        checkpoint = model.checkpoint
        found |= {"version": model.version, "task": checkpoint.task, "target": checkpoint.target}
        found |= {"columns": len(checkpoint.columns), "classes": list(checkpoint.classes)}
    return found


def describe_model(model: Model, registry: Registry) -> Description:
    """What a page is told about a model.

    Args:
        model: the model.
        registry: where it is.

    Returns:
        Its name and version, what it predicts, its columns, how good it is and how it was trained.
    """
    checkpoint, settings = model.checkpoint, registry.settings
    ends = [checkpoint.target_scaling.minimum, checkpoint.target_scaling.maximum]
    return {
        "name": model.name,
        "version": model.version,
        "is_default": model.name == registry.default_name,
        "has_learning": settings.learns,
        "loaded_at": datetime.fromtimestamp(model.loaded_at, UTC).isoformat(timespec="seconds"),
        "task": checkpoint.task,
        "target": checkpoint.target,
        "target_range": None if None in ends else ends,
        "classes": list(checkpoint.classes),
        "class_names": [str(name) for name in checkpoint.classes],
        "threshold": checkpoint.threshold if len(checkpoint.classes) == 2 else None,
        "has_spread": checkpoint.member_count > 1,
        "has_interval": bool(checkpoint.residuals.margin),
        "columns": describe_columns(model),
        "metrics": _metrics(model),
        "training": _training(model),
        "needs_key": bool(settings.api_keys),
        "limits": {"rows": row_limit(model, settings.max_rows), "bytes": settings.max_body_bytes},
    }


def _metrics(model: Model) -> list[Description]:
    record = model.checkpoint.training
    return [
        {
            "name": name,
            "value": value,
            "interval": list(record.intervals[name]) if name in record.intervals else None,
            "baseline": record.baseline.get(name),
        }
        for name, value in record.metrics.items()
    ]


def _training(model: Model) -> Description:
    checkpoint = model.checkpoint
    record = checkpoint.training
    networks = [
        {
            "sizes": list(members.network.sizes),
            "activation": members.network.activation,
            "count": members.size,
            "sees_bins": members.bins is not None,
        }
        for members in checkpoint.ensemble
    ]
    facts: dict[str, Any] = {name: getattr(record, name) for name in TRAINING_FACTS}
    return {**facts, "is_file": bool(record.table_digest), "networks": networks}
