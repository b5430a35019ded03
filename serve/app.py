"""The application that answers predictions from the checkpoints in a directory.

JAX must not start before gunicorn has forked its workers. So nothing here imports it except `create_app`, which runs in
a worker.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from flask import Flask

from serve.routes import HEALTH_PREFIX, Routes

if TYPE_CHECKING:
    from serve.middleware import Middleware
    from serve.registry import Registry

# One row of a model with so much work takes a third of a millisecond on a core of an AMD EPYC.
MAX_QUICK_WORK = 1_000_000


class Service(Flask):
    """The application. Its worker asks it how to treat a request before it calls it.

    Attributes:
        max_body_bytes: the largest size of a body.
    """

    middleware: Middleware
    registry: Registry

    @property
    def max_body_bytes(self) -> int:
        """The largest size of a body."""
        return self.registry.settings.max_body_bytes

    def is_quick(self, method: str, path: str) -> bool:
        """Whether a request takes so little time that the loop of a worker may answer it.

        Args:
            method: of the request.
            path: as in the request line, without the query.

        Returns:
            True for health, and for a single row of a model with few parameters.
        """
        if method not in ("GET", "HEAD"):
            return False
        if path.startswith(HEALTH_PREFIX):
            return True
        if path == "/predict":
            model = self.registry.default_model
        elif path.startswith("/models/") and path.endswith("/predict"):
            model = self.registry.models.get(unquote(path[len("/models/") : -len("/predict")]))
        else:
            return False
        return model is not None and model.predictor.row_work <= MAX_QUICK_WORK

    def refuses(self, environ: dict[str, Any]) -> bool:
        """Whether the head of a request alone refuses it.

        Args:
            environ: the request. Its body is not read.

        Returns:
            True for a wrong API key, path, method, length or coding. Calling the application then gives that refusal.
        """
        return self.middleware.refuses(environ)


def create_app(config: Mapping[str, Any] | None = None) -> Service:
    """The application, with its models loaded and compiled, and its directory of checkpoints watched.

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
    from serve import errors, health, metrics, middleware, open_inference, openapi, predict, settings
    from serve.registry import Registry
    from serve.statistics import Statistics
    from serve.watcher import Watcher

    variables = {name: value for name, value in os.environ.items() if name.startswith("NUDGE_")}
    registry = Registry(settings.read(variables | dict(config or {})), metrics.counting_listener())
    registry.start()
    watcher = Watcher(registry, metrics.count_notes)
    watcher.start()
    app = Service(__name__, static_folder=None)
    app.config.from_mapping(config or {})
    # No path is redirected: a redirect would go to whatever the client calls the host.
    app.url_map.merge_slashes = app.url_map.redirect_defaults = False
    for part in (predict, open_inference, health, metrics, openapi):
        app.register_blueprint(part.blueprint)
    errors.register(app)
    statistics = Statistics()
    answers = {
        "predict.predict": partial(predict.answer_rows, registry, statistics),
        "open_inference.infer": partial(open_inference.answer_tensors, registry, statistics),
    }
    app.extensions |= {
        "nudge": registry,
        "nudge.watcher": watcher,
        "nudge.answers": answers,
        "nudge.statistics": statistics,
    }
    app.registry = registry
    app.middleware = middleware.Middleware(app.wsgi_app, Routes(app.url_map), registry.settings, answers)
    app.wsgi_app = app.middleware  # type: ignore[method-assign]
    gc.freeze()  # what is loaded stays; looking for garbage in it takes a tenth of a second
    return app
