"""Derivatives from values alone, each with its error: Ridders' extrapolation, one-sided slopes, kinks and jumps.

Everything here is NumPy on arrays of values. Row d of each array belongs to one line through the point, along which the
function is φ(t). `steps` [lines, levels] are the distances at which φ was evaluated on both sides; each is a quarter of
the one before it, or a sixteenth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float

from model.checking.value_noise import quantization_height, rounding_noise

# The steps of a ladder: how many, and the ratio of each to the next; and of a short ladder, for expensive functions.
LADDER_LEVELS, LADDER_RATIO = 14, 4.0
SHORT_LADDER_LEVELS, SHORT_LADDER_RATIO = 5, 16.0
# The largest step, in units of the line's typical step.
LARGEST_STEP = 0.6
# How often a sequence is extrapolated. After that, only rounding is left.
MAX_EXTRAPOLATIONS = 6
# Two one-sided slopes differ if they are further apart than this times their errors.
SIDES_MARGIN = 4.0
# A gap is a jump if it shrinks by less than this from one step to another, and is larger than this times the noise.
JUMP_SHRINKAGE, JUMP_NOISE = 0.5, 100.0
# A slope is infinite if the secants of so many smallest steps grow from each to the next by more than this, all alike.
SINGULAR_LEVELS, SINGULAR_GROWTH, SINGULAR_SPREAD = 5, 1.1, 1.3

Lines = Float[np.ndarray, " lines"]
Levels = Float[np.ndarray, "lines levels"]


class Slope(NamedTuple):
    """A derivative along each line.

    Attributes:
        value: [lines].
        error: [lines], how far off the value may be; infinite if nothing is known.
    """

    value: Lines
    error: Lines


class LineValues(NamedTuple):
    """The values of the function along each line.

    Attributes:
        steps: [lines, levels], the distances from the point.
        minus: [lines, levels], the values at -steps; not finite outside of the function's domain.
        plus: [lines, levels], the values at +steps.
        middle: [lines], the values at the point.
    """

    steps: Levels
    minus: Levels
    plus: Levels
    middle: Lines


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Differences:
    """What the values tell about the slope at the point, for each line.

    Attributes:
        slope: the derivative.
        before: the derivative to the left of the point.
        after: the derivative to the right of the point.
        kink: whether the two differ.
        jump: whether the function jumps at the point.
        noise: the noise of a value.
        slope_scale: the steepest slope in sight; a slope that is tiny next to it counts as 0.
    """

    slope: Slope
    before: Slope
    after: Slope
    kink: Bool[np.ndarray, " lines"]
    jump: Bool[np.ndarray, " lines"]
    noise: Lines
    slope_scale: Lines

    def take(self, lines: np.ndarray) -> Differences:
        """Some of the lines."""
        taken: Differences = jax.tree.map(lambda values: values[lines], self)
        return taken

    def with_replaced(self, lines: np.ndarray, replacement: Differences) -> Differences:
        """The same with some lines replaced."""

        def replace(values: np.ndarray, others: np.ndarray) -> np.ndarray:
            values = values.copy()
            values[lines] = others
            return values

        replaced: Differences = jax.tree.map(replace, self, replacement)
        return replaced


def step_ladder(largest: Lines, levels: int = LADDER_LEVELS, ratio: float = LADDER_RATIO) -> Levels:
    """The steps of each line.

    Args:
        largest: [lines], the first step of each line.
        levels: how many steps there are.
        ratio: of each step to the next.

    Returns:
        [lines, levels], descending.

    Example:
        >>> step_ladder(np.array([1.0]))[0, :3].tolist()
        [1.0, 0.25, 0.0625]
    """
    return largest[:, None] * ratio ** -np.arange(float(levels))


def differentiate(
    values: LineValues,
    noise: Lines,
    magnitudes: Lines,
    is_quantized_on_purpose: bool = False,
    natural_step: Lines | float = 0.0,
) -> Differences:
    """The slope at the point of each line.

    Args:
        values: along each line.
        noise: [lines], what is known of the noise of a value. More is assumed if the values show it.
        magnitudes: [lines], how large the point's numbers are, in units of the steps. A step is not known better than
            2⁻⁵² of that.
        is_quantized_on_purpose: whether values that form a staircase are meant, as by `round`; otherwise they are the
            noise of coarse arithmetic.
        natural_step: [lines], a step over which the whole value may be expected to change, if the largest is smaller.

    Returns:
        What the values tell.

    Example:
        >>> steps = step_ladder(np.array([0.5]))
        >>> values = LineValues(steps, np.exp(-steps), np.exp(steps), np.ones(1))
        >>> found = differentiate(values, np.zeros(1), np.ones(1))
        >>> abs(float(found.slope.value[0]) - 1) <= float(found.slope.error[0]) < 1e-10
        True
        >>> bool(found.kink[0])
        False
    """
    with np.errstate(all="ignore"):
        steps, middle = values.steps, values.middle
        minus, plus = (np.where(np.isfinite(side), side, np.nan) for side in (values.minus, values.plus))
        ratio = float(steps[0, 0] / steps[0, 1]) if len(steps) else LADDER_RATIO
        noise = np.maximum(noise, rounding_noise(steps, (plus - minus) / 2, middle, magnitudes, ratio))
        if not is_quantized_on_purpose:
            noise = np.maximum(noise, quantization_height(steps, minus, plus, middle))
        right, left = _one_side(plus, steps, middle, noise), _one_side(minus, steps, middle, noise)
        after = extrapolate((plus - right.base[:, None]) / steps, 2 * right.noise[:, None] / steps, ratio)
        before = extrapolate((left.base[:, None] - minus) / steps, 2 * left.noise[:, None] / steps, ratio)
        central = extrapolate((plus - minus) / (2 * steps), noise[:, None] / steps, ratio**2)
        jump = right.jump | left.jump
        slope = _central_or_one_sided(central, before, after)
        is_singular = ~jump & _diverges((plus - minus) / 2, steps, middle)
        return Differences(
            slope=Slope(slope.value, np.where(is_singular, np.inf, slope.error)),
            before=before,
            after=after,
            kink=~jump & (np.abs(after.value - before.value) > SIDES_MARGIN * (after.error + before.error)),
            jump=jump,
            noise=noise,
            slope_scale=_steepest(steps, minus, plus, middle, natural_step),
        )


def _central_or_one_sided(central: Slope, before: Slope, after: Slope) -> Slope:
    """The central slope; if nothing is known of it, that of a side on which something is."""
    one_sided = np.where(np.isfinite(after.error), after, before)
    is_unknown = ~np.isfinite(central.error)
    return Slope(*(np.where(is_unknown, side, both) for side, both in zip(one_sided, central, strict=True)))


def _diverges(odd: Levels, steps: Levels, middle: Lines) -> Bool[np.ndarray, " lines"]:
    """Whether the slope is infinite: the secant grows as a power of the step, up to the smallest steps."""
    rises = np.abs(odd[:, -SINGULAR_LEVELS:])
    is_clear = rises > JUMP_NOISE * np.finfo(float).eps * np.abs(middle)[:, None]
    secants = rises / steps[:, -SINGULAR_LEVELS:]
    growth = secants[:, 1:] / secants[:, :-1]
    is_steady = np.max(growth, axis=1) < SINGULAR_SPREAD * np.min(growth, axis=1)
    return np.asarray(is_clear.all(axis=1) & is_steady & (np.min(growth, axis=1) > SINGULAR_GROWTH))


def _steepest(steps: Levels, minus: Levels, plus: Levels, middle: Lines, natural_step: Lines | float) -> Lines:
    """The steepest slope of a secant at the four largest steps, plus the value over the largest step."""
    secants = np.stack([np.abs(side - middle[:, None]) / steps for side in (plus, minus)])
    steepest = np.max(np.where(np.isfinite(secants), secants, 0.0)[:, :, :4], axis=(0, 2))
    return np.asarray(steepest + np.abs(np.nan_to_num(middle)) / np.maximum(steps[:, 0], natural_step))


def extrapolate(first: Levels, noise: Levels, ratio: float) -> Slope:
    """The limit of each row of differences as the step goes to 0, and its error.

    Removing the leading error term from two neighbors gives a column whose error is the next term, and so on (Ridders,
    Adv. Eng. Software 4:2, 1982; Press et al., Numerical Recipes, 5.7). Each entry of this tableau is a candidate. Its
    error is the sum of three: how far the two entries that it was made of differ, as in Ridders; what the noise can do
    to it; and how far it is from the entries of smaller steps, beyond their noise, which unmasks neighbors that agree
    by chance. The candidate with the smallest error wins.

    Args:
        first: [lines, levels], differences whose error is a series in a quantity that falls by `ratio` from each level
            to the next.
        noise: [lines, levels], the noise of each difference.
        ratio: above 1.

    Returns:
        The limits.

    Example:
        >>> steps = step_ladder(np.array([0.5]))
        >>> value, error = extrapolate(np.sin(steps) / steps, 1e-16 / steps, ratio=16.0)
        >>> bool(abs(value[0] - 1) <= error[0] < 1e-12)
        True
    """
    column, spread = first, noise
    value, error = np.full(len(first), np.nan), np.full(len(first), np.inf)
    for depth in range(1, min(MAX_EXTRAPOLATIONS, first.shape[1] - 1) + 1):
        factor = ratio**depth
        fine, coarse = column[:, 1:], column[:, :-1]
        truncation = np.abs(fine - coarse)
        # The column before the extrapolation competes too: if the series does not hold, it is the better one.
        for candidate, spreads in (
            (fine, spread[:, 1:]),
            (fine + (fine - coarse) / (factor - 1), (factor * spread[:, 1:] + spread[:, :-1]) / (factor - 1)),
        ):
            errors = truncation + spreads + _beyond_noise(candidate, spreads)
            errors = np.where(np.isfinite(errors) & np.isfinite(candidate), errors, np.inf)
            best = np.argmin(errors, axis=1)[:, None]
            smallest = np.take_along_axis(errors, best, 1)[:, 0]
            value = np.where(smallest < error, np.take_along_axis(candidate, best, 1)[:, 0], value)
            error = np.minimum(error, smallest)
        column, spread = candidate, spreads
    return Slope(value, error + 4 * np.finfo(float).eps * np.abs(np.nan_to_num(value)))


def _beyond_noise(column: Levels, spread: Levels) -> Levels:
    """How far each entry is from the entries of smaller steps, beyond what their noise explains."""
    distance = np.abs(column[:, :, None] - column[:, None, :]) - spread[:, None, :]
    is_finer = np.triu(np.ones(2 * (column.shape[1],), bool), k=1)
    return np.asarray(np.max(np.where(is_finer & np.isfinite(distance), distance, 0.0), axis=2, initial=0.0))


class _Side(NamedTuple):
    """What the values on one side tend to at the point: base [lines], whether that is a jump, and its noise."""

    base: Lines
    jump: Bool[np.ndarray, " lines"]
    noise: Lines


def _one_side(side: Levels, steps: Levels, middle: Lines, noise: Lines) -> _Side:
    limit = side[:, -1] - (side[:, -2] - side[:, -1]) / (steps[:, -2] / steps[:, -1] - 1)
    gap, gap_before = np.abs(side[:, -1] - middle), np.abs(side[:, -3] - middle)
    jump = (
        (gap > JUMP_SHRINKAGE * gap_before)
        & (np.abs(limit - middle) > JUMP_SHRINKAGE * gap)
        & (gap > JUMP_NOISE * noise)
    )
    return _Side(np.where(jump, limit, middle), jump, np.where(jump, 2 * noise, noise))
