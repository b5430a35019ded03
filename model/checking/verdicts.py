"""The verdict on a derivative: whether it agrees with the finite differences, given the errors of both."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float

from model.checking.finite_differences import Differences, Lines

# Errors are bounds that hold in 99 of 100 cases. This many times the error holds in all.
ERROR_MARGIN = 4.0
# A slope is noise if its allowed error is more than this share of it …
BLUR_LIMIT = 0.5
# … unless it is below this share of the steepest slope in sight, and its error is below the next.
NEGLIGIBLE_SLOPE, NEGLIGIBLE_ERROR = 1e-9, 1e-5


class Verdict(StrEnum):
    """What the numbers tell about one derivative."""

    AGREES = "agrees"
    WRONG = "wrong"
    KINK = "kink"
    JUMP = "jump"
    NOISY = "too noisy to tell"
    NOT_FINITE = "not finite"
    NOT_DIFFERENTIABLE = "not differentiable"

    @property
    def ok(self) -> bool:
        """Whether nothing is known to be wrong."""
        return self not in (Verdict.WRONG, Verdict.NOT_FINITE)


# If there are several verdicts on one derivative, the first of these counts.
SEVERITY = (
    Verdict.NOT_FINITE,
    Verdict.WRONG,
    Verdict.JUMP,
    Verdict.KINK,
    Verdict.NOISY,
    Verdict.AGREES,
    Verdict.NOT_DIFFERENTIABLE,
)


def judge(
    differences: Differences, derivatives: Lines, rounding: Lines, middle: Lines, tolerance: float
) -> list[Verdict]:
    """Compare derivatives with finite differences.

    Args:
        differences: along each line.
        derivatives: [lines], computed by some exact method.
        rounding: [lines], how far off they may be because of their own arithmetic.
        middle: [lines], the values at the point.
        tolerance: how far the two may differ beyond their errors, relative to the larger one.

    Returns:
        A verdict for each line.
    """
    slope, scale = differences.slope, differences.slope_scale
    with np.errstate(all="ignore"):
        size = larger_magnitude(derivatives, slope.value)
        allowed = ERROR_MARGIN * slope.error + rounding + tolerance * size
        agrees = np.abs(derivatives - slope.value) <= allowed
        is_unknown = ~np.isfinite(slope.error)
        unexplained = np.abs(slope.value) - ERROR_MARGIN * slope.error
        is_negligible = np.maximum(np.abs(derivatives), unexplained) <= NEGLIGIBLE_SLOPE * scale
        is_negligible &= ERROR_MARGIN * slope.error <= NEGLIGIBLE_ERROR * scale
        is_noisy = is_unknown | ((allowed > BLUR_LIMIT * size) & ~is_negligible)
        verdicts = np.where(agrees | is_unknown, np.where(is_noisy, Verdict.NOISY, Verdict.AGREES), Verdict.WRONG)
        broken = np.where(differences.jump, Verdict.JUMP, Verdict.KINK)
        broken = np.where(_is_between(differences, derivatives, rounding, tolerance), broken, Verdict.WRONG)
        verdicts = np.where(differences.kink | differences.jump, broken, verdicts)
        is_finite = np.isfinite(derivatives) & np.isfinite(middle)
        return [Verdict(verdict) for verdict in np.where(is_finite, verdicts, Verdict.NOT_FINITE)]


def _is_between(
    differences: Differences, derivatives: Lines, rounding: Lines, tolerance: float
) -> Bool[np.ndarray, " lines"]:
    """Whether a derivative lies between those of the two sides. A side that is unknown sets no limit."""
    allowed = rounding + tolerance * larger_magnitude(differences.before.value, differences.after.value)
    lows, highs = [], []
    for side in (differences.before, differences.after):
        is_known = np.isfinite(side.error)
        lows.append(np.where(is_known, side.value - ERROR_MARGIN * side.error, -np.inf))
        highs.append(np.where(is_known, side.value + ERROR_MARGIN * side.error, np.inf))
    return np.asarray((np.minimum(*lows) - allowed <= derivatives) & (derivatives <= np.maximum(*highs) + allowed))


def larger_magnitude(a: Lines, b: Lines) -> Float[np.ndarray, " lines"]:
    """The larger of two absolute values, one of which may be NaN.

    Args:
        a: [lines].
        b: [lines].

    Returns:
        [lines], from 0.

    Example:
        >>> larger_magnitude(np.array([-3.0, np.nan]), np.array([2.0, 1.0])).tolist()
        [3.0, 1.0]
    """
    return np.asarray(np.fmax(np.abs(a), np.abs(b)))
