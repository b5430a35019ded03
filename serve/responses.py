"""The JSON of answers."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response


def answer(value: Any, status: int = 200) -> Response:
    """The answer that a value is."""
    return Response(encode(value), status, mimetype="application/json")


def encode(value: Any) -> bytes:
    r"""A value as JSON, with a line's end for those who read it in a terminal.

    >>> encode({"error": "ü"})
    b'{"error":"\xc3\xbc"}\n'
    """
    return msgspec.json.encode(value) + b"\n"
