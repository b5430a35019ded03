"""The application that answers predictions from the checkpoints in a directory.

JAX must not start before gunicorn has forked its workers. So nothing here imports it except `create_app`, which runs in
a worker.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from flask import Flask

from model.messages import refusing_variables_of_jax
from serve.routes import HEALTH_PREFIX, LEARN_PREFIX, Routes

if TYPE_CHECKING:
    from serve.loaded_model import Model
    from serve.middleware import Middleware
    from serve.registry import Registry
    from serve.responses import Answer
    from serve.settings import Settings
    from serve.statistics import Statistics

# Rows of a model with so much work together take a third of a millisecond on a core of an AMD EPYC.
MAX_QUICK_WORK = 1_000_000
# The longest body of a quick request: of numbers, and of texts and dates, which take longer to parse.
MAX_PLAIN_BYTES, MAX_TEXT_BYTES = 32 * 1024, 1024
_PREDICTIONS = re.compile(r"/models/([^/]+)/predict|/v2/models/([^/]+)/infer")


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

    def is_quick(self, path: str, body: bytes) -> bool:
        """Whether a request takes so little time that the loop of a worker may answer it.

        Args:
            path: as in the request line, without the query.
            body: its whole body, which is not compressed.

        Returns:
            True for health, and for a few rows of a model with few parameters. Each row has at least one byte.
        """
        if path.startswith(HEALTH_PREFIX):
            return True
        model = self._find_model(path)
        if model is None:
            return False
        is_plain = model.rows.is_plain and b"BYTES" not in body
        work = model.predictor.row_work + len(body) * model.predictor.row_products
        return len(body) <= (MAX_PLAIN_BYTES if is_plain else MAX_TEXT_BYTES) and work <= MAX_QUICK_WORK

    def is_for_learners(self, path: str) -> bool:
        """Whether a request waits for the process that computes for learners.

        Args:
            path: as in the request line, without the query.

        Returns:
            True for the paths below /learn/, if there is such a process.
        """
        return self.registry.settings.learns and unquote(path).startswith(LEARN_PREFIX)

    def _find_model(self, path: str) -> Model | None:
        """The model whose predictions a path asks for; None if it asks for none, or if there is no such model."""
        if path == "/predict":
            return self.registry.default_model
        name = _PREDICTIONS.fullmatch(path)
        return self.registry.models.get(unquote(name[1] or name[2])) if name else None

    def refuses(self, environ: dict[str, Any]) -> bool:
        """Whether the head of a request alone refuses it.

        Args:
            environ: the request. Its body is not read.

        Returns:
            True for a wrong API key, path, method, length or coding. Calling the application then gives that refusal.
        """
        return self.middleware.refuses(environ)

    def note_refusal(self, status: int) -> None:
        """Count a request that the worker has refused itself.

        Args:
            status: of the answer.
        """
        from serve.metrics import note_request

        note_request("none", status, 0.0)


def create_app(config: Mapping[str, Any] | None = None) -> Service:
    """The application, with its default model loaded. A thread loads the others, compiles, and watches the directory.

    Args:
        config: settings by the names of their variables, such as NUDGE_CHECKPOINTS. They override the environment,
            which overrides the defaults. See `serve.settings`.

    Returns:
        The application, for any WSGI server.

    Raises:
        model.CheckpointError: if there is nothing to serve, or if the default checkpoint cannot be used.
        serve.settings.SettingError: if a setting is wrong.
        model.messages.RefusalError: if a variable of JAX is wrong.

    Example:
        >>> app = create_app({"NUDGE_CHECKPOINTS": "/nowhere"})
        Traceback (most recent call last):
        model.checkpoint.CheckpointError: /nowhere: expected a checkpoint in it, found none; write one with ...
    """
    with refusing_variables_of_jax():
        from model.inference import keep_programs
    from serve import errors, metrics, middleware, settings
    from serve.registry import Registry
    from serve.statistics import Statistics
    from serve.watcher import Watcher

    variables = {name: value for name, value in os.environ.items() if name.startswith("NUDGE_")}
    registry = Registry(settings.read(variables | dict(config or {})), metrics.note_failure)
    registry.start()
    if registry.settings.shared_directory:  # a process of gunicorn's own; another one's cache is its own affair
        keep_programs(registry.settings.shared_directory / "programs")
    publisher = metrics.Publisher(registry)
    watcher = Watcher(registry, publisher.publish)
    watcher.start()
    app = Service(__name__, static_folder=None)
    app.config.from_mapping(config or {})
    # Flask redirects nothing: its redirect would go to whatever the client calls the host.
    app.url_map.merge_slashes = app.url_map.redirect_defaults = False
    _register_blueprints(app, registry.settings)
    errors.register(app)
    statistics = Statistics()
    answers = _answers_without_flask(registry, statistics)
    app.extensions |= {
        "nudge": registry,
        "nudge.watcher": watcher,
        "nudge.publisher": publisher,
        "nudge.answers": answers,
        "nudge.statistics": statistics,
    }
    app.registry = registry
    app.middleware = middleware.Middleware(app.wsgi_app, Routes(app.url_map), registry.settings, answers)
    app.wsgi_app = app.middleware  # type: ignore[method-assign]
    gc.freeze()  # what is loaded stays; looking for garbage in it takes a tenth of a second
    return app


def _register_blueprints(app: Flask, settings: Settings) -> None:
    from serve import descriptions, health, learn, metrics, open_inference, openapi, pages, predict

    for part in (predict, open_inference, health, metrics, openapi):
        app.register_blueprint(part.blueprint)
    for part in (pages, descriptions) if settings.has_pages else ():
        app.register_blueprint(part.blueprint)
    if settings.learns:
        app.register_blueprint(learn.blueprint)


def _answers_without_flask(registry: Registry, statistics: Statistics) -> dict[str, Callable[..., Answer]]:
    """For endpoints that need nothing of Flask, the functions that answer their requests."""
    from serve import open_inference, pages, predict

    return {
        "predict.predict": partial(predict.answer_rows, registry, statistics),
        "open_inference.infer": partial(open_inference.answer_tensors, registry, statistics),
        "pages.start": partial(pages.answer_start, registry.settings),
        "pages.page": partial(pages.answer_page, registry.settings),
    }
