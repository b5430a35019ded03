"""Truth tables of gates with two inputs."""

from __future__ import annotations

import numpy as np

from model.tables.table import Table
from model.tables.targets import Class

# The target of each row (a, b) = (0, 0), (0, 1), (1, 0), (1, 1).
TRUTH_TABLES: dict[str, tuple[int, int, int, int]] = {
    "xor": (0, 1, 1, 0),
    "and": (0, 0, 0, 1),
    "or": (0, 1, 1, 1),
    "nand": (1, 1, 1, 0),
    "nor": (1, 0, 0, 0),
    "xnor": (1, 0, 0, 1),
}


def truth_table(name: str) -> Table:
    """The truth table of a gate with two inputs, a and b.

    Args:
        name: xor, and, or, nand, nor or xnor.

    Returns:
        A table with x [4, 2] and y [4], whose target has the gate's name.

    Raises:
        ValueError: for any other name.

    Example:
        >>> table = truth_table("xor")
        >>> table.x.tolist(), table.y.tolist()
        ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0])
    """
    if name not in TRUTH_TABLES:
        raise ValueError(f"a truth table must be one of {', '.join(TRUTH_TABLES)}, not {name!r}")
    x = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], np.float32)
    return Table(x, np.array(TRUTH_TABLES[name], np.float32), ("a", "b"), name)


def truth_table_of(name: str, digest: str, columns: tuple[str, ...], classes: tuple[Class, ...]) -> Table | None:
    """The truth table on which a network was trained, from what a checkpoint says about it.

    Args:
        name: of the table.
        digest: of the table; empty for a truth table.
        columns: the names of its columns.
        classes: what a target of 0, 1, … stands for.

    Returns:
        The table; None if it was another, whose rows a checkpoint does not hold.

    Example:
        >>> truth_table_of("xor", "", ("a", "b"), (0, 1)).y.tolist(), truth_table_of("iris", "1f", ("size",), (0, 1))
        ([0.0, 1.0, 1.0, 0.0], None)
    """
    if digest or name not in TRUTH_TABLES:
        return None
    table = truth_table(name)
    return table if (table.columns, table.classes) == (columns, classes) else None
