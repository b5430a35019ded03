"""The table that a network learns from, and how to make one of arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from model.arrays import shape_of
from model.tables.columns import IDENTITY, ColumnSpec, ColumnSpecs, NumericColumn
from model.tables.digests import digest_of_inputs
from model.tables.encoding import aligned_empty, encode
from model.tables.memory import available_memory, check_memory
from model.tables.numeric_scaling import fit_numeric
from model.tables.row_checks import check_split, check_weights
from model.tables.target_scaling import fit_target_scaling
from model.tables.targets import Class
from model.tasks import TASKS

# The attributes of a table that decide which rows are held out.
SPLITS = ("groups", "times", "held_out")


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
        groups: [rows] int32 from 0. Rows of the same group are never on both sides of the split into rows to learn
            from and rows to hold out. None if every row is by itself.
        times: [rows] float64, NaN where unknown. The latest rows are held out. None if the time does not matter.
        held_out: [rows] bool. These rows are held out, and no others. None if they are drawn from all rows. At most one
            of groups, times and held_out is given.
        split_by: the name of the column of the groups or times, or of the file whose rows are held out; for people.
        time_style: how times are written, as in `describe_date`; empty for numbers.

    Raises:
        ValueError: if the weights, groups, times or rows to hold out are not such numbers, one for each row, or if
            several of the last three are given.
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
    groups: Int[np.ndarray, "*groups"] | None = None
    times: Float[np.ndarray, "*times"] | None = None
    held_out: Bool[np.ndarray, "*held_out"] | None = None
    split_by: str = ""
    time_style: str = ""

    def __post_init__(self) -> None:
        if not self.column_specs:
            object.__setattr__(self, "column_specs", (IDENTITY,) * len(self.columns))
        if self.weights is not None:
            check_weights(self.weights, len(self.y))
        check_split(self.groups, self.times, self.held_out, len(self.y))

    @property
    def has_own_split(self) -> bool:
        """Whether it says how its rows are split: by groups, by times, or by naming those that are held out."""
        return not (self.groups is None and self.times is None and self.held_out is None)

    @property
    def input_count(self) -> int:
        """How many inputs the columns have together."""
        return int(self.x.shape[1])

    def inputs(self, rows: Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "chosen inputs"]:
        """The inputs of some rows, given by their indices."""
        chosen: np.ndarray = self.x[rows]
        return chosen

    def read_inputs(self, start: int, x: Float[np.ndarray, "rows inputs"]) -> None:
        """Write the inputs of the rows from `start` on into x, as many as it has."""
        x[:] = self.x[start : start + len(x)]

    def prepare_inputs(self, start: int, rows: int) -> None:
        """Say that so many rows from `start` on will be read soon. Rows in memory need no preparation."""

    def append_inputs(self, x: Float[np.ndarray, "held inputs"]) -> dict[str, Any]:
        """The attributes of a table that has the inputs of further rows too."""
        learned, (rows, inputs) = len(self.y), (len(self.y) + len(x), self.input_count)
        check_memory(rows * inputs * 4, f"{rows:,} rows of {inputs:,} inputs", available_memory())
        joined = aligned_empty(rows, inputs)
        joined[:learned], joined[learned:] = self.x, x
        return {"x": joined}

    def _hash_inputs(self) -> hashlib._Hash:
        return hashlib.sha256(np.ascontiguousarray(self.x).data)

    @cached_property
    def inputs_digest(self) -> str:
        """The digest of the inputs of the rows of the file, by which the file is known again."""
        return digest_of_inputs([self.x if self.held_out is None else self.x[~self.held_out]])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the inputs, the target, the weights, what decides the split, and what they all stand for.

        It has 64 hexadecimal characters.
        """
        digest: hashlib._Hash = self._hash_inputs()
        meaning = (self.columns, self.target, self.classes, self.task, self.column_specs, self.target_scaling)
        digest.update(repr(meaning).encode())
        digest.update(np.ascontiguousarray(self.y).data)
        if self.weights is not None:
            digest.update(np.ascontiguousarray(self.weights).data)
        for name in SPLITS:
            if (values := getattr(self, name)) is not None:
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()


def with_target_scaling(table: Table, scaling: NumericColumn) -> Table:
    """A table with its target on another scale.

    Args:
        table: the table.
        scaling: of the target.

    Returns:
        The same table if it has this scaling.

    Example:
        >>> table = table_from_arrays(np.zeros((2, 1)), np.array([1.0, 3.0]))
        >>> with_target_scaling(table, NumericColumn(scale=2.0)).y.tolist()
        [0.5, 1.5]
    """
    if scaling == table.target_scaling:
        return table
    values = table.target_scaling.unscale(table.y)
    return replace(table, y=scaling.scaled(values).astype(np.float32), target_scaling=scaling)


def rows_of(table: Table, rows: Int[np.ndarray, " chosen"]) -> Table:
    """A table with some of the rows.

    Args:
        table: the table.
        rows: the indices of the rows.

    Returns:
        The same columns and the same target, in memory.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> rows_of(truth_table("xor"), np.array([1, 3])).y.tolist()
        [1.0, 0.0]
    """
    named = {field.name: getattr(table, field.name) for field in fields(Table) if field.name != "x"}
    for name in ("y", "weights", *SPLITS):
        named[name] = None if named[name] is None else named[name][rows]
    return Table(x=table.inputs(rows), **named)


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
        ([[-0.49...], [0.0], [0.49...]], ('x0',), 'binary')
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
