"""Answers in JSON."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response


def json_response(value: Any, status: int = 200) -> Response:
    """A response with a value as JSON."""
    return Response(encode_json(value), status, mimetype="application/json")


def encode_json(value: Any) -> bytes:
    r"""A value as JSON, with a newline at the end for readers in a terminal.

    >>> encode_json({"error": "ü"})
    b'{"error":"\xc3\xbc"}\n'
    """
    return msgspec.json.encode(value) + b"\n"
