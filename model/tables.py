"""Tables: columns of numbers and the target to learn from them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from model.text import shown

# The target of each row (a, b) = (0, 0), (0, 1), (1, 0), (1, 1).
TRUTH_TABLES: dict[str, tuple[int, int, int, int]] = {
    "xor": (0, 1, 1, 0),
    "and": (0, 0, 0, 1),
    "or": (0, 1, 1, 1),
    "nand": (1, 1, 1, 0),
    "nor": (1, 0, 0, 0),
    "xnor": (1, 0, 0, 1),
}


@dataclass(frozen=True, eq=False)
class Table:
    """What to learn from.

    x: the columns' values, float32. y: the target, 0 or 1, float32. columns: their names. target: its name.
    classes: what a target of 0 and of 1 stand for.
    """

    x: Float[np.ndarray, "rows columns"]
    y: Float[np.ndarray, " rows"]
    columns: tuple[str, ...]
    target: str
    classes: tuple[int, ...] = (0, 1)


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


_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def parse_number(text: str) -> float:
    """The finite number that a text spells, such as 1, -0.5 or 2e3: in digits, without spaces or underscores.

    Raises ValueError where it does not, and where the number is beyond float32.

    >>> parse_number("2e3")
    2000.0
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"a number was expected, and {shown(text)} was found")
    return as_float32(float(text), text)


def as_float32(value: float, text: str = "") -> float:
    """The value, unchanged. text: how it was written. Raises ValueError where float32, in which the network computes,
    cannot hold it.

    >>> as_float32(1e39)
    Traceback (most recent call last):
    ValueError: a finite number within ±3.4e38 was expected, and '1e+39' was found
    """
    with np.errstate(over="ignore"):
        if not math.isfinite(np.float32(value)):
            raise ValueError(
                f"a finite number within ±3.4e38 was expected, and {shown(text or f'{value:g}')} was found"
            )
    return value
