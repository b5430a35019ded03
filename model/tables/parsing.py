"""Values as they are written, in a query, in JSON or in a file: the numbers or the categories' indices they are."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from model.messages import LISTED, shown
from model.tables.columns import BEYOND_FLOAT32, Category, Number, held

if TYPE_CHECKING:
    import polars

# How a missing value may be written, in any column.
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?")


def from_text(column: Number | Category, text: str) -> float:
    """The value that a text spells. Raises ValueError, with what was expected and found, where it is none.

    >>> from_text(Number(), "2e3"), from_text(Category(("f", "m")), "m"), from_text(Number(missing=True), "NA")
    (2000.0, 1.0, nan)
    """
    bare = text.strip()
    known_text = isinstance(column, Category) and text in column.categories
    if not known_text and (bare in MISSING or (isinstance(column, Number) and bare.lower().lstrip("+-") == "nan")):
        return _missing(column, shown(text))
    return parse_number(bare) if isinstance(column, Number) else _index(column, text)


def from_json(column: Number | Category, value: Any) -> float:
    """The value of a JSON number (as a float), text, boolean or null. Raises ValueError where it is not the column's.

    >>> from_json(Category(("false", "true"), boolean=True), True)
    1.0
    """
    if value is None:
        return _missing(column, "null")
    if isinstance(column, Number):
        if not isinstance(value, float):
            raise ValueError(f"a number was expected, and {kind(value)} was found")
        return as_float32(value)
    if column.boolean and isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str):
        raise ValueError(f"{'true or false' if column.boolean else 'a text'} was expected, and {kind(value)} was found")
    return from_text(column, value)


def kind(value: Any) -> str:
    """What a JSON value is, in words.

    >>> kind("a"), kind(True), kind([])
    ("the text 'a'", 'true', 'an array')
    """
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, bool):
        return str(value).lower()
    kinds = {dict: "an object", list: "an array", float: "a number", type(None): "null"}
    return kinds[type(value)]


def _missing(column: Number | Category, found: str) -> float:
    if column.missing:
        return math.nan
    raise ValueError(f"{_expected(column)} was expected, and {found} was found")


def _expected(column: Number | Category) -> str:
    return "a number" if isinstance(column, Number) else known(column.categories)


def known(names: Sequence[Any]) -> str:
    """The names there are, the first ten of many.

    >>> known("abc"), known(range(12))
    ('one of a, b, c', 'one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … (12 in all)')
    """
    listed = ", ".join(shown(name) if name == "" else str(name) for name in names[:LISTED])
    return f"one of {listed}" + (f", … ({len(names):,} in all)" if len(names) > LISTED else "")


def _index(column: Category, text: str) -> float:
    found = text.strip().lower() if column.boolean else text
    try:
        return float(column.categories.index(found))
    except ValueError:
        raise ValueError(f"{known(column.categories)} was expected, and {shown(text)} was found") from None


def from_series(column: Number | Category, series: polars.Series, first: int = 0) -> Float[np.ndarray, " rows"]:
    """The values of a frame's column, whether typed or as texts. Raises ValueError, naming the row, as `from_text`.

    first: how many rows of the file come before the series.
    """
    series = series.alias("")  # polars takes a name as a pattern, in a series too
    values = _numbers(series) if isinstance(column, Number) and series.dtype.is_numeric() else _read(column, series)
    absent = np.isnan(values)
    wrong = values == WRONG if isinstance(column, Category) else ~(absent | held(values))
    if not column.missing:
        wrong |= absent
    if wrong.any():
        row = int(wrong.argmax())
        found = "" if series[row] is None else str(series[row])
        try:
            from_text(column, found)
        except ValueError as error:
            raise ValueError(f"row {first + row + 1:,}: {error}") from None
        raise ValueError(f"row {first + row + 1:,}: {_expected(column)} was expected, and {shown(found)} was found")
    return values


# Stands for what is no value of a column.
WRONG = -1.0


def _numbers(series: polars.Series) -> Float[np.ndarray, " rows"]:
    import polars as pl

    values: np.ndarray = series.cast(pl.Float64).to_numpy()
    return values


def _read(column: Number | Category, series: polars.Series) -> Float[np.ndarray, " rows"]:
    """The values of a series of texts, or of truth values or numbers that are categories: NaN where they are missing,
    and where they are none of the column WRONG, or infinite for a number.
    """
    import polars as pl

    texts = series.cast(pl.String)
    bare = texts.str.strip_chars()
    absent = bare.is_in(list(MISSING)) | texts.is_null()
    if isinstance(column, Number):
        absent |= bare.str.to_lowercase().str.strip_chars_start("+-") == "nan"
        values = bare.cast(pl.Float64, strict=False).fill_null(math.inf)
    else:
        absent &= ~texts.is_in(list(column.categories))
        named = bare.str.to_lowercase() if column.boolean else texts
        codes = named.cast(pl.Enum(column.categories), strict=False).to_physical()
        values = codes.cast(pl.Float64).fill_null(WRONG)
    return np.where(absent.fill_null(True).to_numpy(), np.nan, values.to_numpy())


_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def parse_number(text: str) -> float:
    """The finite number that a text spells, such as 1, -0.5 or 2e3: in digits, without spaces or underscores.

    Raises ValueError where it does not, and where the number is beyond float32.

    >>> parse_number("2e3")
    2000.0
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"a number was expected, and {shown(text)} was found")
    return as_float32(float(text), text)


def as_float32(value: float, text: str = "") -> float:
    """The value, unchanged. text: how it was written. Raises ValueError where float32, in which the network computes,
    cannot hold it.

    >>> as_float32(1e39)
    Traceback (most recent call last):
    ValueError: a finite number within ±3.4e38 was expected, and '1e+39' was found
    """
    if not abs(value) < BEYOND_FLOAT32:
        raise ValueError(f"a finite number within ±3.4e38 was expected, and {shown(text or f'{value:g}')} was found")
    return value
