"""The steps are chosen by the data: a ladder of steps along each line, and other ladders if the first is not enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import LADDER_RATIO, Differences, Lines
from model.checking.ladder import LineSamples, first_steps, sample_ladder
from model.checking.rounding import FLOAT64_ROUNDOFF
from model.checking.sawtooth import find_sawteeth
from model.checking.verdicts import ERROR_MARGIN, NEGLIGIBLE_SLOPE

# If a ladder is not enough, others begin at these multiples of its largest step.
LADDER_SHIFTS = (4.0**-11, 4.0**8, 4.0**16)
# The ratio of these larger steps. Far from the point, steps whose ratio is a power of 2 would all be rounded alike.
LARGE_STEPS_RATIO = 3.7
# A derivative is known if its error is below this share of the steepest derivative in question.
KNOWN_ERROR = 1e-5
# A noise above so many roundings of the values may be the function itself, on a smaller scale.
SUSPICIOUS_ROUNDINGS = 1e4


def sample_lines(
    evaluator: Evaluator, directions: Directions, roundoff: Lines, steepest: Lines, stretch: float = 1.0
) -> LineSamples:
    """Evaluate the function along lines until the differences tell the slopes, or cannot.

    Args:
        evaluator: of the function.
        directions: of the lines.
        roundoff: [lines], the unit roundoff with which the function computes along each line.
        steepest: [lines], the largest derivative in question. A slope is known if its error is small next to it.
        stretch: a factor of all steps, for a second look at other points.

    Returns:
        What was found.
    """
    precision = evaluator.function.precision
    has_loop = precision is not None and precision.has_while_loop
    largest = stretch * first_steps(evaluator, directions)
    samples = sample_ladder(evaluator, directions, roundoff, largest)
    for shift in LADDER_SHIFTS:
        if evaluator.is_large or (has_loop and shift > 1):
            break
        in_doubt = _is_in_doubt(samples, steepest, shift)
        lines = np.flatnonzero(in_doubt & (roundoff <= FLOAT64_ROUNDOFF) if shift < 1 else in_doubt)
        if len(lines):
            ratio = LADDER_RATIO if shift < 1 else LARGE_STEPS_RATIO
            taken, start = directions.take(lines), largest[lines] * shift
            other = sample_ladder(evaluator, taken, roundoff[lines], start, ratio)
            better = _is_better(evaluator, taken, samples.take(lines), other, start)
            replacement = other.differences.take(np.flatnonzero(better))
            samples = replace(samples, differences=_replace_lines(samples.differences, lines[better], replacement))
    return samples


def _is_in_doubt(samples: LineSamples, steepest: Lines, shift: float) -> Bool[np.ndarray, " lines"]:
    """Whether a ladder of smaller steps, or of larger ones, may tell more."""
    differences = samples.differences
    is_broken = differences.kink | differences.jump
    is_unknown = _is_unknown(differences, steepest)
    if shift < 1:
        return np.asarray(is_unknown | is_broken | _is_suspicious(differences, samples))
    return np.asarray(is_unknown & ~is_broken)


def _is_better(
    evaluator: Evaluator, directions: Directions, before: LineSamples, other: LineSamples, largest: Lines
) -> Bool[np.ndarray, " lines"]:
    """Whether another ladder, whose largest step is given, is to be believed rather than the ladder before."""
    precision = evaluator.function.precision
    if (largest > before.steps[:, 0]).all():
        # What the value does over larger steps tells nothing about an entry that is tiny next to its leaf.
        is_tiny = directions.leaf_step_scale > directions.step_scale
        return _prefer_larger_steps(before.differences, other.differences) & ~is_tiny
    quantizes, has_grid = (precision.quantizes, precision.has_grid) if precision else (False, False)
    better = _prefer_smaller_steps(before.differences, other.differences, quantizes)
    return better if has_grid else better & ~_is_sawtooth(evaluator, directions, before, other, better)


def _is_sawtooth(
    evaluator: Evaluator, directions: Directions, before: LineSamples, smaller: LineSamples, is_asked: np.ndarray
) -> Bool[np.ndarray, " lines"]:
    """Whether a ladder of smaller steps, where it shows another slope, shows that of a tooth between roundings."""
    differs = ~_agree(before.differences, smaller.differences)
    lines = np.flatnonzero(is_asked & differs & np.isfinite(before.differences.slope.error))
    found = np.zeros(len(directions), bool)
    if len(lines):
        slope = before.differences.slope.value[lines]
        found[lines] = find_sawteeth(evaluator, directions.take(lines), before.take(lines), slope, smaller.take(lines))
    return found


def _agree(before: Differences, other: Differences) -> Bool[np.ndarray, " lines"]:
    """Whether two slopes are the same within their errors."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(before.slope.value - other.slope.value)
        return np.asarray(difference <= ERROR_MARGIN * (before.slope.error + other.slope.error))


def _replace_lines(differences: Differences, lines: np.ndarray, better: Differences) -> Differences:
    """The differences with some lines replaced, but with the smaller slope in sight.

    Far away the function may be anything, and a step that is too small makes any value look steep.
    """
    replaced = differences.with_replaced(lines, better)
    return replace(replaced, slope_scale=np.fmin(differences.slope_scale, replaced.slope_scale))


def _is_unknown(differences: Differences, steepest: Lines) -> Bool[np.ndarray, " lines"]:
    """Whether the error of a slope is too large, and other steps may make it smaller."""
    slope = differences.slope
    is_known = slope.error <= KNOWN_ERROR * np.fmax(steepest, np.abs(slope.value))
    bound = ERROR_MARGIN * slope.error
    is_zero = (steepest <= bound) & (np.abs(slope.value) <= bound)
    is_zero &= bound <= NEGLIGIBLE_SLOPE * differences.slope_scale
    return np.asarray(~(is_known | is_zero) & ((differences.noise > 0) | ~np.isfinite(slope.error)))


def _is_suspicious(differences: Differences, samples: LineSamples) -> Bool[np.ndarray, " lines"]:
    """Whether there is more noise than rounding explains."""
    with np.errstate(invalid="ignore"):
        small_rises = np.max(np.abs(np.nan_to_num(samples.rises[:, -4:])), axis=1)
        size = np.fmax(np.abs(samples.middle), small_rises)
    return np.asarray(differences.noise > SUSPICIOUS_ROUNDINGS * FLOAT64_ROUNDOFF * size)


def _prefer_smaller_steps(before: Differences, smaller: Differences, quantizes: bool) -> Bool[np.ndarray, " lines"]:
    """Whether a ladder of smaller steps is to be believed: it is right where the two disagree.

    What looked like noise was none if smaller steps do not show it, and what looked like a kink or a jump was a bend if
    they follow it. But if nothing moves any more, unless values are quantized on purpose, the value has no more digits.
    """
    disagrees = ~_agree(before, smaller)
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.where(before.jump, np.inf, np.abs(before.after.value - before.before.value))
    better = (smaller.slope.error < before.slope.error) | disagrees | (smaller.noise < 0.01 * before.noise)
    is_still = (smaller.slope.value == 0) & (smaller.before.value == 0) & (smaller.after.value == 0)
    better &= ~is_still | quantizes | (before.slope.value == 0)
    is_bend = ~smaller.kink & ~smaller.jump
    is_bend &= ERROR_MARGIN * smaller.slope.error < 0.1 * np.nan_to_num(gap, nan=np.inf)
    return np.asarray(np.where(before.kink | before.jump, is_bend, better) & np.isfinite(smaller.slope.error))


def _prefer_larger_steps(before: Differences, larger: Differences) -> Bool[np.ndarray, " lines"]:
    """Whether a ladder of larger steps is to be believed: if it agrees, is more exact, and shows a slope at all.

    Larger steps along a bounded function show no slope, however exactly.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        better = _agree(before, larger)
        better &= larger.slope.error < before.slope.error
        better &= np.abs(larger.slope.value) > 10 * larger.slope.error
    better = (better & ~larger.kink & ~larger.jump) | ~np.isfinite(before.slope.error)
    return np.asarray(better & np.isfinite(larger.slope.error))


def taylor_order(samples: LineSamples, line: int, slope: float) -> float | None:
    """The power of t with which the remainder f(p + t d) - f(p) - t g·d falls.

    It is 2 if the gradient g is right, and 1 if it is not (Griewank and Walther, Evaluating Derivatives, 2.1).

    Args:
        samples: of the lines.
        line: which line counts.
        slope: g·d, the derivative along it.

    Returns:
        The order; None if too little of the remainder stands out from rounding.
    """
    steps = samples.steps[line]
    with np.errstate(invalid="ignore"):
        remainder = np.abs(samples.rises[line] - steps * slope)
    is_clear = np.isfinite(remainder) & (remainder > 1e3 * samples.differences.noise[line]) & (steps < 0.1 * steps[0])
    levels = np.flatnonzero(is_clear)[-3:]
    if len(levels) < 2:
        return None
    return float(np.polyfit(np.log(steps[levels]), np.log(remainder[levels]), 1)[0])
