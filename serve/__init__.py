"""The service: a Flask application that answers predictions from the checkpoints in a directory."""

from serve.app import create_app

__all__ = ["create_app"]
