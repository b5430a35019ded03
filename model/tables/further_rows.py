"""Further rows with the columns of a table: their values, and a table whose held-out rows they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Num

from model.messages import join_names
from model.tables.columns import ColumnSpec
from model.tables.date_columns import DateColumn
from model.tables.errors import TableError
from model.tables.parsing import ParseError
from model.tables.series_parsing import parse_series
from model.tables.table import Table

if TYPE_CHECKING:
    import polars

MEND = "mend it or leave the row out"


def values_of_frame(
    columns: Sequence[str], column_specs: Sequence[ColumnSpec], frame: polars.DataFrame, first: int = 0
) -> Float[np.ndarray, "rows columns"]:
    """The values of columns that training has seen, in further rows.

    Args:
        columns: their names.
        column_specs: what each of them is.
        frame: rows of a file, typed or as texts.
        first: how many rows of the file come before the frame.

    Returns:
        [rows, columns] float64, as `parse_series` gives them.

    Raises:
        TableError: if a column is missing, or has a value that is not one of it.

    Example:
        >>> import polars as pl
        >>> from model.tables.columns import NumericColumn
        >>> values_of_frame(["size"], [NumericColumn(0.0, 1.0)], pl.DataFrame({"color": ["red"], "size": ["1.5"]}))
        array([[1.5]])
    """
    for name, column in zip(columns, column_specs, strict=True):
        check_kind(columns, frame, name, isinstance(column, DateColumn))
    values = np.empty((len(frame), len(columns)))
    for index, (name, column) in enumerate(zip(columns, column_specs, strict=True)):
        try:
            values[:, index] = parse_series(column, frame[name], first)
        except ParseError as error:
            expected, found = f"{error.expected} in the column {name}", f"{error.found} in row {error.row:,}"
            raise TableError(expected, found, MEND) from None
    return values


def check_kind(columns: Sequence[str], frame: polars.DataFrame, name: str, is_date: bool = False) -> None:
    """Check that a frame has a column, and that it holds numbers, texts, or for a date points in time.

    Args:
        columns: the names of all columns that the frame must have.
        frame: the frame.
        name: of the column.
        is_date: whether it may hold dates and times.

    Raises:
        TableError: if it does not.
    """
    import polars as pl

    if name not in frame.columns:
        raise TableError(f"the columns {join_names(columns)}", f"no {name}", "name a file that has it")
    dtype = frame[name].dtype
    may_be_temporal = is_date or dtype == pl.Duration
    if dtype.is_nested() or (dtype.is_temporal() and not may_be_temporal) or dtype == pl.Binary:
        raise TableError(f"numbers or texts in {name}", str(dtype), "mend the file")


def append_held_out(
    table: Table,
    x: Float[np.ndarray, "held inputs"],
    y: Num[np.ndarray, " held"],
    weights: Num[np.ndarray, " held"] | None = None,
    split_by: str = "",
) -> Table:
    """A table with further rows, which are held out. All other rows are learned from.

    Args:
        table: what is learned from. What is known of its columns stays as it is.
        x: [held, inputs] float32, the inputs of the further rows, at least one.
        y: [held] finite numbers: the index of each row's class, or the number to predict as it is in the file.
        weights: [held] finite numbers above 0, how much each of these rows counts; by default all count the same.
        split_by: where the rows come from, for people.

    Returns:
        The table with all rows.

    Raises:
        TableError: if the inputs do not fit into memory.
        ValueError: if the weights are not such numbers.

    Example:
        >>> from model.tables.table import table_from_arrays
        >>> table = table_from_arrays(np.array([[1.0], [3.0]]), np.array([10.0, 20.0]))
        >>> longer = append_held_out(table, np.array([[0.5]], np.float32), np.array([25.0]))
        >>> longer.x[:, 0].round(2).tolist(), longer.y.tolist(), longer.held_out.tolist()
        ([0.0, 0.98..., 0.5], [-1.0, 1.0, 2.0], [False, False, True])
    """
    learned, rows = len(table.y), len(table.y) + len(y)
    appended = table.append_inputs(x)
    targets = np.asarray(y, np.float64)
    targets = targets if table.classes else table.target_scaling.scaled(targets)
    if table.weights is not None or weights is not None:
        own = np.ones(learned) if table.weights is None else table.weights
        weights = np.concatenate([own, np.ones(len(y)) if weights is None else weights]).astype(np.float32)
    return replace(
        table,
        **appended,
        y=np.concatenate([table.y, targets.astype(np.float32)]),
        weights=weights,
        held_out=np.arange(rows) >= learned,
        split_by=split_by,
        complete=False,
    )
