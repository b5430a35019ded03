"""A direction along which a gradient is wrong, narrowed to the entries that are."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.step_search import sample_lines
from model.checking.verdicts import ERROR_MARGIN
from model.pytrees import Flat


class Narrowed(NamedTuple):
    """The entries that are wrong together.

    Attributes:
        entries: their positions in the vector of all parameters.
        judged: the derivative along them, according to the gradient.
        nudge: the same by differences.
        error: how far off `nudge` may be.
    """

    entries: np.ndarray
    judged: float
    nudge: float
    error: float


def narrow_direction(
    evaluator: Evaluator,
    gradient: Flat,
    directions: Directions,
    entry_roundoff: np.ndarray,
    rounding: Flat,
    tolerance: float,
) -> Narrowed:
    """Halve a direction again and again, as long as the wrong half can be told.

    Each half is a line like any other, so it takes no more memory.

    Args:
        evaluator: of the function.
        gradient: [size], which is wrong along the direction.
        directions: a single dense one.
        entry_roundoff: [size], the unit roundoff on the way from each parameter to the value.
        rounding: [size], how far off each entry of the gradient may be because of its own arithmetic.
        tolerance: how far two derivatives may differ beyond their errors, relative to the larger one.

    Returns:
        The entries that are left; for one entry, its derivative.
    """
    vector = directions.dense[0]
    found = Narrowed(np.flatnonzero(vector), np.nan, np.nan, np.inf)
    while len(found.entries) > 1:
        halves = np.array_split(found.entries, 2)
        dense = np.zeros((2, len(vector)))
        for row, half in zip(dense, halves, strict=True):
            row[half] = vector[half]
        lines = replace(directions, dense=dense, names=("first half", "second half"))
        judged = lines.derivatives_along(gradient)
        slope = sample_lines(evaluator, lines, lines.max_along(entry_roundoff), np.abs(judged)).differences.slope
        allowed = ERROR_MARGIN * slope.error + lines.errors_along(rounding) + tolerance * np.abs(slope.value)
        excess = np.nan_to_num(np.abs(judged - slope.value) - allowed, nan=-np.inf)
        worst = int(np.argmax(excess))
        if not excess[worst] > 0:
            break
        found = Narrowed(halves[worst], float(judged[worst]), float(slope.value[worst]), float(slope.error[worst]))
    return _per_entry(found, vector) if len(found.entries) == 1 else found


def _per_entry(found: Narrowed, vector: np.ndarray) -> Narrowed:
    """The derivative by a single entry instead of along its part of the vector."""
    step = float(vector[found.entries[0]])
    return Narrowed(found.entries, found.judged / step, found.nudge / step, found.error / abs(step))
