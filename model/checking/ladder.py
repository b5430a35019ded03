"""One ladder of steps along each line: where the function is evaluated, and what its values tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float

from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import (
    LADDER_RATIO,
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

# The largest step of a function that loops until its values say so: further away it may never end.
LARGEST_STEP_WITH_LOOP = 2.0**-6
# The factor of the largest step along a line that moves a great many parameters: if there are kinks, they lie close.
CROWDED_STEP_FACTOR = 2.0**-11
# The spacing of the points at which noise is measured, in units of the roundoff.
NOISE_SPACING = 2.37
# That spacing is multiplied by each of these factors, because intermediate results may be rounded more coarsely.
NOISE_SPACING_FACTORS = (1.0, 37.0, 1024.0)
# But no spacing is enlarged beyond this share of a typical step, because the function itself bends.
MAX_NOISE_SPACING = 1e-3


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
    evaluator: Evaluator, directions: Directions, largest: Lines, roundoff: Lines, ratio: float = LADDER_RATIO
) -> Float[np.ndarray, "lines points"]:
    """Where to evaluate along each line.

    Args:
        evaluator: of the function.
        directions: of the lines.
        largest: [lines], the largest step.
        roundoff: [lines], the unit roundoff along each line.
        ratio: of each step to the next, unless few steps must do.

    Returns:
        [lines, points]: the steps of the ladder on both sides and the point itself. If the arithmetic is coarser than
        float64 along any line, also the points at which noise is measured, and those that polynomials are fitted to.
    """
    steps = _ladder(evaluator, largest, ratio)
    parts = [-steps, 0 * steps[:, :1], steps]
    if _is_coarse(roundoff):
        spacing = (NOISE_SPACING * roundoff * directions.step_scale)[:, None]
        widest = np.maximum(1.0, MAX_NOISE_SPACING * directions.step_scale[:, None] / spacing)
        noise_offsets = [spacing * np.minimum(factor, widest) * NOISE_OFFSETS for factor in NOISE_SPACING_FACTORS]
        fits = [part * steps[:, :1] * sign * FIT_OFFSETS for part in FIT_RANGES for sign in (-1, 1)]
        parts += [*noise_offsets, *fits]
    return np.concatenate(parts, axis=1)


def _is_coarse(roundoff: Lines) -> bool:
    return bool(np.max(roundoff, initial=FLOAT64_ROUNDOFF) > FLOAT64_ROUNDOFF)


def _ladder(evaluator: Evaluator, largest: Lines, ratio: float) -> Levels:
    """A ladder of many steps, or of few if a line of many points does not fit into memory."""
    if evaluator.is_large:
        return step_ladder(largest / SHORT_LADDER_RATIO, SHORT_LADDER_LEVELS, SHORT_LADDER_RATIO)
    return step_ladder(largest, ratio=ratio)


def sample_ladder(
    evaluator: Evaluator,
    directions: Directions,
    roundoff: Lines,
    largest: Lines,
    ratio: float = LADDER_RATIO,
    noise: Lines | float = 0.0,
) -> LineSamples:
    """Evaluate one ladder along each line.

    Args:
        evaluator: of the function.
        directions: of the lines.
        roundoff: [lines], the unit roundoff along each line.
        largest: [lines], the largest step.
        ratio: of each step to the next, unless few steps must do.
        noise: [lines], what is known of the noise of a value.

    Returns:
        What was found.
    """
    steps = _ladder(evaluator, largest, ratio)
    levels = steps.shape[1]
    found, slopes = evaluator.along(directions, sample_offsets(evaluator, directions, largest, roundoff, ratio))
    values = LineValues(steps, found[:, :levels], found[:, levels + 1 : 2 * levels + 1], middle=found[:, levels])
    noise, fitted_values = np.broadcast_to(noise, len(directions)), None
    if _is_coarse(roundoff):
        ends = 2 * levels + 1 + len(NOISE_OFFSETS) * np.arange(len(NOISE_SPACING_FACTORS) + 1)
        _, *nearby, fitted_values = np.split(found, ends, axis=1)
        measured = _measured_noise(nearby, roundoff, values.middle)
        noise = np.where(roundoff > FLOAT64_ROUNDOFF, np.maximum(noise, measured), noise)
    magnitudes = directions.magnitudes(evaluator.function.flat)
    quantizes = bool(evaluator.function.precision and evaluator.function.precision.quantizes)
    differences = differentiate(values, noise, magnitudes, quantizes, _natural_step(directions))
    if fitted_values is not None:
        differences = _with_fits(differences, values, fitted_values, noise, roundoff)
    with np.errstate(invalid="ignore"):
        return LineSamples(differences, slopes, values.middle, steps, values.plus - values.middle[:, None])


def _natural_step(directions: Directions) -> Lines:
    """[lines], the largest step of its leaf's other entries for an entry that is tiny next to them; otherwise 0."""
    is_tiny = directions.leaf_step_scale > directions.step_scale
    return np.where(is_tiny, LARGEST_STEP * directions.leaf_step_scale, 0.0)


def _measured_noise(values: Sequence[np.ndarray], roundoff: Lines, middle: Lines) -> Lines:
    """The noise that points at several spacings show: the median.

    Points that lie on one tooth of a sawtooth show too little, and points on both sides of a kink too much.
    """
    near, *others = (measure_noise(each, roundoff, middle) for each in values)
    return np.asarray(np.maximum(near, np.median([near, *others], axis=0)))


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
