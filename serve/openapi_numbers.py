"""The schema of a column of numbers: JSON numbers, texts as they are written in training, and words for missing."""

from __future__ import annotations

import re

from model.tables.columns import BEYOND_FLOAT32, NumericColumn
from model.tables.parsing import MISSING
from model.tables.spelling import FACTORS, NumberSpelling
from serve.openapi_parts import Schema

# Texts with at most this many digits are always within the range of float32.
_PLAIN = r"[+-]?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})([eE][+-]?[0-9])?"
_DURATION = "[0-9]{1,3}:[0-5][0-9]:[0-5][0-9]"
_WHOLE = "[0-9]{1,12}"


def json_number(column: NumericColumn) -> Schema:
    """The schema of a value in JSON. A text is accepted exactly if a query accepts it.

    Args:
        column: the column.

    Returns:
        The schema.

    Example:
        >>> [list(each) for each in json_number(NumericColumn(missing=True))["anyOf"]]
        [['type', 'exclusiveMinimum', 'exclusiveMaximum'], ['type', 'pattern'], ['enum']]
    """
    absent: list[Schema] = [{"enum": [*_absent(column), None]}] if column.missing or column.is_open else []
    return {"anyOf": [_number(column), _text(column), *absent]}


def query_number(column: NumericColumn) -> Schema:
    """The schema of a value in a query.

    Args:
        column: the column.

    Returns:
        The schema.

    Example:
        >>> query_number(NumericColumn())["type"]
        'number'
    """
    values = [_number(column)]
    if not column.spelling.is_plain:
        values.append(_text(column))
    if column.missing or column.is_open:
        values.append({"enum": _absent(column)})
    return {"anyOf": values} if len(values) > 1 else values[0]


def text_pattern(spelling: NumberSpelling) -> str:
    r"""What numbers look like in texts.

    Args:
        spelling: of their column.

    Returns:
        A regular expression of JSON Schema. The service also accepts some texts that do not match it: longer numbers,
        and numbers with marks, parentheses or blanks at the ends.

    Example:
        >>> bool(re.match(text_pattern(NumberSpelling(",", ".", "$")), "$1,234.50"))
        True
    """
    if spelling.is_plain:
        return f"^{_PLAIN}$"
    if spelling.is_duration:
        return f"^{_DURATION}$"
    apart = rf"[1-9][0-9]{{0,2}}({_literal(spelling.grouping)}[0-9]{{3}}){{1,3}}|" if spelling.grouping else ""
    before, after = spelling.prefix, _after(spelling)
    if before:
        blank = "" if before == "'" else " " if before[-1].isalpha() or before[-1] == "." else " ?"
        before = f"({_literal(before)}{blank})?"
    written = f"[+-]?{before}({apart}{_WHOLE})({_literal(spelling.decimal)}[0-9]{{0,6}})?{after}"
    return f"^({written}|{_PLAIN})$"


def _after(spelling: NumberSpelling) -> str:
    """A pattern for the units or the factors that may stand after a number."""
    names = sorted(FACTORS) if spelling.has_factors else [spelling.suffix] * bool(spelling.suffix)
    return f"( ?({'|'.join(map(_literal, names))}))?" if names else ""


def _literal(text: str) -> str:
    """A pattern for a text. Blanks are not escaped, because some dialects have no escape for them."""
    return re.sub(r"([.^$*+?()\[\]{}|\\/])", r"\\\1", text)


def _number(column: NumericColumn) -> Schema:
    value: Schema = {"type": "number", "exclusiveMinimum": -BEYOND_FLOAT32, "exclusiveMaximum": BEYOND_FLOAT32}
    if column.minimum is not None and column.maximum is not None:
        unit = " seconds" if column.spelling.is_duration else ""
        value["description"] = f"{column.minimum:g} to {column.maximum:g}{unit} in training"
    return value


def _text(column: NumericColumn) -> Schema:
    text: Schema = {"type": "string", "pattern": text_pattern(column.spelling)}
    kind = "a duration" if column.spelling.is_duration else "a number"
    return text if column.spelling.is_plain else text | {"description": f"{kind} as it was written in training"}


def _absent(column: NumericColumn) -> list[str]:
    return [*MISSING, *(text for text in column.spelling.absent if text not in MISSING)]
