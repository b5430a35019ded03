"""What the numbers say of a derivative: whether it agrees with the differences of values, allowing for their errors."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float

from model.checking.finite_differences import Differences, Lines

# Errors are bounds that hold in 99 of 100 cases; so many of them hold in all.
ERROR_MARGIN = 4.0
# Where less than half of a derivative could be told from none, it is noise; unless it is next to nothing, and the
# error too, beside the steepest slope around.
BLUR_LIMIT = 0.5
NEGLIGIBLE_SLOPE = 1e-9
NEGLIGIBLE_ERROR = 1e-5


class Verdict(StrEnum):
    """What is to be said of one derivative."""

    AGREES = "agrees"
    WRONG = "wrong"
    KINK = "kink"
    JUMP = "jump"
    NOISY = "too noisy to tell"
    NOT_FINITE = "not finite"
    NOT_DIFFERENTIABLE = "not differentiable"

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong as far as can be told."""
        return self not in (Verdict.WRONG, Verdict.NOT_FINITE)


# Of several verdicts on one derivative, the first of these is the one that counts.
SEVERITY = (
    Verdict.NOT_FINITE,
    Verdict.WRONG,
    Verdict.JUMP,
    Verdict.KINK,
    Verdict.NOISY,
    Verdict.AGREES,
    Verdict.NOT_DIFFERENTIABLE,
)


def judge(found: Differences, written: Lines, rounding: Lines, middle: Lines, tolerance: float) -> list[Verdict]:
    """Hold a derivative of each line, worked out in some exact way, against the differences.

    rounding: how far off the written one may be by its own arithmetic. middle: the value at the point itself.
    tolerance: how far the two may be apart, relative to the larger, beyond their errors.
    """
    with np.errstate(all="ignore"):
        slack = ERROR_MARGIN * found.slope.error + rounding + tolerance * larger_magnitude(written, found.slope.value)
        finite = np.isfinite(written) & np.isfinite(middle)
        agrees = np.abs(written - found.slope.value) <= slack
        unclear = ~np.isfinite(found.slope.error)
        blurred = slack > BLUR_LIMIT * larger_magnitude(written, found.slope.value)
        none = (np.abs(written) <= NEGLIGIBLE_SLOPE * found.slope_scale) & (
            ERROR_MARGIN * found.slope.error <= NEGLIGIBLE_ERROR * found.slope_scale
        )
        noisy = unclear | (blurred & ~none)
        broken = found.kink | found.jump
        between = _between(found, written, rounding, tolerance)
        names = np.where(found.jump, Verdict.JUMP, Verdict.KINK)
        verdicts = np.where(agrees | unclear, np.where(noisy, Verdict.NOISY, Verdict.AGREES), Verdict.WRONG)
        verdicts = np.where(broken, np.where(between, names, Verdict.WRONG), verdicts)
        return [Verdict(verdict) for verdict in np.where(finite, verdicts, Verdict.NOT_FINITE)]


def _between(found: Differences, written: Lines, rounding: Lines, tolerance: float) -> Bool[np.ndarray, " lines"]:
    """Whether a derivative lies between those of the two sides; a side of which nothing is known sets no limit."""
    slack = rounding + tolerance * larger_magnitude(found.before.value, found.after.value)
    lows, highs = [], []
    for side in (found.before, found.after):
        known = np.isfinite(side.error)
        lows.append(np.where(known, side.value - ERROR_MARGIN * side.error, -np.inf))
        highs.append(np.where(known, side.value + ERROR_MARGIN * side.error, np.inf))
    return np.asarray((np.minimum(*lows) - slack <= written) & (written <= np.maximum(*highs) + slack))


def larger_magnitude(a: Lines, b: Lines) -> Float[np.ndarray, " lines"]:
    """The larger of two absolute values, one of which may not be known."""
    return np.asarray(np.fmax(np.abs(a), np.abs(b)))
