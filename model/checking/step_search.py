"""The step chosen by the data: a ladder of steps along each line, and further ones where the first does not tell."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from model.checking.directions import Lines
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import (
    FEW_LEVELS,
    FIT_STEPS,
    FITS,
    LARGE_RATIO,
    LARGEST,
    NOISE_POINTS,
    Differences,
    differentiate,
    fit,
    ladder,
    measure_noise,
)
from model.checking.rounding import EPS
from model.checking.verdicts import MARGIN, NOTHING

# A function that loops until its values say so is not taken far: it may never end there.
CAUTIOUS = 2.0**-6
# Along a line that moves a great many parameters kinks lie close together, if there are any.
CROWDED = 2.0**-11
# Where the steps of the first ladder do not tell, they are moved by these factors.
SHIFTS = (4.0**-11, 4.0**8, 4.0**16)
# A derivative is told where its error is below this, relative to the steepest one in question.
TOLD = 1e-5
# The distance of the points among which noise is measured, in units of the rounding.
SPACING = 2.37


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Seen:
    """What was seen along each line: the differences, the slope by forward mode or None, the value in the middle.

    steps, rises [lines, levels]: those of the first ladder, and how far the value rose at each.
    """

    found: Differences
    slopes: np.ndarray | None
    middle: np.ndarray
    steps: np.ndarray
    rises: np.ndarray

    def only(self, lines: np.ndarray) -> Seen:
        """What was seen along these lines alone."""
        result: Seen = jax.tree.map(lambda values: values[lines], self)
        return result

    def and_(self, more: Seen) -> Seen:
        """What was seen along these and along more lines."""
        result: Seen = jax.tree.map(lambda *parts: np.concatenate(parts), self, more)
        return result


def explore(evaluator: Evaluator, lines: Lines, coarse: np.ndarray, steepest: np.ndarray) -> Seen:
    """Evaluate the function along the lines until the differences tell the slopes, or cannot.

    coarse: how coarsely the function computes along each line. steepest: the largest derivative in question along each
    line; it is told where the error is small beside it.
    """
    precision = evaluator.problem.precision
    largest = first_step(evaluator, lines)
    seen = _climb(evaluator, lines, coarse, np.arange(len(lines)), largest)
    found = seen.found
    for shift in SHIFTS:
        if evaluator.large or (shift > 1 and precision and precision.loops):
            break
        told = found.slope.error <= TOLD * np.fmax(steepest, np.abs(found.slope.value))
        beside = MARGIN * found.slope.error
        told |= (steepest <= beside) & (np.abs(found.slope.value) <= beside) & (beside <= NOTHING * found.ruler)
        untold = ~told & ((found.noise > 0) | ~np.isfinite(found.slope.error))
        if shift < 1:
            chosen = np.flatnonzero((untold | found.kink | found.jump | _suspicious(found, seen)) & (coarse <= EPS))
        else:
            chosen = np.flatnonzero(untold & ~found.kink & ~found.jump)
        if len(chosen):
            again = _climb(evaluator, lines, coarse, chosen, largest * shift).found
            stairs = bool(precision and precision.stairs)
            found = _finer(found, again, chosen, stairs) if shift < 1 else _coarser(found, again, chosen)
    return Seen(found, seen.slopes, seen.middle, seen.steps, seen.rises)


def first_step(evaluator: Evaluator, lines: Lines) -> np.ndarray:
    """The largest step of the first ladder along each line."""
    precision = evaluator.problem.precision
    largest = (CAUTIOUS if precision and precision.loops else LARGEST) * lines.natural
    if evaluator.large:
        largest[len(lines.entries) :] *= CROWDED
    return largest


def places(evaluator: Evaluator, lines: Lines, largest: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Where to evaluate along each line: down the ladder to both sides, in the middle, and where there is noise, at
    points among which it is measured, and at those that polynomials are fitted to.
    """
    steps = _ladder(evaluator, largest)
    parts = [-steps, 0 * steps[:, :1], steps]
    if np.max(coarse, initial=EPS) > EPS:
        fits = [scale * steps[:, :1] * sign * FIT_STEPS for scale in FITS for sign in (-1, 1)]
        parts += [(SPACING * coarse * lines.natural)[:, None] * NOISE_POINTS, *fits]
    return np.concatenate(parts, axis=1)


def _ladder(evaluator: Evaluator, largest: np.ndarray) -> np.ndarray:
    """A ladder of many steps, or of a few where even one line of many is too much to be evaluated at once."""
    if evaluator.large:
        return ladder(largest / LARGE_RATIO, FEW_LEVELS, LARGE_RATIO)
    return ladder(largest)


def _climb(evaluator: Evaluator, lines: Lines, coarse: np.ndarray, chosen: np.ndarray, largest: np.ndarray) -> Seen:
    """One ladder along the chosen lines, and where arithmetic is coarse, points among which its noise is measured."""
    precision = evaluator.problem.precision
    lines, coarse = lines.only(chosen), coarse[chosen]
    noisy = np.max(coarse, initial=EPS) > EPS
    steps = _ladder(evaluator, largest[chosen])
    levels = steps.shape[1]
    values, slopes = evaluator.along(lines, places(evaluator, lines, largest[chosen], coarse))
    minus, middle, plus, rest = np.split(values, [levels, levels + 1, 2 * levels + 1], axis=1)
    middle = middle[:, 0]
    probes, rest = rest[:, : len(NOISE_POINTS)], rest[:, len(NOISE_POINTS) :]
    noise = np.where(coarse > EPS, measure_noise(probes, coarse, middle), 0.0) if noisy else np.zeros(len(lines))
    reach = lines.reach(evaluator.problem.flat)
    found = differentiate(steps, minus, plus, middle, noise, reach, stairs=bool(precision and precision.stairs))
    if noisy:
        sides = np.split(rest, 2 * len(FITS), axis=1)
        for scale, left, right in zip(FITS, sides[::2], sides[1::2], strict=True):
            fitted = fit(FIT_STEPS, left, right, middle, noise, scale * steps[:, 0])
            better = np.flatnonzero((coarse > EPS) & (fitted.slope.error < found.slope.error) & ~found.jump)
            found = found.replaced(better, fitted.only(better))
    with np.errstate(invalid="ignore"):
        return Seen(found, slopes, middle, steps, plus - middle[:, None])


def _suspicious(found: Differences, seen: Seen) -> np.ndarray:
    """Where there is more noise than rounding explains: it may be the function itself, on a smaller scale."""
    with np.errstate(invalid="ignore"):
        size = np.fmax(np.abs(seen.middle), np.max(np.abs(np.nan_to_num(seen.rises[:, -4:])), axis=1))
    return np.asarray(found.noise > 1e4 * EPS * size)


def _finer(found: Differences, again: Differences, chosen: np.ndarray, stairs: bool) -> Differences:
    """Take over what a ladder of smaller steps tells: it is right where the two disagree.

    What looked like noise was none where smaller steps do not show it, and what looked like a kink or a jump was a
    bend where they follow it. But where nothing moves any more, unless stairs are meant, the value has no more digits.
    """
    before = found.only(chosen)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(before.slope.value - again.slope.value)
        disagree = ~(apart <= MARGIN * (before.slope.error + again.slope.error))
        gap = np.where(before.jump, np.inf, np.abs(before.after.value - before.before.value))
    better = (again.slope.error < before.slope.error) | disagree | (again.noise < 0.01 * before.noise)
    still = (again.slope.value == 0) & (again.before.value == 0) & (again.after.value == 0)
    better &= ~still | stairs | (before.slope.value == 0)
    bend = ~again.kink & ~again.jump & (MARGIN * again.slope.error < 0.1 * np.nan_to_num(gap, nan=np.inf))
    better = np.where(before.kink | before.jump, bend, better) & np.isfinite(again.slope.error)
    return found.replaced(chosen[better], again.only(np.flatnonzero(better)))


def _coarser(found: Differences, again: Differences, chosen: np.ndarray) -> Differences:
    """Take over what a ladder of larger steps tells more exactly, where it agrees and shows a slope at all.

    Larger steps along a function that is bounded show none, however exactly.
    """
    before = found.only(chosen)
    with np.errstate(invalid="ignore", over="ignore"):
        agree = np.abs(before.slope.value - again.slope.value) <= MARGIN * (before.slope.error + again.slope.error)
        better = agree & (again.slope.error < before.slope.error) & (np.abs(again.slope.value) > 10 * again.slope.error)
    better = (better & ~again.kink & ~again.jump) | ~np.isfinite(before.slope.error)
    better &= np.isfinite(again.slope.error)
    return found.replaced(chosen[better], again.only(np.flatnonzero(better)))


def taylor_order(seen: Seen, line: int, slope: float) -> float | None:
    """The power with which the remainder f(p + t d) - f(p) - t g·d falls with t: 2 where g is right, 1 where it is not.

    None where too little of it stands out from rounding (Griewank and Walther, Evaluating Derivatives, 2.1).
    """
    steps = seen.steps[line]
    with np.errstate(invalid="ignore"):
        remainder = np.abs(seen.rises[line] - steps * slope)
    clear = np.isfinite(remainder) & (remainder > 1e3 * seen.found.noise[line]) & (steps < 0.1 * steps[0])
    levels = np.flatnonzero(clear)[-3:]
    if len(levels) < 2:
        return None
    return float(np.polyfit(np.log(steps[levels]), np.log(remainder[levels]), 1)[0])
