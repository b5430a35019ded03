"""The service: a Flask application that answers predictions from the checkpoints in a directory.

JAX must not start before gunicorn has forked its workers, so nothing here imports it but create_app, which runs in a
worker.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flask import Flask


class Service(Flask):
    """The application. quick: how requests begin that are answered in less time than it takes to start a thread."""

    quick = (b"GET /predict", b"GET /models/", b"GET /v2/", b"POST /predict", b"POST /models/", b"POST /v2/")


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """The application, its models loaded and compiled, and its directory of checkpoints watched.

    Settings are the defaults, then the environment, then config: those of `serve.settings`, each under its name as
    NUDGE_CHECKPOINTS, NUDGE_MODEL and so on.

    Raises model.CheckpointError where there is nothing to serve, or the default checkpoint cannot be used, and
    serve.settings.SettingError for a wrong setting.

    >>> app = create_app({"NUDGE_CHECKPOINTS": "/nowhere"})
    Traceback (most recent call last):
    model.checkpoint.CheckpointError: /nowhere: expected a checkpoint in it, found none; write one with ...
    """
    from serve import edge, errors, health, metrics, openapi, predict, settings
    from serve import open_inference as inference
    from serve.registry import Registry

    variables = {name: value for name, value in os.environ.items() if name.startswith("NUDGE_")}
    registry = Registry(settings.read(variables | dict(config or {})))
    metrics.follow(registry)
    registry.start()
    registry.watch()
    app = Service(__name__)
    app.config.from_mapping(config or {}, MAX_CONTENT_LENGTH=registry.settings.max_body)
    app.extensions["nudge"] = registry
    for part in (predict, inference, health, metrics, openapi):
        app.register_blueprint(part.blueprint)
    app.before_request(edge.tell_route)
    errors.register(app)
    app.wsgi_app = edge.Edge(app.wsgi_app, registry)  # type: ignore[method-assign]
    return app
