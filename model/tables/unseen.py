"""Finds values of a kind that training never saw, and makes a note on each of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float

from model.messages import quote
from model.tables.columns import CategoricalColumn, ColumnSpec, ColumnSpecs
from model.tables.json_values import number_text


class UnseenCells(NamedTuple):
    """Values that training never saw.

    Attributes:
        notes: for the index of a row with such values, one sentence for each of them, without a full stop.
        counts: for the name of a column with such values, how many rows have one.
    """

    notes: Mapping[int, Sequence[str]] = MappingProxyType({})
    counts: Mapping[str, int] = MappingProxyType({})


NOTHING_UNSEEN = UnseenCells()


class UnseenValues:
    """Finds the values of open columns that training never saw.

    Args:
        columns: the columns' names.
        column_specs: of the same columns.

    Attributes:
        any_open: whether any column is open, so that there can be such values.

    Example:
        >>> colour = CategoricalColumn(("blue", "red"), is_open=True)
        >>> unseen = UnseenValues(("colour",), (colour,))
        >>> found = unseen.find(np.array([[1.0], [2.0]]), lambda row, column: ["red", "violet"][row])
        >>> found.notes, found.counts
        ({1: ["colour: 'violet' was not seen in training"]}, {'colour': 1})
    """

    def __init__(self, columns: Sequence[str], column_specs: ColumnSpecs) -> None:
        self.columns, self.column_specs = tuple(columns), column_specs
        self._first_unseen = np.array([_first_unseen(column) for column in column_specs])
        self._missing_unseen = np.array([column.is_open and not column.missing for column in column_specs])
        self._missing_notes = [
            f"{name}: the value is missing, and no value was missing in training" for name in columns
        ]
        self.any_open = any(column.is_open for column in column_specs)

    def find(self, values: Float[np.ndarray, "rows columns"], written: Callable[[int, int], Any]) -> UnseenCells:
        """The values that training never saw, with notes on them.

        Args:
            values: [rows, columns], as `parse_text` and `parse_series` return them.
            written: a function from the indices of a row and a column to the value as it was written.

        Returns:
            The notes, and how many such values each column has.
        """
        if not self.any_open:
            return NOTHING_UNSEEN
        cells = np.argwhere((values >= self._first_unseen) | (np.isnan(values) & self._missing_unseen))
        notes: dict[int, list[str]] = {}
        note_of = lru_cache(maxsize=1000)(self._note)  # the same values often come again
        is_missing = np.isnan(values[cells[:, 0], cells[:, 1]]).tolist()
        for (row, column), missing in zip(cells.tolist(), is_missing, strict=True):
            note = self._missing_notes[column] if missing else note_of(column, written(row, column))
            notes.setdefault(row, []).append(note)
        return UnseenCells(notes, dict(Counter(self.columns[column] for column in cells[:, 1].tolist())))

    def _note(self, column: int, written: Any) -> str:
        name = self.columns[column]
        text = quote((number_text(written) if isinstance(written, float) else str(written)).strip())
        return f"{name}: {text} was not seen in training"


def _first_unseen(column: ColumnSpec) -> float:
    return float(column.unseen_index) if isinstance(column, CategoricalColumn) and column.is_open else math.inf


def closed(column_specs: ColumnSpecs) -> ColumnSpecs:
    """The same columns, which refuse values of a kind that training never saw.

    Args:
        column_specs: the columns.

    Returns:
        The same number of columns, none of them open.
    """
    return tuple(msgspec.structs.replace(column, is_open=False) for column in column_specs)
