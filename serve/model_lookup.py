"""Which model a request means."""

from __future__ import annotations

from flask import current_app

from model.messages import quote
from model.tables.parsing import one_of
from serve.errors import RequestError
from serve.registry import Model, Registry
from serve.settings import Settings


def registry() -> Registry:
    """The models of the application."""
    found: Registry = current_app.extensions["nudge"]
    return found


def settings() -> Settings:
    """The settings of the application."""
    return registry().settings


def default_model() -> Model:
    """The model of /predict. Raises RequestError where it cannot answer."""
    models = registry()
    model = models.default_model
    if model is None:
        raise RequestError(f"the default model cannot answer: {models.reason}", 503)
    return model


def model_named(name: str, version: str | None = None) -> Model:
    """The model of this name, if it has this version. Raises RequestError where there is none, or it cannot answer."""
    models = registry()
    model = models.models.get(name)
    if model is None and name in models.failures:
        raise RequestError(f"the model {quote(name)} cannot answer: {models.failures[name]}", 503)
    if model is None:
        raise RequestError(
            f"{one_of(sorted(models.models))} was expected as the model, and {quote(name)} was found", 404
        )
    if version not in (None, model.version, model.checkpoint.digest):
        raise RequestError(f"version {model.version} of {name} was expected, and {quote(version)} was found", 404)
    return model
