"""The service: a Flask application that answers predictions from a checkpoint.

JAX must not start before gunicorn has forked its workers, so nothing here imports it but create_app, which runs in a
worker.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask.json.provider import DefaultJSONProvider

# The largest request body, in bytes.
MAX_BODY = 1024 * 1024


class _Json(DefaultJSONProvider):
    """JSON in the order of the code, and in UTF-8."""

    sort_keys = False
    ensure_ascii = False


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """The application, its model loaded and compiled.

    Settings are the defaults, then the environment, then config: NUDGE_CHECKPOINTS, the directory of checkpoints
    (checkpoints), and NUDGE_MODEL, the name of the one to serve (the only one in it, or xor). An empty variable of the
    environment counts as unset.

    Raises model.CheckpointError where there is nothing to serve, or the checkpoint cannot be used.

    >>> app = create_app({"NUDGE_CHECKPOINTS": "/nowhere"})
    Traceback (most recent call last):
    model.checkpoint.CheckpointError: /nowhere: expected a checkpoint in it, found none; write one with ...
    """
    from serve import errors, health, predict, registry

    app = Flask(__name__)
    app.config.from_mapping(NUDGE_CHECKPOINTS="checkpoints", NUDGE_MODEL=None, MAX_CONTENT_LENGTH=MAX_BODY)
    app.config.from_mapping({name: value for name, value in os.environ.items() if name.startswith("NUDGE_") and value})
    app.config.from_mapping(config or {})
    app.json = _Json(app)
    app.extensions["nudge"] = registry.load_model(app.config["NUDGE_CHECKPOINTS"], app.config["NUDGE_MODEL"])
    app.register_blueprint(predict.blueprint)
    app.register_blueprint(health.blueprint)
    errors.register(app)
    return app
