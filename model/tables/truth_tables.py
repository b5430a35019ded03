"""Truth tables of gates with two inputs."""

from __future__ import annotations

import numpy as np

from model.tables.table import Table

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
