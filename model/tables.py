"""Tables: columns of values and the target to learn from them, a truth table's or a file's."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Num

from model.columns import PLAIN, Category, Number, Scaling, TableError, empty, encode, from_series, known, number, width
from model.tasks import TASKS
from model.text import as_option, shown

if TYPE_CHECKING:
    import polars

# Rows that are encoded at a time.
PART = 16_384

# The target of each row (a, b) = (0, 0), (0, 1), (1, 0), (1, 1).
TRUTH_TABLES: dict[str, tuple[int, int, int, int]] = {
    "xor": (0, 1, 1, 0),
    "and": (0, 0, 0, 1),
    "or": (0, 1, 1, 1),
    "nand": (1, 1, 1, 0),
    "nor": (1, 0, 0, 0),
    "xnor": (1, 0, 0, 1),
}

Class = int | float | str | bool

# A target of at most so many different whole numbers, each in so many rows on average, is one of classes.
FEW_NUMBERS, ROWS_EACH = 20, 5
MOST_CLASSES = 1_000
# Up to here float64 has every whole number.
EXACT = 2**53
# A text column with more categories than this, or with more than SOME while most rows have their own, is none to learn
# from.
MOST_CATEGORIES, SOME = 1_000, 20


@dataclass(frozen=True, eq=False)
class Table:
    """What to learn from.

    x: the network's inputs, float32. y: the target, float32: 0 or 1 (binary), the index of the class (multiclass), or
    the number as unit scales it (regression). columns: their names. target: its name. classes: what a target of 0, 1, …
    stands for; none in a regression. task: binary, multiclass or regression. scaling: how each column becomes inputs,
    by default as it is. unit: how the target of a regression is scaled. dropped: how many rows without a target were
    left out. complete: whether it has every row that there can be, so that none can be held out.
    """

    x: Float[np.ndarray, "rows inputs"]
    y: Float[np.ndarray, " rows"]
    columns: tuple[str, ...]
    target: str
    classes: tuple[Class, ...] = (0, 1)
    task: str = "binary"
    scaling: Scaling = ()
    unit: Number = PLAIN
    dropped: int = 0
    complete: bool = True

    def __post_init__(self) -> None:
        if not self.scaling:
            object.__setattr__(self, "scaling", (PLAIN,) * len(self.columns))

    def digest(self) -> str:
        """SHA-256 over the inputs, the target, and what they stand for, in hexadecimal."""
        found = hashlib.sha256(np.ascontiguousarray(self.x).data)
        found.update(repr((self.columns, self.target, self.classes, self.task, self.scaling, self.unit)).encode())
        found.update(np.ascontiguousarray(self.y).data)
        return found.hexdigest()


def truth_table(name: str) -> Table:
    """The truth table of a gate of two inputs, a and b: xor, and, or, nand, nor or xnor.

    Returns x [4, 2] and y [4]; the target bears the gate's name. Raises ValueError for any other name.

    >>> table = truth_table("xor")
    >>> table.x.tolist(), table.y.tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0])
    """
    if name not in TRUTH_TABLES:
        raise ValueError(f"a truth table must be one of {', '.join(TRUTH_TABLES)}, not {name!r}")
    x = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], np.float32)
    return Table(x, np.array(TRUTH_TABLES[name], np.float32), ("a", "b"), name)


def table_of_arrays(
    x: Float[np.ndarray, "rows columns"], y: Num[np.ndarray, " rows"], classes: Sequence[Class] = (), task: str = ""
) -> Table:
    """The table of arrays: columns x0, x1, … scaled as a file's are, NaN where missing, and the target y.

    y: with classes the index of each row's, otherwise numbers. task: by default regression without classes, binary with
    two and multiclass with more. Raises ValueError where numbers have no mean or spread.

    >>> table = table_of_arrays(np.array([[1.0], [3.0]]), np.array([0, 1]), ("no", "yes"))
    >>> table.x.tolist(), table.columns, table.task
    ([[-1.0], [1.0]], ('x0',), 'binary')
    """
    if task not in ("", *TASKS):
        raise ValueError(f"task must be one of {', '.join(TASKS)}, not {task!r}")
    if len(x) != len(y) or not len(x):
        raise ValueError(f"x and y must have as many rows, at least one, not {len(x)} and {len(y)}")
    if not np.isfinite(np.asarray(y, np.float64)).all():
        raise ValueError("y must be finite numbers, and it has others")
    columns = [np.asarray(x[:, index], np.float64) for index in range(x.shape[1])]
    scaling = tuple(number(column) for column in columns)
    task = task or {0: "regression", 2: "binary"}.get(len(classes), "multiclass")
    values = np.asarray(y, np.float64)
    unit = PLAIN if classes else number(values)
    scaled = (values if classes else unit.scaled(values)).astype(np.float32)
    names = tuple(f"x{index}" for index in range(len(columns)))
    return Table(encode(scaling, columns), scaled, names, "y", tuple(classes), task, scaling, unit, complete=False)


def read_table(
    path: str | os.PathLike[str],
    target: str,
    *,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    task: str | None = None,
) -> Table:
    r"""The table in a CSV or Parquet file.

    target: the column to predict; rows without it are left out and counted. columns: those to predict it from, in this
    order; by default all others but the ones to drop. task: binary, multiclass or regression; by default binary where
    the target has two values, multiclass where it has texts, booleans or few whole numbers, and else regression.

    Raises TableError where the file is no table that a network can learn from.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("size,color,price\n1,red,10\n2,blue,20\n3,red,35\n")
    ...     file.flush()
    ...     table = read_table(file.name, "price")
    >>> table.columns, table.task, table.x.shape, table.unit.mean
    (('size', 'color'), 'regression', (3, 3), 21.666666666666668)
    """
    from model.reading import read_frame

    refuse = _Refusal(path)
    if task is not None and task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, not {task!r}")
    if columns is not None and not columns:
        raise refuse("columns to learn from", "none", "name some, or leave --columns out")
    if target in (*(columns or ()), *drop):
        raise refuse(f"{target} as the target alone", "it among --columns or --drop", "name it once")
    return table_of(read_frame(path, columns, target=target, drop=drop), path, target, task)


def table_of(frame: polars.DataFrame, path: str | os.PathLike[str], target: str, task: str | None = None) -> Table:
    """The table of a frame, whose columns are all to be learnt from but for the target. path: named in messages."""
    refuse = _Refusal(path)
    rows = len(frame)
    if frame[target].null_count():
        frame = frame.filter(frame[target].is_not_null())
    if not len(frame):
        raise refuse(f"a value of {target} in some row", "none", "name another --target")
    task, classes, unit, y = _target(frame[target], target, task, refuse)
    names = tuple(name for name in frame.columns if name != target)
    if not names:
        raise refuse("a column beside the target", "none", "name a file with more, or other --columns")
    scaling = _scaling(frame, names, refuse)
    dropped = rows - len(frame)
    parts = deque(type(frame)([frame[name] for name in names]).iter_slices(PART))  # not select, which takes patterns
    del frame  # so that the memory of each part is free once it is encoded
    x, first = empty(len(y), width(scaling)), 0
    while parts:
        part = parts.popleft()
        values = [from_series(column, part[name]) for name, column in zip(names, scaling, strict=True)]
        x[first : first + len(part)] = encode(scaling, values)
        first += len(part)
    return Table(x, y, names, target, classes, task, scaling, unit, dropped, complete=False)


class _Refusal:
    """Makes errors that name the file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    def __call__(self, expected: str, found: str, remedy: str) -> TableError:
        return TableError(f"{self.path}: expected {expected}, found {found}; {remedy}")


def _target(
    series: polars.Series, name: str, task: str | None, refuse: _Refusal
) -> tuple[str, tuple[Class, ...], Number, np.ndarray]:
    """The task, the classes, the unit, and y."""
    different = series.n_unique()
    if different == 1:
        raise refuse(f"two different values of {name} or more", f"{shown(series[0])} alone", "name another --target")
    numeric = series.dtype.is_numeric()
    task = task or _inferred(series, different, numeric)
    if task == "regression":
        if not numeric:
            raise refuse(f"numbers in {name} for a regression", shown(series[0]), "leave --task out")
        return task, (), *_numbers(series, name, refuse)
    if task == "binary" and different != 2:
        raise refuse(f"two values of {name} for a binary task", f"{different:,}", "try --task multiclass")
    most = min(MOST_CLASSES, len(series) // 2)
    if different > most and different > 2:
        remedy = "try --task regression" if numeric else "name another --target"
        raise refuse(f"at most {most:,} classes of {name} in {len(series):,} rows", f"{different:,}", remedy)
    if numeric and max(abs(float(series.min())), abs(float(series.max()))) > EXACT:  # type: ignore[arg-type]
        raise refuse(f"classes of {name} within ±2^53", f"{series.min()!r} to {series.max()!r}", "make them texts")
    classes = _classes(series)
    return task, classes, PLAIN, targets(series, classes, refuse.path).astype(np.float32)


def targets(series: polars.Series, classes: Sequence[Class], path: str | os.PathLike[str]) -> np.ndarray:
    """The index of each row's class, or where there are no classes its number, float64.

    Raises TableError where it is none of them. path: named in it.
    """
    import polars as pl

    if series.dtype == pl.String and not any(isinstance(value, str) for value in classes):
        series = series.str.strip_chars()
        if bool in map(type, classes):
            series = series.str.to_lowercase().replace_strict({"false": 0.0, "true": 1.0}, default=None)
    if not classes:
        found, expected = series.cast(pl.Float64, strict=False), f"numbers in {series.name}"
    else:
        exact = isinstance(classes[0], str)
        typed = series.cast(pl.String if exact else pl.Float64, strict=False)
        values = list(classes) if exact else [float(value) for value in classes]
        found = typed.replace_strict(values, list(range(len(classes))), default=None, return_dtype=pl.Float64)
        expected = f"{known(classes)} in {series.name}"
    if found.null_count():
        row = int(found.is_null().arg_max() or 0)
        raise _Refusal(path)(expected, f"{shown(series[row])} in row {row + 1:,}", "name a file with the same target")
    return found.to_numpy()


def _inferred(series: polars.Series, different: int, numeric: bool) -> str:
    if different == 2:
        return "binary"
    few = different <= FEW_NUMBERS and different * ROWS_EACH <= len(series)
    return "multiclass" if not numeric or (few and _whole(series)) else "regression"


def _whole(series: polars.Series) -> bool:
    return series.dtype.is_integer() or bool((series.round() == series).all())


def _classes(series: polars.Series) -> tuple[Class, ...]:
    values = series.unique().sort()
    if series.dtype.is_float() and _whole(series):
        return tuple(int(value) for value in values)
    return tuple(values)


def _numbers(series: polars.Series, name: str, refuse: _Refusal) -> tuple[Number, np.ndarray]:
    import polars as pl

    values = series.cast(pl.Float64).to_numpy()
    try:
        unit = number(values)
    except ValueError as error:
        raise TableError(f"{refuse.path}: column {name}: {error}; name another --target") from None
    return unit, unit.scaled(values).astype(np.float32)


def _scaling(frame: polars.DataFrame, names: Sequence[str], refuse: _Refusal) -> Scaling:
    columns: list[Number | Category] = []
    notes: list[str] = []
    for name in names:
        series = frame[name]
        if series.dtype.is_numeric():
            columns.append(_number(series, name, refuse))
        else:
            category = _category(series)
            columns.append(category)
            count = len(category.categories)
            if count > MOST_CATEGORIES or (count > SOME and 2 * count > len(series) - series.null_count()):
                notes.append(name)
    if notes:
        counts = ", ".join(f"{frame[name].n_unique():,} in {name}" for name in notes)
        raise refuse(
            "text columns with few different texts",
            f"{counts}, of {len(frame):,} rows",
            f"leave such columns out: --drop {as_option(notes)}",
        )
    return tuple(columns)


def _number(series: polars.Series, name: str, refuse: _Refusal) -> Number:
    import polars as pl

    try:
        return number(series.cast(pl.Float64).fill_null(np.nan).to_numpy())
    except ValueError as error:
        raise TableError(f"{refuse.path}: column {name}: {error}; leave it out: --drop {as_option([name])}") from None


def _category(series: polars.Series) -> Category:
    import polars as pl

    boolean = series.dtype == pl.Boolean
    present: Any = series.cast(pl.String).unique().drop_nulls().sort()
    return Category(tuple(present), bool(series.null_count()), boolean)
