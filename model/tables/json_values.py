"""JSON values in words and as texts."""

from __future__ import annotations

from typing import Any

from model.messages import quote
from model.tables.columns import EXACT_WHOLE_NUMBERS


def number_text(value: float) -> str:
    """A number of JSON as a text, to be looked up among categories.

    Args:
        value: any number.

    Returns:
        Its digits. A whole number has no point.

    Example:
        >>> number_text(5.0), number_text(2.5)
        ('5', '2.5')
    """
    return str(int(value)) if value.is_integer() and abs(value) < EXACT_WHOLE_NUMBERS else repr(value)


def describe_json(value: Any) -> str:
    """A JSON value in words.

    Args:
        value: as JSON is decoded, with every number as a float.

    Returns:
        For a text or a truth value, the value; for anything else, its kind.

    Example:
        >>> describe_json("a"), describe_json(True), describe_json([])
        ("the text 'a'", 'true', 'an array')
    """
    if isinstance(value, str):
        return f"the text {quote(value)}"
    if isinstance(value, bool):
        return str(value).lower()
    kinds = {dict: "an object", list: "an array", float: "a number", type(None): "null"}
    return kinds[type(value)]
