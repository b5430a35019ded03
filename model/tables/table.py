"""The table that a network learns from, and how to make one of arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Num

from model.arrays import shape_of
from model.tables.columns import (
    IDENTITY,
    ColumnSpec,
    ColumnSpecs,
    NumericColumn,
    encode,
    fit_numeric,
    fit_target_scaling,
)
from model.tables.targets import Class
from model.tasks import TASKS


@dataclass(frozen=True, eq=False)
class Table:
    """What a network learns from.

    Attributes:
        x: [rows, inputs] float32, the columns as the network sees them.
        y: [rows] float32, the target: 0 or 1 (binary), the index of the class (multiclass), or the scaled number
            (regression).
        columns: the columns' names.
        target: the target's name.
        classes: what a target of 0, 1, … stands for; empty in a regression.
        task: binary, multiclass or regression.
        column_specs: how each column becomes inputs; by default as it is.
        target_scaling: how the target of a regression is scaled.
        dropped: how many rows were left out because they have no target.
        complete: whether it has every row that can occur, as a truth table has, so that none can be held out.
        notes: how it was read from a file, where that is not obvious; one sentence each.
        weights: [rows] finite numbers above 0, by which the losses of the rows are multiplied; None if all are equal.
            Training scales them to a mean of 1, so only their ratios count.

    Raises:
        ValueError: if the weights are not such numbers, one for each row.
    """

    x: Float[np.ndarray, "rows inputs"]
    y: Float[np.ndarray, " rows"]
    columns: tuple[str, ...]
    target: str
    classes: tuple[Class, ...] = (0, 1)
    task: str = "binary"
    column_specs: ColumnSpecs = ()
    target_scaling: NumericColumn = IDENTITY
    dropped: int = 0
    complete: bool = True
    notes: tuple[str, ...] = ()
    weights: Float[np.ndarray, "*weights"] | None = None

    def __post_init__(self) -> None:
        if not self.column_specs:
            object.__setattr__(self, "column_specs", (IDENTITY,) * len(self.columns))
        if self.weights is not None:
            check_weights(self.weights, len(self.y))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the inputs, the target, the weights, and what they stand for: 64 hexadecimal characters."""
        digest = hashlib.sha256(np.ascontiguousarray(self.x).data)
        meaning = (self.columns, self.target, self.classes, self.task, self.column_specs, self.target_scaling)
        digest.update(repr(meaning).encode())
        digest.update(np.ascontiguousarray(self.y).data)
        if self.weights is not None:
            digest.update(np.ascontiguousarray(self.weights).data)
        return digest.hexdigest()


def check_weights(weights: Num[np.ndarray, "*shape"], rows: int) -> None:
    """Check the weights of rows.

    Args:
        weights: one for each row, finite numbers above 0.
        rows: how many rows there are.

    Raises:
        ValueError: if the weights are not such numbers.
    """
    if weights.shape != (rows,):
        raise ValueError(f"weights must have the shape {[rows]}, not {list(weights.shape)}")
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError("weights must be finite numbers above 0, and some are not; leave out rows without weight")


def table_from_arrays(
    x: Float[np.ndarray, "rows columns"],
    y: Num[np.ndarray, " rows"],
    classes: Sequence[Class] = (),
    task: str = "",
    weights: Num[np.ndarray, "*weights"] | None = None,
) -> Table:
    """The table of arrays, scaled as a file's columns are.

    Args:
        x: [rows, columns], at least one row; NaN where a value is missing. The columns are named x0, x1, ….
        y: [rows] finite numbers: the index of each row's class, or without classes the number to predict.
        classes: what a target of 0, 1, … stands for; none for a regression.
        task: binary, multiclass or regression; by default regression without classes, binary with two of them, and
            multiclass with more.
        weights: [rows] finite numbers above 0, how much each row counts; by default all count the same.

    Returns:
        A table whose target is named y.

    Raises:
        ValueError: if x and y are not such arrays, or if float32 cannot hold their numbers.

    Example:
        >>> table = table_from_arrays(np.array([[1.0], [2.0], [3.0]]), np.array([0, 1, 1]), ("no", "yes"))
        >>> table.x.round(3).tolist(), table.columns, table.task
        ([[-0.493...], [0.0], [0.493...]], ('x0',), 'binary')
    """
    if task not in ("", *TASKS):
        raise ValueError(f"task must be one of {', '.join(TASKS)}, not {task!r}")
    shape_of("x", x), shape_of("y", y)
    if len(x) != len(y) or not len(x):
        raise ValueError(f"x and y must have as many rows, at least one, not {len(x)} and {len(y)}")
    columns = [np.asarray(x[:, index], np.float64) for index in range(x.shape[1])]
    counts = None if weights is None else np.asarray(weights, np.float64)
    if counts is not None:
        check_weights(counts, len(x))
    column_specs = tuple(fit_numeric(column, counts) for column in columns)
    names = tuple(f"x{index}" for index in range(len(columns)))
    return table_from_inputs(
        encode(column_specs, columns), dict(zip(names, column_specs, strict=True)), y, classes, task, counts
    )


def table_from_inputs(
    x: Float[np.ndarray, "rows inputs"],
    specs: Mapping[str, ColumnSpec],
    y: Num[np.ndarray, " rows"],
    classes: Sequence[Class] = (),
    task: str = "",
    weights: Float[np.ndarray, " rows"] | None = None,
    notes: tuple[str, ...] = (),
) -> Table:
    """The table of inputs and a target that is not yet scaled.

    Args:
        x: [rows, inputs] float32, as `encode` returns them.
        specs: of the columns, by their names.
        y: as in `table_from_arrays`.
        classes: as in `table_from_arrays`.
        task: as in `table_from_arrays`.
        weights: as in `table_from_arrays`.
        notes: how the columns were read.

    Returns:
        A table whose target is named y.

    Raises:
        ValueError: if y or the weights are not finite, or if float32 cannot hold y.
    """
    values = np.asarray(y, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("y must be finite numbers, and it has others")
    target_scaling = IDENTITY if classes else fit_target_scaling(values, weights)
    return Table(
        x=x,
        y=(values if classes else target_scaling.scaled(values)).astype(np.float32),
        columns=tuple(specs),
        target="y",
        classes=tuple(classes),
        task=task or {0: "regression", 2: "binary"}.get(len(classes), "multiclass"),
        column_specs=tuple(specs.values()),
        target_scaling=target_scaling,
        complete=False,
        notes=notes,
        weights=None if weights is None else weights.astype(np.float32),
    )
