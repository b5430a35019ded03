"""From messages to tables, and back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import numpy as np

from model.messages import quote
from model.network import Network
from model.tables.columns import count_inputs
from model.tables.point_sets import POINT_SETS, point_set
from model.tables.table import Table
from model.tables.truth_tables import TRUTH_TABLES, truth_table
from model.tasks import TASKS
from serve import learning_limits as limits
from serve.errors import RequestError
from serve.learning import checks
from serve.learning.networks import array_of
from serve.learning_messages import TableMessage

DEFAULT_ROWS, DEFAULT_NOISE = 200, 0.1
# The fields that a table by name may have, and those of a table as it is.
_NAMED, _DRAWN = ("name",), ("name", "rows", "noise", "seed")
_GIVEN = ("x", "y", "columns", "target", "classes", "task", "encoding")


def table_of(message: TableMessage) -> Table:
    """The table of a message. Raises RequestError if there is no such table, or if it is too large."""
    given = {name for name in message.__struct_fields__ if getattr(message, name) is not None}
    if message.name is None:
        _check_fields(given, _GIVEN, "a table as it is")
        return _given_table(message)
    _check_fields(given, _NAMED if message.name in TRUTH_TABLES else _DRAWN, f"the table {quote(message.name)}")
    if message.name in TRUTH_TABLES:
        return truth_table(message.name)
    if message.name not in POINT_SETS:
        names = ", ".join([*TRUTH_TABLES, *POINT_SETS])
        raise RequestError(f"table.name: one of {names} was expected, and {quote(message.name)} was found")
    rows = DEFAULT_ROWS if message.rows is None else message.rows
    noise = DEFAULT_NOISE if message.noise is None else message.noise
    seed = 0 if message.seed is None else message.seed
    checks.check_range("table.rows", rows, 2, limits.MAX_ROWS)
    checks.check_range("table.noise", noise, 0, limits.MAX_NOISE)
    checks.check_range("table.seed", seed, 0, limits.MAX_SEED)
    return _points(message.name, rows, float(noise), seed)


@lru_cache(maxsize=32)
def _points(name: str, rows: int, noise: float, seed: int) -> Table:
    return point_set(name, rows, noise, key=jax.random.key(seed))


def _check_fields(given: set[str], known: tuple[str, ...], what: str) -> None:
    unknown = sorted(given.difference(known))
    if unknown:
        raise RequestError(f"table: {what} was expected to have {', '.join(known)}, and {', '.join(unknown)} was found")


def _given_table(message: TableMessage) -> Table:
    x, y = message.x, message.y
    if x is None or y is None:
        raise RequestError("table: a name, or x and y, were expected, and neither was found")
    checks.check_range("table.x: rows", len(x), 1, limits.MAX_ROWS)
    checks.check_range("table.x: columns", len(x[0]), 1, limits.MAX_INPUTS)
    inputs = array_of("table.x", x, (len(x), len(x[0])))
    targets = array_of("table.y", y, (len(x),))
    names = [f"x{index + 1}" for index in range(len(x[0]))] if message.columns is None else message.columns
    target = "y" if message.target is None else message.target
    for name in (*names, target):
        checks.check_name("table: the name of a column", name)
    task = message.task or "binary"
    classes = _classes(message, task)
    _check_targets(targets, task, len(classes))
    table = Table(inputs, targets, tuple(names), target, tuple(classes), task, complete=False)
    return _encoded(table, message) if message.encoding else _plain(table, message)


def _plain(table: Table, message: TableMessage) -> Table:
    if len(table.columns) != table.x.shape[1] or len(set(table.columns)) != len(table.columns):
        raise RequestError(
            f"table.columns: {table.x.shape[1]} different names were expected, and {len(set(table.columns))} were found"
        )
    return table


def _encoded(table: Table, message: TableMessage) -> Table:
    """The table with the columns of the file that it comes from."""
    encoding = message.encoding
    assert encoding is not None
    columns = tuple(encoding.columns)
    for name in columns:
        checks.check_name("table.encoding: the name of a column", name)
    try:
        inputs = count_inputs(encoding.column_specs)
    except (ValueError, OverflowError, KeyError, TypeError):
        inputs = -1
    if not len(columns) == len(set(columns)) == len(encoding.column_specs) or inputs != table.x.shape[1]:
        raise RequestError(
            f"table.encoding: different columns that make {table.x.shape[1]} inputs were expected, and others were "
            "found"
        )
    return Table(
        table.x,
        table.y,
        columns,
        table.target,
        table.classes,
        table.task,
        encoding.column_specs,
        encoding.target_scaling,
        complete=False,
    )


def _classes(message: TableMessage, task: str) -> list[str | int]:
    if task not in TASKS:
        raise RequestError(f"table.task: one of {', '.join(TASKS)} was expected, and {quote(task)} was found")
    default: list[str | int] = [0, 1] if task == "binary" else []
    classes = default if message.classes is None else message.classes
    for each in classes:
        checks.check_name("table.classes: a class", str(each))
        if isinstance(each, int) and abs(each) >= 2**53:
            raise RequestError("table.classes: whole numbers within ±2^53 were expected, and a larger one was found")
    low, high = {"binary": (2, 2), "multiclass": (2, limits.MAX_OUTPUTS), "regression": (0, 0)}[task]
    checks.check_range("table.classes: number", len(classes), low, high)
    if len({str(each) for each in classes}) != len(classes):
        raise RequestError("table.classes: different classes were expected, and some are the same")
    return classes


def _check_targets(targets: np.ndarray, task: str, classes: int) -> None:
    if task != "regression" and not np.isin(targets, np.arange(classes)).all():
        wrong = targets[~np.isin(targets, np.arange(classes))][0]
        raise RequestError(f"table.y: whole numbers from 0 to {classes - 1} were expected, and {wrong:g} was found")


def check_fit(network: Network, table: Table) -> None:
    """Raise RequestError unless a network takes the inputs of a table and predicts its target."""
    outputs = TASKS[table.task].output_count(len(table.classes))
    expected = f"{table.x.shape[1]} inputs, {outputs} outputs and the task {table.task}"
    sizes = network.sizes
    if (sizes[0], sizes[-1], network.task) != (table.x.shape[1], outputs, table.task):
        found = f"{sizes[0]}, {sizes[-1]} and {network.task}"
        raise RequestError(f"network: {expected} were expected for this table, and {found} were found")


def table_as_data(table: Table) -> dict[str, Any]:
    """A table for JSON."""
    low, high = table.x.min(axis=0), table.x.max(axis=0)
    return {
        "columns": list(table.columns),
        "target": table.target,
        "classes": list(table.classes),
        "task": table.task,
        "x": table.x.tolist(),
        "y": table.y.tolist(),
        "lows": low.tolist(),
        "highs": high.tolist(),
    }
