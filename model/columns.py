"""Columns: how a table's values become the network's inputs, the same way in training, scoring and serving.

A value goes two steps. `from_text`, `from_json` and `from_series` take it as it is written and give a float64: a number
itself, a category's index, NaN where it is missing. `encode` takes those to the float32 inputs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from jaxtyping import Bool, Float

from model.text import LISTED, shown

if TYPE_CHECKING:
    import polars

# How a missing value may be written, in any column.
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?")


class TableError(ValueError):
    """A file that cannot be used as a table: which, what was expected, what was found, and what mends it."""


class Number(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="number"):
    """A column of numbers, of which the network sees (value - mean) / scale.

    mean, scale: those of training, scale the standard deviation; 0 where the column was constant: it then always counts
    as 0. least, most: the range in training. missing: whether values were; they count as the mean, and a second input
    is 1 for them and else 0.
    """

    mean: float = 0.0
    scale: float = 1.0
    least: float | None = None
    most: float | None = None
    missing: bool = False

    @property
    def width(self) -> int:
        """How many inputs it has."""
        return 2 if self.missing else 1

    def scaled(self, values: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """The values as the network sees them, in float64."""
        return (values - self.mean) / self.scale if self.scale else np.zeros_like(values)

    def restored(self, scaled: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """The values again, in float64."""
        return np.asarray(scaled, np.float64) * self.scale + self.mean


class Category(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="category"):
    """A column of texts, of which the network sees one input a category: 1 for the row's own and else 0.

    categories: those of training, sorted. missing: whether values were; they are a category of their own, the last.
    boolean: whether the texts are true and false, which may then be written in any case.
    """

    categories: tuple[str, ...]
    missing: bool = False
    boolean: bool = False

    @property
    def width(self) -> int:
        """How many inputs it has."""
        return len(self.categories) + self.missing


Scaling = tuple[Number | Category, ...]

# Numbers as they are.
PLAIN = Number()


def width(scaling: Scaling) -> int:
    """How many inputs the columns have together.

    >>> width((Number(), Category(("no", "yes"), missing=True)))
    4
    """
    return sum(column.width for column in scaling)


def input_names(columns: Sequence[str], scaling: Scaling) -> list[str]:
    """The name of every input.

    >>> input_names(("age", "sex"), (Number(missing=True), Category(("f", "m"))))
    ['age', 'age is missing', 'sex = f', 'sex = m']
    """
    names = []
    for name, column in zip(columns, scaling, strict=True):
        if isinstance(column, Number):
            names.append(name)
        else:
            names.extend(f"{name} = {category}" for category in column.categories)
        if column.missing:
            names.append(f"{name} is missing")
    return names


def encode(scaling: Scaling, values: Sequence[Float[np.ndarray, " rows"]]) -> Float[np.ndarray, "rows inputs"]:
    """The network's inputs, float32, from each column's values: numbers, categories' indices, NaN where missing.

    >>> x = encode((Number(mean=2.0, scale=4.0), Category(("f", "m"))), [np.array([6.0, 2.0]), np.array([1.0, 0.0])])
    >>> x.tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    rows = len(values[0])
    x = empty(rows, width(scaling))
    for start in range(0, rows, BLOCK):
        block = x[start : start + BLOCK]
        first = 0
        for column, column_values in zip(scaling, values, strict=True):
            _fill(block[:, first : first + column.width], column, column_values[start : start + BLOCK])
            first += column.width
    return x


def empty(rows: int, inputs: int) -> Float[np.ndarray, "rows inputs"]:
    """An array to be filled, that begins where JAX takes it as it is, without a copy: at a multiple of 64 bytes.

    >>> empty(3, 2).shape, empty(3, 2).ctypes.data % 64
    ((3, 2), 0)
    """
    room = np.empty(rows * inputs + 16, np.float32)
    first = -room.ctypes.data % 64 // room.itemsize
    return room[first : first + rows * inputs].reshape(rows, inputs)


# Rows that are encoded at a time: few enough to stay in the cache from one column to the next.
BLOCK = 4096


def _fill(x: np.ndarray, column: Number | Category, values: np.ndarray) -> None:
    if isinstance(column, Category):
        x[:, : len(column.categories)] = values[:, None] == np.arange(len(column.categories))
        if column.missing:
            x[:, -1] = np.isnan(values)
        return
    with np.errstate(over="ignore"):
        x[:, 0] = column.scaled(values)
    if column.missing:
        absent = np.isnan(values)
        x[absent, 0] = 0.0
        x[:, 1] = absent


def number(values: Float[np.ndarray, " rows"]) -> Number:
    """The column of these numbers, NaN where missing. Raises ValueError where float32 cannot hold one.

    >>> number(np.array([1.0, 3.0, np.nan]))
    Number(mean=2.0, scale=1.0, least=1.0, most=3.0, missing=True)
    """
    missing = bool(np.isnan(values).any())
    present = values[~np.isnan(values)] if missing else values
    if not len(present):
        return Number(missing=missing, scale=0.0)
    least, most = float(present.min()), float(present.max())
    if not held(np.array([least, most])).all():
        raise ValueError(f"numbers within ±3.4e38 were expected, and {least:g} to {most:g} was found")
    if least == most:
        return Number(least, 0.0, least, most, missing)
    return Number(float(present.mean()), float(present.std()), least, most, missing)


def held(values: Float[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
    """Which values float32 can hold, as finite numbers.

    >>> held(np.array([1e38, 1e39, np.nan])).tolist()
    [True, False, False]
    """
    with np.errstate(over="ignore"):
        return np.isfinite(values.astype(np.float32))


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
    with np.errstate(over="ignore"):
        if not math.isfinite(np.float32(value)):
            raise ValueError(
                f"a finite number within ±3.4e38 was expected, and {shown(text or f'{value:g}')} was found"
            )
    return value
