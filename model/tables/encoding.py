"""The float32 inputs of the network, from the float64 values of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from model.tables.columns import CategoricalColumn, ColumnSpecs, NumericColumn, bend, count_inputs
from model.tables.date_columns import DateColumn, date_inputs

# Rows that are encoded at a time: few enough to stay in the cache from one column to the next.
BLOCK_ROWS = 4096

Values = Sequence[Float[np.ndarray, " rows"]] | Float[np.ndarray, "rows columns"]


def encode(column_specs: ColumnSpecs, values: Values, block_rows: int = BLOCK_ROWS) -> Float[np.ndarray, "rows inputs"]:
    """The inputs of the network.

    Args:
        column_specs: one for each column.
        values: as in `Encoder.encode`.
        block_rows: how many rows are encoded at a time.

    Returns:
        [rows, inputs] float32; infinite where a scaled number is too large for it.

    Example:
        >>> columns = (NumericColumn(center=2.0, scale=4.0), CategoricalColumn(("f", "m")))
        >>> encode(columns, [np.array([6.0, 2.0]), np.array([1.0, 0.0])]).tolist()
        [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    return Encoder(column_specs).encode(values, block_rows)


class Encoder:
    """What encodes the rows of some columns. It knows where each goes, so that a single row takes little time.

    Args:
        column_specs: one for each column.

    Example:
        >>> Encoder((NumericColumn(scale=2.0),)).encode(np.array([[3.0]])).tolist()
        [[1.5]]
    """

    def __init__(self, column_specs: ColumnSpecs) -> None:
        self._width = count_inputs(column_specs)
        firsts = np.cumsum([0, *(column.input_count for column in column_specs)]).tolist()
        places = list(enumerate(zip(column_specs, firsts, strict=False)))
        self._numbers = _Numbers.of([(i, each, at) for i, (each, at) in places if isinstance(each, NumericColumn)])
        self._categories = _Categories.of(
            [(i, each, at) for i, (each, at) in places if isinstance(each, CategoricalColumn)]
        )
        self._dates = [(i, each, at) for i, (each, at) in places if isinstance(each, DateColumn)]

    def encode(self, values: Values, block_rows: int = BLOCK_ROWS) -> Float[np.ndarray, "rows inputs"]:
        """The inputs of the network.

        Args:
            values: [rows] float64 for each column, or [rows, columns]: numbers, the indices of categories or seconds
                since 1970, NaN where a value is missing. A text that training never saw has the column's
                `unseen_index`.
            block_rows: how many rows are encoded at a time.

        Returns:
            [rows, inputs] float32; infinite where a scaled number is too large for it.
        """
        rows = len(values) if isinstance(values, np.ndarray) else len(values[0])
        x = aligned_empty(rows, self._width)
        with np.errstate(over="ignore"):
            for start in range(0, len(x), block_rows):
                block = slice(start, start + block_rows)
                if self._numbers is not None:
                    self._numbers.fill(x[block], _stack(values, self._numbers.columns, block))
                if self._categories is not None:
                    self._categories.fill(x[block], _stack(values, self._categories.columns, block))
                for index, column, first in self._dates:
                    seconds = _stack(values, [index], block)[:, 0]
                    x[block, first : first + column.input_count] = date_inputs(column, seconds)
        return x


def _stack(values: Values, chosen: Sequence[int], block: slice) -> np.ndarray:
    """The chosen columns side by side, [rows, chosen]."""
    if isinstance(values, np.ndarray):
        return values[block].take(chosen, axis=1)
    return np.stack([values[index][block] for index in chosen], axis=1)


class _Numbers(NamedTuple):
    """All columns of numbers. Of each: its index, the index of its first input, and its scaling."""

    columns: list[int]
    inputs: np.ndarray
    centers: np.ndarray
    scales: np.ndarray
    knees: np.ndarray
    are_bent: bool
    constant: list[int]
    accepts_missing: np.ndarray
    indicated: np.ndarray
    indicators: np.ndarray

    @staticmethod
    def of(placed: list[tuple[int, NumericColumn, int]]) -> _Numbers | None:
        """The columns that are given with their indices and their first inputs; None if there are none."""
        if not placed:
            return None
        specs = [column for _, column, _ in placed]
        indicated = [index for index, column in enumerate(specs) if column.missing]
        return _Numbers(
            columns=[index for index, _, _ in placed],
            inputs=np.array([first for _, _, first in placed]),
            centers=np.array([column.center for column in specs]),
            scales=np.array([column.scale or 1.0 for column in specs]),
            knees=np.array([column.knee for column in specs]),
            are_bent=any(column.knee for column in specs),
            constant=[index for index, column in enumerate(specs) if not column.scale],
            accepts_missing=np.array([column.missing or column.is_open for column in specs]),
            indicated=np.array(indicated, int),
            indicators=np.array([placed[index][2] + 1 for index in indicated], int),
        )

    def fill(self, x: np.ndarray, values: np.ndarray) -> None:
        """Write the inputs of [rows, columns] values."""
        scaled = (values - self.centers) / self.scales
        if self.are_bent:
            scaled = bend(scaled, self.knees)
        if self.constant:
            scaled[:, self.constant] = 0.0
        absent = np.isnan(values)
        if absent.any():
            scaled[absent & self.accepts_missing] = 0.0
        x[:, self.inputs] = scaled
        if len(self.indicated):
            x[:, self.indicators] = absent[:, self.indicated]


class _Categories(NamedTuple):
    """All columns of categories. Of each: its index, its first input, how many it has, and what it accepts."""

    columns: list[int]
    specs: list[CategoricalColumn]
    inputs: np.ndarray
    counts: np.ndarray
    last: np.ndarray
    is_pooled: np.ndarray
    missing: np.ndarray

    @staticmethod
    def of(placed: list[tuple[int, CategoricalColumn, int]]) -> _Categories | None:
        """The columns that are given with their indices and their first inputs; None if there are none."""
        if not placed:
            return None
        specs = [column for _, column, _ in placed]
        return _Categories(
            columns=[index for index, _, _ in placed],
            specs=specs,
            inputs=np.array([first for _, _, first in placed]),
            counts=np.array([len(column.categories) for column in specs]),
            last=np.array([column.input_count - 1 for column in specs]),
            is_pooled=np.array([column.is_pooled for column in specs]),
            missing=np.array([column.missing for column in specs]),
        )

    def fill(self, x: np.ndarray, values: np.ndarray) -> None:
        """Write the inputs of [rows, columns] indices of categories."""
        for first, last in zip(self.inputs, self.last, strict=True):
            x[:, first : first + last + 1] = 0.0
        absent = np.isnan(values)
        indices = np.where(absent, self.last, values).astype(int)
        if self.is_pooled.any():
            indices = np.where(self.is_pooled & ~absent, np.minimum(indices, self.counts), indices)
        is_unknown = np.where(absent, ~self.missing, ~self.is_pooled & (values >= self.counts))
        rows, columns = np.nonzero(~is_unknown)
        x[rows, self.inputs[columns] + indices[rows, columns]] = 1.0
        for column in np.flatnonzero(is_unknown.any(axis=0)):
            spec, first = self.specs[column], self.inputs[column]
            if spec.is_open:
                x[is_unknown[:, column], first : first + spec.input_count] = spec.unknown_inputs


def aligned_empty(rows: int, inputs: int) -> Float[np.ndarray, "rows inputs"]:
    """An array to be filled. Its address is a multiple of 64 bytes, so that JAX uses it without a copy.

    Args:
        rows: how many, from 0.
        inputs: how many, from 1.

    Returns:
        [rows, inputs] float32, not initialized.

    Example:
        >>> aligned_empty(3, 2).shape, aligned_empty(3, 2).ctypes.data % 64
        ((3, 2), 0)
    """
    room = np.empty(rows * inputs + 16, np.float32)
    address = room.__array_interface__["data"][0]  # many times faster than room.ctypes.data
    first = -address % 64 // room.itemsize
    return room[first : first + rows * inputs].reshape(rows, inputs)
