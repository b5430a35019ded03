"""Columns: how a table's values become the network's inputs, the same way in training, scoring and serving.

A value goes two steps. The functions of values.py take it as it is written and give a float64: a number itself, a
category's index, NaN where it is missing. `encode` takes those to the float32 inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from jaxtyping import Bool, Float


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

# What float32 can hold: less than the largest number and half a unit of its last place.
BEYOND_FLOAT32 = 2.0**128 - 2.0**103
WITHIN = "numbers within ±3.4e38"

# Numbers as they are.
PLAIN = Number()


def width(scaling: Scaling) -> int:
    """How many inputs the columns have together.

    >>> width((Number(), Category(("no", "yes"), missing=True)))
    4
    """
    return sum(column.width for column in scaling)


def encode(scaling: Scaling, values: Sequence[Float[np.ndarray, " rows"]]) -> Float[np.ndarray, "rows inputs"]:
    """The network's inputs, float32, from each column's values: numbers, categories' indices, NaN where missing.

    >>> x = encode((Number(mean=2.0, scale=4.0), Category(("f", "m"))), [np.array([6.0, 2.0]), np.array([1.0, 0.0])])
    >>> x.tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    rows = len(values[0])
    x = empty(rows, width(scaling))
    with np.errstate(over="ignore"):
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
        raise ValueError(f"{WITHIN} were expected, and {least:g} to {most:g} was found")
    if least == most:
        return Number(least, 0.0, least, most, missing)
    return Number(float(present.mean()), float(present.std()), least, most, missing)


def held(values: Float[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
    """Which values float32 can hold, as finite numbers.

    >>> held(np.array([1e38, 1e39, np.nan])).tolist()
    [True, False, False]
    """
    within: np.ndarray = np.abs(values) < BEYOND_FLOAT32
    return within
