"""Answers: what the service sends back, with or without Flask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from flask import Response

Headers = Sequence[tuple[str, str]]
JSON: Headers = (("Content-Type", "application/json"),)
OCTETS: Headers = (("Content-Type", "application/octet-stream"),)
# What every answer says to a browser, unless it is a page.
SECURITY: Headers = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)


class Answer(NamedTuple):
    """An answer to a request.

    Attributes:
        body: its body.
        headers: its headers, without the length.
        status: its HTTP status.
        security: the headers that say what a browser may do with it.
    """

    body: bytes
    headers: Headers = JSON
    status: int = 200
    security: Headers = SECURITY


def json_answer(value: Any, status: int = 200, headers: Headers = ()) -> Answer:
    """An answer with a value as JSON, and further headers."""
    return Answer(encode_json(value), [*JSON, *headers] if headers else JSON, status)


def to_response(answer: Answer) -> Response:
    """The same answer for Flask."""
    return Response(answer.body, answer.status, list(answer.headers))


def json_response(value: Any, status: int = 200) -> Response:
    """A response of Flask with a value as JSON."""
    return to_response(json_answer(value, status))


def encode_json(value: Any) -> bytes:
    r"""A value as JSON, with a newline at the end for readers in a terminal.

    >>> encode_json({"error": "ü"})
    b'{"error":"\xc3\xbc"}\n'
    """
    return msgspec.json.encode(value) + b"\n"
