"""The steps are chosen by the data: a ladder of steps along each line, and other ladders if the first is not enough."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import numpy as np
from jaxtyping import Bool, Float

from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import (
    LARGEST_STEP,
    SHORT_LADDER_LEVELS,
    SHORT_LADDER_RATIO,
    Differences,
    Levels,
    Lines,
    LineValues,
    differentiate,
    step_ladder,
)
from model.checking.polynomial_fits import FIT_OFFSETS, FIT_RANGES, fit_polynomials
from model.checking.rounding import FLOAT64_ROUNDOFF
from model.checking.value_noise import NOISE_OFFSETS, measure_noise
from model.checking.verdicts import ERROR_MARGIN, NEGLIGIBLE_SLOPE

# The largest step of a function that loops until its values say so: further away it may never end.
LARGEST_STEP_WITH_LOOP = 2.0**-6
# The factor of the largest step along a line that moves a great many parameters: if there are kinks, they lie close.
CROWDED_STEP_FACTOR = 2.0**-11
# If a ladder is not enough, others begin at these multiples of its largest step.
LADDER_SHIFTS = (4.0**-11, 4.0**8, 4.0**16)
# A derivative is known if its error is below this share of the steepest derivative in question.
KNOWN_ERROR = 1e-5
# The spacing of the points at which noise is measured, in units of the roundoff.
NOISE_SPACING = 2.37
# A noise above so many roundings of the values may be the function itself, on a smaller scale.
SUSPICIOUS_ROUNDINGS = 1e4


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LineSamples:
    """What was found along each line.

    Attributes:
        differences: what the values tell about the slope.
        slopes: [lines], by forward mode; None if there is no forward mode.
        middle: [lines], the values at the point.
        steps: [lines, levels], of the first ladder.
        rises: [lines, levels], how far the value rose at each step to the right.
    """

    differences: Differences
    slopes: np.ndarray | None
    middle: np.ndarray
    steps: np.ndarray
    rises: np.ndarray

    def take(self, lines: np.ndarray) -> LineSamples:
        """Some of the lines."""
        taken: LineSamples = jax.tree.map(lambda values: values[lines], self)
        return taken

    def concat(self, more: LineSamples) -> LineSamples:
        """These lines and more."""
        joined: LineSamples = jax.tree.map(lambda *parts: np.concatenate(parts), self, more)
        return joined


def sample_lines(evaluator: Evaluator, directions: Directions, roundoff: Lines, steepest: Lines) -> LineSamples:
    """Evaluate the function along lines until the differences tell the slopes, or cannot.

    Args:
        evaluator: of the function.
        directions: of the lines.
        roundoff: [lines], the unit roundoff with which the function computes along each line.
        steepest: [lines], the largest derivative in question. A slope is known if its error is small next to it.

    Returns:
        What was found.
    """
    precision = evaluator.function.precision
    has_loop, quantizes = (precision.has_while_loop, precision.quantizes) if precision else (False, False)
    largest = first_steps(evaluator, directions)
    samples = _sample_ladder(evaluator, directions, roundoff, largest)
    differences = samples.differences
    for shift in LADDER_SHIFTS:
        is_smaller = shift < 1
        if evaluator.is_large or (has_loop and not is_smaller):
            break
        is_unknown = _is_unknown(differences, steepest)
        is_broken = differences.kink | differences.jump
        if is_smaller:
            is_in_doubt = is_unknown | is_broken | _is_suspicious(differences, samples)
            lines = np.flatnonzero(is_in_doubt & (roundoff <= FLOAT64_ROUNDOFF))
        else:
            lines = np.flatnonzero(is_unknown & ~is_broken)
        if len(lines):
            other = _sample_ladder(evaluator, directions.take(lines), roundoff[lines], largest[lines] * shift)
            choose = _prefer_smaller_steps if is_smaller else _prefer_larger_steps
            better = choose(differences.take(lines), other.differences, quantizes)
            differences = _replace_lines(differences, lines[better], other.differences.take(np.flatnonzero(better)))
    return LineSamples(differences, samples.slopes, samples.middle, samples.steps, samples.rises)


def _replace_lines(differences: Differences, lines: np.ndarray, better: Differences) -> Differences:
    """The differences with some lines replaced, but with the smaller slope in sight.

    Far away the function may be anything, and a step that is too small makes any value look steep.
    """
    replaced = differences.with_replaced(lines, better)
    return replace(replaced, slope_scale=np.fmin(differences.slope_scale, replaced.slope_scale))


def first_steps(evaluator: Evaluator, directions: Directions) -> Lines:
    """The largest step of the first ladder along each line.

    Args:
        evaluator: of the function.
        directions: of the lines.

    Returns:
        [lines], above 0.
    """
    precision = evaluator.function.precision
    has_loop = precision is not None and precision.has_while_loop
    largest = (LARGEST_STEP_WITH_LOOP if has_loop else LARGEST_STEP) * directions.step_scale
    if evaluator.is_large:
        largest[len(directions.entries) :] *= CROWDED_STEP_FACTOR
    return largest


def sample_offsets(
    evaluator: Evaluator, directions: Directions, largest: Lines, roundoff: Lines
) -> Float[np.ndarray, "lines points"]:
    """Where to evaluate along each line.

    Args:
        evaluator: of the function.
        directions: of the lines.
        largest: [lines], the largest step.
        roundoff: [lines], the unit roundoff along each line.

    Returns:
        [lines, points]: the steps of the ladder on both sides and the point itself. If the arithmetic is coarser than
        float64 along any line, also the points at which noise is measured, and those that polynomials are fitted to.
    """
    steps = _ladder(evaluator, largest)
    parts = [-steps, 0 * steps[:, :1], steps]
    if _is_coarse(roundoff):
        spacing = (NOISE_SPACING * roundoff * directions.step_scale)[:, None]
        fits = [part * steps[:, :1] * sign * FIT_OFFSETS for part in FIT_RANGES for sign in (-1, 1)]
        parts += [spacing * NOISE_OFFSETS, *fits]
    return np.concatenate(parts, axis=1)


def _is_coarse(roundoff: Lines) -> bool:
    return bool(np.max(roundoff, initial=FLOAT64_ROUNDOFF) > FLOAT64_ROUNDOFF)


def _ladder(evaluator: Evaluator, largest: Lines) -> Levels:
    """A ladder of many steps, or of few if a line of many points does not fit into memory."""
    if evaluator.is_large:
        return step_ladder(largest / SHORT_LADDER_RATIO, SHORT_LADDER_LEVELS, SHORT_LADDER_RATIO)
    return step_ladder(largest)


def _sample_ladder(evaluator: Evaluator, directions: Directions, roundoff: Lines, largest: Lines) -> LineSamples:
    """Evaluate one ladder along each line."""
    precision = evaluator.function.precision
    steps = _ladder(evaluator, largest)
    levels = steps.shape[1]
    found, slopes = evaluator.along(directions, sample_offsets(evaluator, directions, largest, roundoff))
    minus, point, plus, extra = np.split(found, [levels, levels + 1, 2 * levels + 1], axis=1)
    values = LineValues(steps, minus, plus, middle=point[:, 0])
    noise = np.zeros(len(directions))
    if _is_coarse(roundoff):
        measured = measure_noise(extra[:, : len(NOISE_OFFSETS)], roundoff, values.middle)
        noise = np.where(roundoff > FLOAT64_ROUNDOFF, measured, 0.0)
    magnitudes = directions.magnitudes(evaluator.function.flat)
    differences = differentiate(values, noise, magnitudes, bool(precision and precision.quantizes))
    if _is_coarse(roundoff):
        differences = _with_fits(differences, values, extra[:, len(NOISE_OFFSETS) :], noise, roundoff)
    with np.errstate(invalid="ignore"):
        return LineSamples(differences, slopes, values.middle, steps, plus - point)


def _with_fits(
    differences: Differences, values: LineValues, fitted_values: np.ndarray, noise: Lines, roundoff: Lines
) -> Differences:
    """The differences; along lines of coarse arithmetic the slopes of fitted polynomials, if their error is smaller."""
    sides = np.split(fitted_values, 2 * len(FIT_RANGES), axis=1)
    for part, minus, plus in zip(FIT_RANGES, sides[::2], sides[1::2], strict=True):
        fitted = fit_polynomials(minus, plus, values.middle, noise, part * values.steps[:, 0])
        is_better = (fitted.slope.error < differences.slope.error) & ~differences.jump
        better = np.flatnonzero((roundoff > FLOAT64_ROUNDOFF) & is_better)
        differences = differences.with_replaced(better, fitted.take(better))
    return differences


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
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(before.slope.value - smaller.slope.value)
        disagrees = ~(difference <= ERROR_MARGIN * (before.slope.error + smaller.slope.error))
        gap = np.where(before.jump, np.inf, np.abs(before.after.value - before.before.value))
    better = (smaller.slope.error < before.slope.error) | disagrees | (smaller.noise < 0.01 * before.noise)
    is_still = (smaller.slope.value == 0) & (smaller.before.value == 0) & (smaller.after.value == 0)
    better &= ~is_still | quantizes | (before.slope.value == 0)
    is_bend = ~smaller.kink & ~smaller.jump
    is_bend &= ERROR_MARGIN * smaller.slope.error < 0.1 * np.nan_to_num(gap, nan=np.inf)
    return np.asarray(np.where(before.kink | before.jump, is_bend, better) & np.isfinite(smaller.slope.error))


def _prefer_larger_steps(before: Differences, larger: Differences, quantizes: bool) -> Bool[np.ndarray, " lines"]:
    """Whether a ladder of larger steps is to be believed: if it agrees, is more exact, and shows a slope at all.

    Larger steps along a bounded function show no slope, however exactly.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(before.slope.value - larger.slope.value)
        better = difference <= ERROR_MARGIN * (before.slope.error + larger.slope.error)
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
