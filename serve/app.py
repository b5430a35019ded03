"""The application that answers predictions from the checkpoints in a directory.

JAX must not start before gunicorn has forked its workers. So nothing here imports it except `create_app`, which runs in
a worker.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flask import Flask


class Service(Flask):
    """The application.

    Attributes:
        quick_requests: the beginnings of requests that take less time than to start a thread. The worker's loop answers
            them itself.
    """

    quick_requests = (b"GET /predict", b"GET /models/", b"GET /v2/", b"POST /predict", b"POST /models/", b"POST /v2/")


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """The application, with its default model loaded. A thread loads the others, compiles, and watches the directory.

    Args:
        config: settings by the names of their variables, such as NUDGE_CHECKPOINTS. They override the environment,
            which overrides the defaults. See `serve.settings`.

    Returns:
        The application, for any WSGI server.

    Raises:
        model.CheckpointError: if there is nothing to serve, or if the default checkpoint cannot be used.
        serve.settings.SettingError: if a setting is wrong.

    Example:
        >>> app = create_app({"NUDGE_CHECKPOINTS": "/nowhere"})
        Traceback (most recent call last):
        model.checkpoint.CheckpointError: /nowhere: expected a checkpoint in it, found none; write one with ...
    """
    from model.inference import keep_programs
    from serve import errors, fast_path, health, metrics, middleware, open_inference, openapi, predict, settings
    from serve.registry import Registry
    from serve.watcher import Watcher

    variables = {name: value for name, value in os.environ.items() if name.startswith("NUDGE_")}
    registry = Registry(settings.read(variables | dict(config or {})), metrics.note_failure)
    registry.start()
    if registry.settings.shared_directory:  # a process of gunicorn's own; another one's cache is its own affair
        keep_programs(registry.settings.shared_directory / "programs")
    publisher = metrics.Publisher(registry)
    watcher = Watcher(registry, publisher.publish)
    watcher.start()
    app = Service(__name__)
    app.config.from_mapping(config or {}, MAX_CONTENT_LENGTH=registry.settings.max_body_bytes)
    app.extensions |= {"nudge": registry, "nudge.watcher": watcher, "nudge.publisher": publisher}
    for part in (predict, open_inference, health, metrics, openapi):
        app.register_blueprint(part.blueprint)
    app.before_request(middleware.note_route)
    errors.register(app)
    app.wsgi_app = middleware.Middleware(  # type: ignore[method-assign]
        app.wsgi_app, registry.settings, fast_path.FastPath(registry)
    )
    return app
