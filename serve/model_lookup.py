"""The registry, the settings and the models that a request needs."""

from __future__ import annotations

from flask import current_app

from model.messages import quote
from model.tables.parsing import one_of
from serve.errors import RequestError
from serve.loaded_model import Model
from serve.registry import Registry
from serve.settings import Settings

# What clients of Triton ask for when they need no version in particular.
CURRENT_VERSION = "1"


def current_registry() -> Registry:
    """The registry of the application."""
    registry: Registry = current_app.extensions["nudge"]
    return registry


def current_settings() -> Settings:
    """The settings of the application."""
    return current_registry().settings


def default_model(registry: Registry | None = None) -> Model:
    """The model of /predict. Raises RequestError if it cannot answer."""
    registry = registry or current_registry()
    model = registry.default_model
    if model is None:
        raise RequestError(f"the default model cannot answer: {registry.default_failure}", 503)
    return model


def find_model(name: str, version: str | None = None, registry: Registry | None = None) -> Model:
    """The model of this name and version. Raises RequestError if there is none, or if it cannot answer.

    Args:
        name: the name.
        version: the digest of the checkpoint or its beginning; 1 or None for whatever is loaded.
        registry: where it is; None for that of the application that answers.
    """
    registry = registry or current_registry()
    model = registry.models.get(name)
    if model is None and name in registry.failures:
        raise RequestError(f"the model {quote(name)} cannot answer: {registry.failures[name]}", 503)
    if model is None:
        raise RequestError(
            f"{one_of(sorted(registry.models))} was expected as the model, and {quote(name)} was found", 404
        )
    if version not in (None, CURRENT_VERSION, model.version, model.checkpoint.digest):
        raise RequestError(f"version {model.version} of {name} was expected, and {quote(version)} was found", 404)
    return model
