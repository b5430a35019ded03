"""The step chosen by the data: a ladder of steps along each line, and further ones where the first does not tell."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import (
    FIT_RANGES,
    FIT_STEPS,
    LARGEST_STEP,
    NOISE_POINTS,
    SHORT_LADDER_LEVELS,
    SHORT_LADDER_RATIO,
    Differences,
    differentiate,
    fit_polynomials,
    measure_noise,
    step_ladder,
)
from model.checking.rounding import EPS
from model.checking.verdicts import ERROR_MARGIN, NEGLIGIBLE_SLOPE

# A function that loops until its values say so is not taken far: it may never end there.
CAUTIOUS = 2.0**-6
# Along a line that moves a great many parameters kinks lie close together, if there are any.
CROWDED = 2.0**-11
# Where the steps of the first ladder do not tell, they are moved by these factors.
SHIFTS = (4.0**-11, 4.0**8, 4.0**16)
# A derivative is told where its error is below this, relative to the steepest one in question.
TOLD = 1e-5
# The distance of the points among which noise is measured, in units of the rounding.
NOISE_SPACING = 2.37


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LineSamples:
    """What was seen along each line: the differences, the slope by forward mode or None, the value in the middle.

    steps, rises [lines, levels]: those of the first ladder, and how far the value rose at each.
    """

    differences: Differences
    slopes: np.ndarray | None
    middle: np.ndarray
    steps: np.ndarray
    rises: np.ndarray

    def take(self, lines: np.ndarray) -> LineSamples:
        """What was seen along these lines alone."""
        result: LineSamples = jax.tree.map(lambda values: values[lines], self)
        return result

    def concat(self, more: LineSamples) -> LineSamples:
        """What was seen along these and along more lines."""
        result: LineSamples = jax.tree.map(lambda *parts: np.concatenate(parts), self, more)
        return result


def sample_lines(evaluator: Evaluator, lines: Directions, coarse: np.ndarray, steepest: np.ndarray) -> LineSamples:
    """Evaluate the function along the lines until the differences tell the slopes, or cannot.

    coarse: how coarsely the function computes along each line. steepest: the largest derivative in question along each
    line; it is told where the error is small beside it.
    """
    precision = evaluator.problem.precision
    largest = first_steps(evaluator, lines)
    seen = _climb(evaluator, lines, coarse, np.arange(len(lines)), largest)
    found = seen.differences
    for shift in SHIFTS:
        if evaluator.is_large or (shift > 1 and precision and precision.has_while_loop):
            break
        told = found.slope.error <= TOLD * np.fmax(steepest, np.abs(found.slope.value))
        beside = ERROR_MARGIN * found.slope.error
        told |= (
            (steepest <= beside)
            & (np.abs(found.slope.value) <= beside)
            & (beside <= NEGLIGIBLE_SLOPE * found.slope_scale)
        )
        untold = ~told & ((found.noise > 0) | ~np.isfinite(found.slope.error))
        if shift < 1:
            chosen = np.flatnonzero((untold | found.kink | found.jump | _suspicious(found, seen)) & (coarse <= EPS))
        else:
            chosen = np.flatnonzero(untold & ~found.kink & ~found.jump)
        if len(chosen):
            again = _climb(evaluator, lines, coarse, chosen, largest * shift).differences
            stairs = bool(precision and precision.quantizes)
            found = _finer(found, again, chosen, stairs) if shift < 1 else _coarser(found, again, chosen)
    return LineSamples(found, seen.slopes, seen.middle, seen.steps, seen.rises)


def first_steps(evaluator: Evaluator, lines: Directions) -> np.ndarray:
    """The largest step of the first ladder along each line."""
    precision = evaluator.problem.precision
    largest = (CAUTIOUS if precision and precision.has_while_loop else LARGEST_STEP) * lines.step_scale
    if evaluator.is_large:
        largest[len(lines.entries) :] *= CROWDED
    return largest


def sample_offsets(evaluator: Evaluator, lines: Directions, largest: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Where to evaluate along each line: down the ladder to both sides, in the middle, and where there is noise, at
    points among which it is measured, and at those that polynomials are fitted to.
    """
    steps = _ladder(evaluator, largest)
    parts = [-steps, 0 * steps[:, :1], steps]
    if np.max(coarse, initial=EPS) > EPS:
        fits = [scale * steps[:, :1] * sign * FIT_STEPS for scale in FIT_RANGES for sign in (-1, 1)]
        parts += [(NOISE_SPACING * coarse * lines.step_scale)[:, None] * NOISE_POINTS, *fits]
    return np.concatenate(parts, axis=1)


def _ladder(evaluator: Evaluator, largest: np.ndarray) -> np.ndarray:
    """A ladder of many steps, or of a few where even one line of many is too much to be evaluated at once."""
    if evaluator.is_large:
        return step_ladder(largest / SHORT_LADDER_RATIO, SHORT_LADDER_LEVELS, SHORT_LADDER_RATIO)
    return step_ladder(largest)


def _climb(
    evaluator: Evaluator, lines: Directions, coarse: np.ndarray, chosen: np.ndarray, largest: np.ndarray
) -> LineSamples:
    """One ladder along the chosen lines, and where arithmetic is coarse, points among which its noise is measured."""
    precision = evaluator.problem.precision
    lines, coarse = lines.take(chosen), coarse[chosen]
    noisy = np.max(coarse, initial=EPS) > EPS
    steps = _ladder(evaluator, largest[chosen])
    levels = steps.shape[1]
    values, slopes = evaluator.along(lines, sample_offsets(evaluator, lines, largest[chosen], coarse))
    minus, middle, plus, rest = np.split(values, [levels, levels + 1, 2 * levels + 1], axis=1)
    middle = middle[:, 0]
    probes, rest = rest[:, : len(NOISE_POINTS)], rest[:, len(NOISE_POINTS) :]
    noise = np.where(coarse > EPS, measure_noise(probes, coarse, middle), 0.0) if noisy else np.zeros(len(lines))
    reach = lines.reach(evaluator.problem.flat)
    found = differentiate(steps, minus, plus, middle, noise, reach, stairs=bool(precision and precision.quantizes))
    if noisy:
        sides = np.split(rest, 2 * len(FIT_RANGES), axis=1)
        for scale, left, right in zip(FIT_RANGES, sides[::2], sides[1::2], strict=True):
            fitted = fit_polynomials(FIT_STEPS, left, right, middle, noise, scale * steps[:, 0])
            better = np.flatnonzero((coarse > EPS) & (fitted.slope.error < found.slope.error) & ~found.jump)
            found = found.with_replaced(better, fitted.take(better))
    with np.errstate(invalid="ignore"):
        return LineSamples(found, slopes, middle, steps, plus - middle[:, None])


def _suspicious(found: Differences, seen: LineSamples) -> np.ndarray:
    """Where there is more noise than rounding explains: it may be the function itself, on a smaller scale."""
    with np.errstate(invalid="ignore"):
        size = np.fmax(np.abs(seen.middle), np.max(np.abs(np.nan_to_num(seen.rises[:, -4:])), axis=1))
    return np.asarray(found.noise > 1e4 * EPS * size)


def _finer(found: Differences, again: Differences, chosen: np.ndarray, stairs: bool) -> Differences:
    """Take over what a ladder of smaller steps tells: it is right where the two disagree.

    What looked like noise was none where smaller steps do not show it, and what looked like a kink or a jump was a
    bend where they follow it. But where nothing moves any more, unless stairs are meant, the value has no more digits.
    """
    before = found.take(chosen)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(before.slope.value - again.slope.value)
        disagree = ~(apart <= ERROR_MARGIN * (before.slope.error + again.slope.error))
        gap = np.where(before.jump, np.inf, np.abs(before.after.value - before.before.value))
    better = (again.slope.error < before.slope.error) | disagree | (again.noise < 0.01 * before.noise)
    still = (again.slope.value == 0) & (again.before.value == 0) & (again.after.value == 0)
    better &= ~still | stairs | (before.slope.value == 0)
    bend = ~again.kink & ~again.jump & (ERROR_MARGIN * again.slope.error < 0.1 * np.nan_to_num(gap, nan=np.inf))
    better = np.where(before.kink | before.jump, bend, better) & np.isfinite(again.slope.error)
    return found.with_replaced(chosen[better], again.take(np.flatnonzero(better)))


def _coarser(found: Differences, again: Differences, chosen: np.ndarray) -> Differences:
    """Take over what a ladder of larger steps tells more exactly, where it agrees and shows a slope at all.

    Larger steps along a function that is bounded show none, however exactly.
    """
    before = found.take(chosen)
    with np.errstate(invalid="ignore", over="ignore"):
        agree = np.abs(before.slope.value - again.slope.value) <= ERROR_MARGIN * (
            before.slope.error + again.slope.error
        )
        better = agree & (again.slope.error < before.slope.error) & (np.abs(again.slope.value) > 10 * again.slope.error)
    better = (better & ~again.kink & ~again.jump) | ~np.isfinite(before.slope.error)
    better &= np.isfinite(again.slope.error)
    return found.with_replaced(chosen[better], again.take(np.flatnonzero(better)))


def taylor_order(seen: LineSamples, line: int, slope: float) -> float | None:
    """The power with which the remainder f(p + t d) - f(p) - t g·d falls with t: 2 where g is right, 1 where it is not.

    None where too little of it stands out from rounding (Griewank and Walther, Evaluating Derivatives, 2.1).
    """
    steps = seen.steps[line]
    with np.errstate(invalid="ignore"):
        remainder = np.abs(seen.rises[line] - steps * slope)
    clear = np.isfinite(remainder) & (remainder > 1e3 * seen.differences.noise[line]) & (steps < 0.1 * steps[0])
    levels = np.flatnonzero(clear)[-3:]
    if len(levels) < 2:
        return None
    return float(np.polyfit(np.log(steps[levels]), np.log(remainder[levels]), 1)[0])
