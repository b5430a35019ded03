"""From a value as it is written, in a query, in JSON or in a file, to a number or the index of a category."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from model.messages import MAX_LISTED_NAMES, quote
from model.tables.columns import BEYOND_FLOAT32, CategoricalColumn, ColumnSpec, NumericColumn
from model.tables.date_columns import DateColumn
from model.tables.date_spelling import DIGITS, EXAMPLES, read_date
from model.tables.json_values import describe_json, number_text
from model.tables.spelling import PLAIN_NUMBER, read_spelled

# Characters that are ignored at the ends of a value or a name: blanks of any width, soft hyphens, and marks for the
# direction of reading.
BLANKS = " \t\r\n\v\f\u00a0\u2007\u2009\u202f\u200b\u200c\u2060\ufeff\u00ad\u200e\u200f"
# What spreadsheets write where a formula has no result.
SPREADSHEET_ERRORS = ("#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!")
# How a missing value may be written, in any column.
MISSING = (
    *("", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "None", "<NA>", "#N/A", "#NA", "#N/A N/A"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "?", "NaT"),
    *SPREADSHEET_ERRORS,
)
_MISSING = frozenset(MISSING)


class ParseError(ValueError):
    """A value that does not fit its column.

    Args:
        expected: what was expected.
        found: what was found instead.
        row: its row in a file, from 1; None for a single value.

    Example:
        >>> print(ParseError("a number", "'x'", row=3))
        row 3: a number was expected, and 'x' was found
    """

    def __init__(self, expected: str, found: str, row: int | None = None) -> None:
        super().__init__(expected, found, row)
        self.expected, self.found, self.row = expected, found, row

    def __str__(self) -> str:
        place = "" if self.row is None else f"row {self.row:,}: "
        return f"{place}{self.expected} was expected, and {self.found} was found"


def parse_text(column: ColumnSpec, text: str) -> float:
    """The value that a text spells.

    Args:
        column: whose value it is.
        text: as it is written; blanks around it are ignored.

    Returns:
        A number within ±3.4e38, or the index of a category; NaN if the value is missing. A text that training never
        saw has the column's `unseen_index`, if the column accepts it.

    Raises:
        ParseError: if it is not a value of the column.

    Example:
        >>> parse_text(NumericColumn(), "2e3"), parse_text(CategoricalColumn(("f", "m")), "m")
        (2000.0, 1.0)
        >>> parse_text(NumericColumn(missing=True), "NA")
        nan
    """
    bare = bare_text(text)
    if isinstance(column, CategoricalColumn):
        is_missing = (bare in _MISSING or bare in column.absent) and bare not in column.categories
        return _missing(column, quote(text)) if is_missing else _category_index(column, bare)
    if isinstance(column, DateColumn):
        is_missing = bare in _MISSING or bare in column.absent
        return _missing(column, quote(text)) if is_missing else _date(column, bare)
    if bare in _MISSING or bare in column.spelling.absent or bare.lower().lstrip("+-") == "nan":
        return _missing(column, quote(text))
    return _unless_sentinel(column, spelled_number(column, bare), text)


def _unless_sentinel(column: NumericColumn, value: float, written: Any) -> float:
    """A number, unless it stands for a missing value in its column."""
    if column.spelling.absent and math.isnan(column.without_sentinels(np.array([value]))[0]):
        return _missing(column, quote(written))
    return value


def bare_text(text: str) -> str:
    """A text without blanks at its ends, and with each letter composed in the same way.

    Args:
        text: any text.

    Returns:
        The text in Unicode's form NFC.

    Example:
        >>> bare_text(" cafe\u0301\u200b"), bare_text("caf\u00e9")
        ('café', 'café')
    """
    bare = text.strip(BLANKS)
    return bare if bare.isascii() else unicodedata.normalize("NFC", bare)


def parse_json(column: ColumnSpec, value: Any) -> float:
    """The value of a JSON number, text, boolean or null.

    Args:
        column: whose value it is.
        value: as JSON is decoded, with every number as a float. A text means the same as in `parse_text`.

    Returns:
        As in `parse_text`.

    Raises:
        ParseError: if it is not a value of the column.

    Example:
        >>> parse_json(CategoricalColumn(("false", "true"), boolean=True), True)
        1.0
    """
    if value is None:
        return _missing(column, "null")
    if isinstance(column, NumericColumn):
        if isinstance(value, str):
            return parse_text(column, value)
        if not isinstance(value, float):
            raise ParseError("a number", describe_json(value))
        return _unless_sentinel(column, check_float32(value), f"{value:g}")
    if isinstance(column, CategoricalColumn) and isinstance(value, float):
        value = number_text(value)
    is_boolean = isinstance(column, CategoricalColumn) and column.boolean
    if is_boolean and isinstance(value, bool):
        value = str(value).lower()
    if isinstance(column, DateColumn) and column.style == DIGITS and isinstance(value, float) and value.is_integer():
        value = str(int(value))
    if not isinstance(value, str):
        raise ParseError("true or false" if is_boolean else "a text", describe_json(value))
    return parse_text(column, value)


def one_of(names: Sequence[Any]) -> str:
    """What is expected where there is a choice.

    Args:
        names: the choices.

    Returns:
        All of them, or the first ten and how many there are.

    Example:
        >>> one_of("abc"), one_of(range(12))
        ('one of a, b, c', 'one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … (12 in all)')
    """
    listed = ", ".join(quote(name) if name == "" else str(name) for name in names[:MAX_LISTED_NAMES])
    return f"one of {listed}" + (f", … ({len(names):,} in all)" if len(names) > MAX_LISTED_NAMES else "")


def parse_number(text: str) -> float:
    """The finite number that a text spells.

    Args:
        text: digits such as 1, -0.5 or 2e3, without spaces or underscores.

    Returns:
        A number within ±3.4e38.

    Raises:
        ParseError: if it spells none, or if float32 cannot hold it.

    Example:
        >>> parse_number("2e3")
        2000.0
    """
    if not PLAIN_NUMBER.fullmatch(text):
        raise ParseError("a number", quote(text))
    return check_float32(float(text), text)


def check_float32(value: float, text: str = "") -> float:
    """Check that float32, in which the network computes, can hold a number.

    Args:
        value: the number.
        text: how it was written; by default as Python writes it.

    Returns:
        The number, unchanged.

    Raises:
        ParseError: if it is not finite or beyond ±3.4e38.

    Example:
        >>> check_float32(1e39)
        Traceback (most recent call last):
        model.tables.parsing.ParseError: a finite number within ±3.4e38 was expected, and '1e+39' was found
    """
    if not abs(value) < BEYOND_FLOAT32:
        raise ParseError("a finite number within ±3.4e38", quote(text or f"{value:g}"))
    return value


def _missing(column: ColumnSpec, found: str) -> float:
    if column.missing or column.is_open:
        return math.nan
    raise ParseError(expected_values(column), found)


def expected_values(column: ColumnSpec) -> str:
    """What a value of a column may be, in words.

    Args:
        column: the column.

    Returns:
        A number, a date, or one of its categories.

    Example:
        >>> expected_values(DateColumn("digits")), expected_values(CategoricalColumn(("f", "m")))
        ('a date such as 20240131', 'one of f, m')
    """
    if isinstance(column, DateColumn):
        return f"a {'time' if column.style == 'time' else 'date'} such as {EXAMPLES[column.style]}"
    return "a number" if isinstance(column, NumericColumn) else one_of(column.categories)


def _date(column: DateColumn, text: str) -> float:
    seconds = read_date(text, column.style)
    if seconds is None:
        raise ParseError(expected_values(column), quote(text))
    return seconds


def _category_index(column: CategoricalColumn, text: str) -> float:
    try:
        return float(column.categories.index(category_name(column, text)))
    except ValueError:
        index = column.index_of_other(text)
        if index is not None:
            return index
        raise ParseError(one_of(column.categories), quote(text)) from None


def category_name(column: CategoricalColumn, text: str) -> str:
    """The category that a text means, which may be written in another case.

    Args:
        column: the column.
        text: without blanks around it.

    Returns:
        The name of the category; the text itself if there is none.
    """
    if column.boolean:
        return text.lower()
    if column.is_folded:
        folded = text.casefold()
        return next((name for name in column.categories if name.casefold() == folded), text)
    return text


def spelled_number(column: NumericColumn, text: str) -> float:
    """The number that a text spells in a column. The column's own spelling comes first.

    Args:
        column: the column.
        text: without blanks around it, and not a word for missing.

    Returns:
        A number within ±3.4e38.

    Raises:
        ParseError: if it spells none, or if float32 cannot hold it.
    """
    value = None if column.spelling.is_plain and PLAIN_NUMBER.fullmatch(text) else read_spelled(text, column.spelling)
    return parse_number(text) if value is None else check_float32(value, text)
