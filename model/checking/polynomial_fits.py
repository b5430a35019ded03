"""Slopes of noisy functions, from polynomials fitted to many of their values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from model.checking.finite_differences import SIDES_MARGIN, Differences, Lines, Slope

# Polynomials are fitted up to these fractions of the largest step, through values at these fractions of that.
FIT_RANGES = (1.0, 0.25)
FIT_OFFSETS = (np.arange(16.0) + 0.81) / 16
# Standard errors that a bound on a coefficient has.
COEFFICIENT_DEVIATIONS = 3

Points = Float[np.ndarray, "lines points"]


def fit_polynomials(minus: Points, plus: Points, middle: Lines, noise: Lines, step_size: Lines) -> Differences:
    """The slope at the point of each line.

    For a central polynomial only the odd powers matter, for a polynomial to one side all of them. Two degrees are
    fitted; the difference between them is an error too (least squares and their covariance: Press et al., Numerical
    Recipes, 15.4).

    Args:
        minus: [lines, points], the values at -FIT_OFFSETS × step_size.
        plus: [lines, points], the values at +FIT_OFFSETS × step_size.
        middle: [lines], the values at the point.
        noise: [lines], of a value. What the polynomials leave over counts as noise too.
        step_size: [lines], the distance of the last value.

    Returns:
        What the polynomials tell.
    """
    with np.errstate(all="ignore"):
        odd, right, left = (plus - minus) / 2, plus - middle[:, None], middle[:, None] - minus
        central = _slope(odd, noise, step_size, ([1, 3], [1, 3, 5]))
        after = _slope(right, noise, step_size, ([1, 2], [1, 2, 3]))
        before = _slope(left, noise, step_size, ([1, 2], [1, 2, 3]))
        gap = np.abs(after.value - before.value)
        kink = gap > SIDES_MARGIN * (after.error + before.error)
        central = Slope(central.value, central.error + np.where(kink, 0.0, np.nan_to_num(gap) / 8))
        slope_scale = (np.max(np.abs(np.nan_to_num(odd)), axis=1) + np.abs(np.nan_to_num(middle))) / step_size
        return Differences(central, before, after, kink, np.zeros_like(kink), noise, slope_scale)


def _slope(rises: Points, noise: Lines, step_size: Lines, degrees: tuple[list[int], list[int]]) -> Slope:
    (low, _), (high, spread) = (_first_coefficient(rises, noise, powers) for powers in degrees)
    error = spread + np.abs(low - high)
    is_known = np.isfinite(high) & np.isfinite(error)
    return Slope(np.where(is_known, high, np.nan) / step_size, np.where(is_known, error, np.inf) / step_size)


def _first_coefficient(rises: Points, noise: Lines, powers: Sequence[int]) -> tuple[Lines, Lines]:
    """The coefficient of the first power of a polynomial without a constant, and a bound on its error."""
    design = FIT_OFFSETS[:, None] ** np.array(powers)
    inverse = np.linalg.pinv(design)
    coefficients = rises @ inverse.T
    degrees_of_freedom = len(FIT_OFFSETS) - len(powers)
    residual = np.sqrt(np.sum((rises - coefficients @ design.T) ** 2, axis=1) / degrees_of_freedom)
    error = COEFFICIENT_DEVIATIONS * np.fmax(residual, noise / 4) * np.linalg.norm(inverse[0])
    return coefficients[:, 0], error
