"""The gradients that are to be judged, and how far rounding may move them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model.checking.evaluator import Evaluator
from model.checking.rounding import EPS
from model.checking.verdicts import larger_magnitude
from model.pytrees import Flat, Tree

# The distance of the points among which the rounding of a gradient in float64 is seen: too small for anything else.
NEARBY_SPACING = 2.0**-40
# What rounding may do to a gradient in float64, relative to it, where it is not measured.
ASSUMED_ROUNDING = 1e-9


@dataclass(frozen=True)
class AnalyticGradients:
    """The gradients of all parameters, [size] each, by the name of their way: grad and by_hand, as far as there are.

    unit_roundoff: how coarsely each entry is computed. rounding: how far off it may be by that.
    """

    by_method: dict[str, Flat]
    unit_roundoff: Flat
    rounding: Flat

    def disagreement(self) -> Flat:
        """How far the ways are apart at each entry, relative to their size; 0 where there is one."""
        if len(self.by_method) < 2:
            return np.zeros_like(self.unit_roundoff)
        one, other = self.by_method.values()
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = np.abs(one - other) / larger_magnitude(one, other)
        return np.where(np.isfinite(one) & np.isfinite(other), np.nan_to_num(apart), 1.0)


def analytic_gradients(
    evaluator: Evaluator, by_hand: Callable[..., Tree] | None, direction: Flat, offsets: np.ndarray, coarse: Flat
) -> AnalyticGradients:
    """Both gradients, and how far rounding may move them, seen at nine points close together along a direction.

    offsets [9]: how far along. coarse [size]: how coarsely the function itself computes.
    """
    problem = evaluator.problem
    written: dict[str, Flat] = {}
    unit, scatter = coarse, np.zeros(direction.size)
    reverse = evaluator.gradients(direction, offsets)
    if reverse is not None:
        around, coarsest = reverse
        written["grad"] = around[len(around) // 2]
        unit, scatter = np.maximum(unit, np.repeat(coarsest, problem.sizes)), _scatter(around, problem.sizes)
    if by_hand is not None:
        written["by_hand"], coarsest = evaluator.by_hand(by_hand)
        unit = np.maximum(unit, np.repeat(coarsest, problem.sizes))
    size = np.max([np.zeros(direction.size), *(np.nan_to_num(np.abs(g), posinf=0.0) for g in written.values())], axis=0)
    return AnalyticGradients(written, unit, scatter + np.where(unit > EPS, 4 * unit, 0.0) * size)


def _scatter(around: np.ndarray, sizes: list[int]) -> Flat:
    """How far rounding can move each entry of a gradient, from its values at nine points, [9, size], or at one.

    Third differences of the four points to each side, over √20; the smaller of the two, as a kink may lie between.
    """
    if len(around) == 1:
        return np.asarray(ASSUMED_ROUNDING * np.nan_to_num(np.abs(around[0]), posinf=0.0))
    with np.errstate(invalid="ignore", over="ignore"):
        sides = [np.abs(np.diff(side, 3, axis=0)[0]) / np.sqrt(20) for side in (around[:4], around[5:])]
        own = np.nan_to_num(np.fmin(*sides), posinf=0.0)
        leaves = np.split(own, np.cumsum(sizes)[:-1])
        typical = [np.median(leaf) if leaf.size else 0.0 for leaf in leaves]
        return np.asarray(8 * own + 4 * np.repeat(typical, sizes))
