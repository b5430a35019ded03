"""The table that a network learns from, and how to make one of arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Num

from model.arrays import shape_of
from model.tables.columns import IDENTITY, ColumnSpecs, NumericColumn, encode, fit_numeric
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
        notes: how it was read from a file, where that is not plain; one sentence each.
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

    def __post_init__(self) -> None:
        if not self.column_specs:
            object.__setattr__(self, "column_specs", (IDENTITY,) * len(self.columns))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the inputs, the target, and what they stand for: 64 hexadecimal characters."""
        digest = hashlib.sha256(np.ascontiguousarray(self.x).data)
        meaning = (self.columns, self.target, self.classes, self.task, self.column_specs, self.target_scaling)
        digest.update(repr(meaning).encode())
        digest.update(np.ascontiguousarray(self.y).data)
        return digest.hexdigest()


def table_from_arrays(
    x: Float[np.ndarray, "rows columns"], y: Num[np.ndarray, " rows"], classes: Sequence[Class] = (), task: str = ""
) -> Table:
    """The table of arrays, scaled as a file's columns are.

    Args:
        x: [rows, columns], at least one row; NaN where a value is missing. The columns are named x0, x1, ….
        y: [rows] finite numbers: the index of each row's class, or without classes the number to predict.
        classes: what a target of 0, 1, … stands for; none for a regression.
        task: binary, multiclass or regression; by default regression without classes, binary with two of them, and
            multiclass with more.

    Returns:
        A table whose target is named y.

    Raises:
        ValueError: if x and y are not such arrays, or if float32 cannot hold their numbers.

    Example:
        >>> table = table_from_arrays(np.array([[1.0], [3.0]]), np.array([0, 1]), ("no", "yes"))
        >>> table.x.tolist(), table.columns, table.task
        ([[-1.0], [1.0]], ('x0',), 'binary')
    """
    if task not in ("", *TASKS):
        raise ValueError(f"task must be one of {', '.join(TASKS)}, not {task!r}")
    shape_of("x", x), shape_of("y", y)
    if len(x) != len(y) or not len(x):
        raise ValueError(f"x and y must have as many rows, at least one, not {len(x)} and {len(y)}")
    values = np.asarray(y, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("y must be finite numbers, and it has others")
    columns = [np.asarray(x[:, index], np.float64) for index in range(x.shape[1])]
    column_specs = tuple(fit_numeric(column) for column in columns)
    target_scaling = IDENTITY if classes else fit_numeric(values)
    return Table(
        x=encode(column_specs, columns),
        y=(values if classes else target_scaling.scaled(values)).astype(np.float32),
        columns=tuple(f"x{index}" for index in range(len(columns))),
        target="y",
        classes=tuple(classes),
        task=task or {0: "regression", 2: "binary"}.get(len(classes), "multiclass"),
        column_specs=column_specs,
        target_scaling=target_scaling,
        complete=False,
    )
