"""The gradients that are judged, computed by exact methods, and how far rounding may move them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.checking.evaluator import Evaluator
from model.checking.gradient_programs import NearbyPoints
from model.checking.rounding import FLOAT64_ROUNDOFF
from model.checking.user_gradient import UserGradient
from model.checking.verdicts import larger_magnitude
from model.pytrees import Flat

# The spacing of points at which the rounding of a gradient in float64 shows: too small for anything else to show.
NEARBY_SPACING = 2.0**-40
# What rounding is assumed to do to a gradient in float64 if it is not measured, relative to the gradient.
ASSUMED_ROUNDING = 1e-9
# The rounding of an entry is at most this times its own scatter plus this times the typical scatter of its leaf, but
# the typical scatter counts only up to so many times the entry's own.
OWN_SCATTER, LEAF_SCATTER, MAX_LEAF_SCATTER = 8, 4, 100
# If the scatter of one side is larger than the other's by this factor, there is a kink on that side.
KINK_SCATTER = 1e4
# The rounding of a coarse gradient is at most so many unit roundoffs.
COARSE_ROUNDINGS = 4


@dataclass(frozen=True)
class AnalyticGradients:
    """The gradients of all parameters.

    Attributes:
        by_method: [size] each, by the method's name: grad and by_hand, as far as there are.
        unit_roundoff: [size], how coarsely each entry is computed.
        rounding: [size], how far off each entry may be because of that.
        nearby: the points at which that was measured.
    """

    by_method: dict[str, Flat]
    unit_roundoff: Flat
    rounding: Flat
    nearby: NearbyPoints

    def disagreement(self) -> Flat:
        """[size], how far the methods differ at each entry, relative to their size; 0 if there is one method."""
        if len(self.by_method) < 2:
            return np.zeros_like(self.unit_roundoff)
        one, other = self.by_method.values()
        with np.errstate(invalid="ignore", divide="ignore"):
            difference = np.abs(one - other) / larger_magnitude(one, other)
        return np.where(np.isfinite(one) & np.isfinite(other), np.nan_to_num(difference), 1.0)


def analytic_gradients(
    evaluator: Evaluator, user_gradient: UserGradient | None, nearby: NearbyPoints, function_roundoff: Flat
) -> AnalyticGradients:
    """The gradients by reverse mode and by hand.

    Args:
        evaluator: of the function.
        user_gradient: the gradient by hand, or None.
        nearby: nine points at which reverse mode shows its rounding, or the point alone.
        function_roundoff: [size], the unit roundoff on the way from each parameter to the value.

    Returns:
        The gradients, and how far rounding may move them.

    Raises:
        NotCheckableError: if the gradient by hand raises, or returns another tree than params.
    """
    sizes = evaluator.function.sizes
    by_method: dict[str, Flat] = {}
    roundoff, scatter = function_roundoff, np.zeros(nearby.vector.size)
    reverse = evaluator.gradients(nearby)
    if reverse is not None:
        by_method["grad"] = reverse.gradients[len(reverse.gradients) // 2]
        roundoff = np.maximum(roundoff, np.repeat(reverse.roundoff, sizes))
        scatter = _scatter(reverse.gradients, sizes)
    if user_gradient is not None:
        by_method["by_hand"], leaf_roundoff = evaluator.user_gradient(user_gradient)
        roundoff = np.maximum(roundoff, np.repeat(leaf_roundoff, sizes))
    magnitudes = [np.nan_to_num(np.abs(gradient), posinf=0.0) for gradient in by_method.values()]
    size = np.max([np.zeros(nearby.vector.size), *magnitudes], axis=0)
    coarse = np.where(roundoff > FLOAT64_ROUNDOFF, COARSE_ROUNDINGS * roundoff, 0.0)
    return AnalyticGradients(by_method, roundoff, scatter + coarse * size, nearby)


def _scatter(gradients: np.ndarray, sizes: Sequence[int]) -> Flat:
    """How far rounding can move each entry of a gradient, from its values at nine points, [9, size], or at one.

    The root mean square of the second differences of the four points on each side, over √6: the larger one of both
    sides, unless a kink lies on one of them.
    """
    if len(gradients) == 1:
        return np.asarray(ASSUMED_ROUNDING * np.nan_to_num(np.abs(gradients[0]), posinf=0.0))
    with np.errstate(invalid="ignore", over="ignore"):
        sides = [np.sqrt(np.mean(np.diff(side, 2, axis=0) ** 2, axis=0) / 6) for side in (gradients[:4], gradients[5:])]
        smaller, larger = np.fmin(*sides), np.fmax(*sides)
        rounding = FLOAT64_ROUNDOFF * np.abs(gradients[4])
        own = np.where(larger > KINK_SCATTER * (smaller + rounding), smaller, larger)
        own = np.nan_to_num(own, posinf=0.0)
        leaves = np.split(own, np.cumsum(sizes)[:-1])
        typical = np.repeat([np.median(leaf) if leaf.size else 0.0 for leaf in leaves], sizes)
        alike = np.minimum(typical, MAX_LEAF_SCATTER * (own + np.nan_to_num(rounding, posinf=0.0)))
        return np.asarray(OWN_SCATTER * own + LEAF_SCATTER * alike)
