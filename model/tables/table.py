"""Tables: columns of values and the target to learn from them, a truth table's or a file's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Num

from model.messages import as_option
from model.tables.columns import PLAIN, WITHIN, Category, Number, Scaling, empty, encode, number, width
from model.tables.files import File, refusal
from model.tables.parsing import from_series
from model.tables.targets import Class, target_of
from model.tasks import TASKS

if TYPE_CHECKING:
    import polars

# Rows that are encoded at a time, and how many threads do so; each has copies of what it works on.
PART, THREADS = 16_384, 2

# The target of each row (a, b) = (0, 0), (0, 1), (1, 0), (1, 1).
TRUTH_TABLES: dict[str, tuple[int, int, int, int]] = {
    "xor": (0, 1, 1, 0),
    "and": (0, 0, 0, 1),
    "or": (0, 1, 1, 1),
    "nand": (1, 1, 1, 0),
    "nor": (1, 0, 0, 0),
    "xnor": (1, 0, 0, 1),
}

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
    path: File,
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
    from model.tables.reading import read_frame

    if task is not None and task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, not {task!r}")
    if columns is not None and not columns:
        raise refusal(path, "columns to learn from", "none", "name some, or leave --columns out")
    if target in (*(columns or ()), *drop):
        raise refusal(path, f"{target} as the target alone", "it among --columns or --drop", "name it once")
    return table_of(read_frame(path, columns, target=target, drop=drop), path, target, task)


def table_of(frame: polars.DataFrame, path: File, target: str, task: str | None = None) -> Table:
    """The table of a frame, whose columns are all to be learnt from but for the target. path: named in messages."""
    rows = len(frame)
    if frame[target].null_count():
        frame = frame.filter(frame[target].is_not_null())
    if not len(frame):
        raise refusal(path, f"a value of {target} in some row", "none", "name another --target")
    task, classes, unit, y = target_of(frame[target], path, task)
    names = tuple(name for name in frame.columns if name != target)
    if not names:
        raise refusal(path, "a column beside the target", "none", "name a file with more, or other --columns")
    scaling = _scaling(frame, names, path)
    dropped = rows - len(frame)
    parts = type(frame)([frame[name] for name in names]).iter_slices(PART)  # not select, which takes patterns
    del frame  # so that the memory of each part is free once it is encoded
    x = empty(len(y), width(scaling))

    def fill(first: int, part: polars.DataFrame) -> None:
        values = [from_series(column, part[name]) for name, column in zip(names, scaling, strict=True)]
        x[first : first + len(part)] = encode(scaling, values)

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(fill, PART * index, part) for index, part in enumerate(parts)]:
            done.result()
    return Table(x, y, names, target, classes, task, scaling, unit, dropped, complete=False)


def _scaling(frame: polars.DataFrame, names: Sequence[str], path: File) -> Scaling:
    def column_of(name: str) -> Number | Category:
        series = frame[name].alias("")  # polars takes a name as a pattern, in a series too
        return _number(series, name, path) if series.dtype.is_numeric() else _category(series)

    with ThreadPoolExecutor(THREADS) as pool:
        columns = tuple(pool.map(column_of, names))
    texts = ((name, column) for name, column in zip(names, columns, strict=True) if isinstance(column, Category))
    notes = [name for name, column in texts if _is_a_note(column, len(frame) - frame[name].null_count())]
    if notes:
        counts = ", ".join(f"{frame[name].n_unique():,} in {name}" for name in notes)
        raise refusal(
            path,
            "text columns with few different texts",
            f"{counts}, of {len(frame):,} rows",
            f"leave such columns out: --drop {as_option(notes)}",
        )
    return columns


def _is_a_note(column: Category, present: int) -> bool:
    count = len(column.categories)
    return count > MOST_CATEGORIES or (count > SOME and 2 * count > present)


def _number(series: polars.Series, name: str, path: File) -> Number:
    import polars as pl

    try:
        return number(series.cast(pl.Float64).fill_null(np.nan).to_numpy())
    except ValueError:
        remedy = f"leave it out: --drop {as_option([name])}"
        raise refusal(path, f"{WITHIN} in {name}", f"{series.min()!r} to {series.max()!r}", remedy) from None


def _category(series: polars.Series) -> Category:
    import polars as pl

    boolean = series.dtype == pl.Boolean
    present: Any = series.cast(pl.String).unique().drop_nulls().sort()
    return Category(tuple(present), bool(series.null_count()), boolean)
