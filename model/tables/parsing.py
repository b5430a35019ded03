"""From a value as it is written, in a query, in JSON or in a file, to a number or the index of a category."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from model.messages import MAX_LISTED_NAMES, quote
from model.tables.columns import BEYOND_FLOAT32, CategoricalColumn, ColumnSpec, NumericColumn, fits_float32

if TYPE_CHECKING:
    import polars

# Blanks, which do not count at the ends of a value or a name.
BLANKS = " \t\r\n\v\f\u00a0"
# How a missing value may be written, in any column.
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
# Stands for a text that is not one of a column's categories.
_UNKNOWN_CATEGORY = -1.0


class ParseError(ValueError):
    """A value that is not one of its column.

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
        A number within ±3.4e38, or the index of a category; NaN if the value is missing.

    Raises:
        ParseError: if it is not a value of the column.

    Example:
        >>> parse_text(NumericColumn(), "2e3"), parse_text(CategoricalColumn(("f", "m")), "m")
        (2000.0, 1.0)
        >>> parse_text(NumericColumn(missing=True), "NA")
        nan
    """
    bare = text.strip(BLANKS)
    is_category = isinstance(column, CategoricalColumn) and bare in column.categories
    is_nan = isinstance(column, NumericColumn) and bare.lower().lstrip("+-") == "nan"
    if not is_category and (bare in MISSING or is_nan):
        return _missing(column, quote(text))
    return parse_number(bare) if isinstance(column, NumericColumn) else _category_index(column, bare)


def parse_json(column: ColumnSpec, value: Any) -> float:
    """The value of a JSON number, text, boolean or null.

    Args:
        column: whose value it is.
        value: as JSON is decoded, with every number as a float.

    Returns:
        As of `parse_text`.

    Raises:
        ParseError: if it is not a value of the column.

    Example:
        >>> parse_json(CategoricalColumn(("false", "true"), boolean=True), True)
        1.0
    """
    if value is None:
        return _missing(column, "null")
    if isinstance(column, NumericColumn):
        if not isinstance(value, float):
            raise ParseError("a number", describe_json(value))
        return check_float32(value)
    if column.boolean and isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str):
        raise ParseError("true or false" if column.boolean else "a text", describe_json(value))
    return parse_text(column, value)


def parse_series(column: ColumnSpec, series: polars.Series, first: int = 0) -> Float[np.ndarray, " rows"]:
    """The values of a frame's column, which may be typed or texts.

    Args:
        column: whose values they are.
        series: the values.
        first: how many rows of the file come before the series.

    Returns:
        [rows] float64, each value as of `parse_text`.

    Raises:
        ParseError: at the first value that is not one of the column, with its row.
    """
    series = series.alias("")  # polars would take a name for a pattern, even a series' own
    is_typed = isinstance(column, NumericColumn) and series.dtype.is_numeric()
    values = _numbers(series) if is_typed else _parsed(column, series)
    absent = np.isnan(values)
    unknown = values == _UNKNOWN_CATEGORY
    wrong = unknown if isinstance(column, CategoricalColumn) else ~(absent | fits_float32(values))
    if not column.missing:
        wrong |= absent
    if wrong.any():
        index = int(wrong.argmax())
        raise _refusal(column, "" if series[index] is None else str(series[index]), first + index + 1)
    return values


def _refusal(column: ColumnSpec, text: str, row: int) -> ParseError:
    try:
        parse_text(column, text)
    except ParseError as error:
        return ParseError(error.expected, error.found, row)
    return ParseError(_expected(column), quote(text), row)


def describe_json(value: Any) -> str:
    """A JSON value in words.

    Args:
        value: as JSON is decoded, with every number as a float.

    Returns:
        A text or a truth value itself; of anything else, what it is.

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
    if not _NUMBER.fullmatch(text):
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
    if column.missing:
        return math.nan
    raise ParseError(_expected(column), found)


def _expected(column: ColumnSpec) -> str:
    return "a number" if isinstance(column, NumericColumn) else one_of(column.categories)


def _category_index(column: CategoricalColumn, text: str) -> float:
    name = text.lower() if column.boolean else text
    try:
        return float(column.categories.index(name))
    except ValueError:
        raise ParseError(one_of(column.categories), quote(text)) from None


def _numbers(series: polars.Series) -> Float[np.ndarray, " rows"]:
    import polars as pl

    values: np.ndarray = series.cast(pl.Float64).to_numpy()
    return values


def _parsed(column: ColumnSpec, series: polars.Series) -> Float[np.ndarray, " rows"]:
    """The values of a series of texts, or of a column whose categories are truth values or numbers.

    NaN stands for a missing value, infinity for a text that is not a number, _UNKNOWN_CATEGORY for an unknown category.
    """
    import polars as pl

    texts = series.cast(pl.String)
    bare = texts.str.strip_chars(BLANKS)
    absent = bare.is_in(list(MISSING)) | texts.is_null()
    if isinstance(column, NumericColumn):
        absent |= bare.str.to_lowercase().str.strip_chars_start("+-") == "nan"
        values = bare.cast(pl.Float64, strict=False).fill_null(math.inf)
    else:
        absent &= ~bare.is_in(list(column.categories))
        named = bare.str.to_lowercase() if column.boolean else bare
        codes = named.cast(pl.Enum(column.categories), strict=False).to_physical()
        values = codes.cast(pl.Float64).fill_null(_UNKNOWN_CATEGORY)
    return np.where(absent.fill_null(True).to_numpy(), np.nan, values.to_numpy())
