"""Derivatives from values alone, each with its error: Ridders' differences, what kinks and jumps do to them, and noise.

Everything here is NumPy on arrays of values. Row d of each array belongs to one line through the point, along which the
function is phi(t); `steps` [lines, levels] are the distances at which it was evaluated to both sides, each a quarter of
the one before, or a sixteenth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float

# Levels of a ladder, and the ratio of its steps; and of a short one, where an evaluation takes long.
LADDER_LEVELS, LADDER_RATIO = 14, 4.0
SHORT_LADDER_LEVELS, SHORT_LADDER_RATIO = 5, 16.0
# The largest step, in units of what is natural for the line.
LARGEST_STEP = 0.6
# How often a sequence is extrapolated: after that, nothing is left but rounding.
MAX_EXTRAPOLATIONS = 6

# Where values are noisy, polynomials are fitted up to these fractions of the largest step, through so many points.
FIT_RANGES = (1.0, 0.25)
FIT_STEPS = (np.arange(16.0) + 0.81) / 16

# Points around the middle, at equal distances, from which noise is measured.
NOISE_POINTS = np.arange(-4.0, 5.0)

Lines = Float[np.ndarray, " lines"]
Levels = Float[np.ndarray, "lines levels"]


class Slope(NamedTuple):
    """A derivative along each line, and how far off it may be; the error is infinite where nothing could be told."""

    value: Lines
    error: Lines


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Differences:
    """What the values tell about the slope at the point, for each line.

    slope: the derivative. before, after: the derivatives to the left and to the right of the point. kink: where these
    two differ. jump: where the function itself does. noise: the noise of a value. ruler: the steepest slope in sight,
    against which one of 0 is small.
    """

    slope: Slope
    before: Slope
    after: Slope
    kink: Bool[np.ndarray, " lines"]
    jump: Bool[np.ndarray, " lines"]
    noise: Lines
    slope_scale: Lines

    def take(self, lines: np.ndarray) -> Differences:
        """These lines alone."""
        result: Differences = jax.tree.map(lambda values: values[lines], self)
        return result

    def with_replaced(self, lines: np.ndarray, by: Differences) -> Differences:
        """These, but for some lines, which are as given."""

        def replace(values: np.ndarray, others: np.ndarray) -> np.ndarray:
            values = values.copy()
            values[lines] = others
            return values

        result: Differences = jax.tree.map(replace, self, by)
        return result


def step_ladder(largest: Lines, levels: int = LADDER_LEVELS, ratio: float = LADDER_RATIO) -> Levels:
    """The steps of each line, from the largest down.

    >>> step_ladder(np.array([1.0]))[0, :3].tolist()
    [1.0, 0.25, 0.0625]
    """
    return largest[:, None] * ratio ** -np.arange(float(levels))


def differentiate(
    steps: Levels, minus: Levels, plus: Levels, middle: Lines, noise: Lines, reach: Lines, stairs: bool = False
) -> Differences:
    """The slope at the point of each line, from the values at -steps, +steps and 0.

    Values that are not finite lie outside of the function's domain and are left out. noise: what is known of the noise
    of a value; more is assumed where the values show it. reach: how large the point's own numbers are, in units of the
    steps: a step is not known better than 2⁻⁵² of that. stairs: whether a staircase of values is meant, as by
    rounding to whole numbers, rather than the noise of coarse arithmetic.

    >>> steps = step_ladder(np.array([0.5]))
    >>> found = differentiate(steps, np.exp(-steps), np.exp(steps), np.ones(1), np.zeros(1), np.ones(1))
    >>> abs(float(found.slope.value[0]) - 1) <= float(found.slope.error[0]) < 1e-10
    True
    >>> bool(found.kink[0])
    False
    """
    with np.errstate(all="ignore"):
        minus, plus = (np.where(np.isfinite(values), values, np.nan) for values in (minus, plus))
        ratio = float(steps[0, 0] / steps[0, 1]) if len(steps) else LADDER_RATIO
        noise = np.maximum(noise, _rounding(steps, minus, plus, middle, reach, ratio))
        if not stairs:
            noise = np.maximum(noise, _stairs(steps, minus, plus, middle))
        right, jump_right, noise_right = _base(steps, plus, middle, noise)
        left, jump_left, noise_left = _base(steps, minus, middle, noise)
        after = extrapolate((plus - right[:, None]) / steps, 2 * noise_right[:, None] / steps, ratio)
        before = extrapolate((left[:, None] - minus) / steps, 2 * noise_left[:, None] / steps, ratio)
        central = extrapolate((plus - minus) / (2 * steps), noise[:, None] / steps, ratio**2)

        jump = jump_right | jump_left
        kink = ~jump & (np.abs(after.value - before.value) > 4 * (after.error + before.error))
        one_sided = np.where(np.isfinite(after.error), after, before)
        broken = ~np.isfinite(central.error)
        slope = Slope(*(np.where(broken, side, both) for side, both in zip(one_sided, central, strict=True)))
        rises = np.stack([np.abs(plus - middle[:, None]) / steps, np.abs(minus - middle[:, None]) / steps])
        ruler = np.max(np.where(np.isfinite(rises), rises, 0.0)[:, :, :4], axis=(0, 2))
        ruler += np.abs(np.nan_to_num(middle)) / steps[:, 0]
        return Differences(slope, before, after, kink, jump, noise, ruler)


def fit_polynomials(
    steps: Float[np.ndarray, " points"],
    minus: Float[np.ndarray, "lines points"],
    plus: Float[np.ndarray, "lines points"],
    middle: Lines,
    noise: Lines,
    natural: Lines,
) -> Differences:
    """The slope at the point of each line, where values are noisy: by polynomials through many of them.

    steps: distances to both sides, up to about 1, in units of `step_scale`.
    minus, plus [lines, points]: the values there.
    noise: that of a value; what the polynomials leave over counts as noise too. Of a centred polynomial only the odd
    powers matter, of those to one side all. Two degrees are fitted, and what they differ by is an error as well
    (least squares and their covariance: Press et al., Numerical Recipes, 15.4).
    """
    with np.errstate(invalid="ignore"):
        odd, right, left = (plus - minus) / 2, plus - middle[:, None], middle[:, None] - minus

    def slope(rises: np.ndarray, few: list[int], many: list[int]) -> Slope:
        fits = [_fitted(steps, rises, noise, powers) for powers in (few, many)]
        (one, _), (other, spread) = fits
        value, error = other, spread + np.abs(one - other)
        known = np.isfinite(value) & np.isfinite(error)
        return Slope(np.where(known, value, np.nan) / natural, np.where(known, error, np.inf) / natural)

    with np.errstate(all="ignore"):
        central = slope(odd, [1, 3], [1, 3, 5])
        after, before = slope(right, [1, 2], [1, 2, 3]), slope(left, [1, 2], [1, 2, 3])
        gap = np.abs(after.value - before.value)
        kink = gap > 4 * (after.error + before.error)
        central = Slope(central.value, central.error + np.where(kink, 0.0, np.nan_to_num(gap) / 8))
        ruler = (np.max(np.abs(np.nan_to_num(odd)), axis=1) + np.abs(np.nan_to_num(middle))) / natural
        return Differences(central, before, after, kink, np.zeros_like(kink), noise, ruler)


def _fitted(steps: np.ndarray, rises: np.ndarray, noise: Lines, powers: list[int]) -> tuple[Lines, Lines]:
    """The first coefficient of a polynomial without a constant, and its standard error times 3."""
    design = steps[:, None] ** np.array(powers)
    inverse = np.linalg.pinv(design)
    coefficients = rises @ inverse.T
    left_over = np.sqrt(np.sum((rises - coefficients @ design.T) ** 2, axis=1) / (len(steps) - len(powers)))
    return coefficients[:, 0], 3 * np.fmax(left_over, noise / 4) * np.linalg.norm(inverse[0])


def extrapolate(first: Levels, noise: Levels, ratio: float) -> Slope:
    """The limit of each row of differences as the step goes to 0, and its error.

    first: differences that are off by a series in a quantity that falls by `ratio` from each to the next. Taking the
    leading term away from two neighbours
    gives a column that is off by the next one, and so on (Ridders, Adv. Eng. Software 4:2, 1982; Press et al.,
    Numerical Recipes, 5.7). Each entry of that tableau is a candidate. Its error is the sum of three: how far the two
    it was made from differ, as Ridders has it; what noise can do to it; and how far it is from the entries of smaller
    steps, beyond their noise, which unmasks neighbours that agree by chance. The one with the least is the answer.

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
        # The column before the extrapolation competes too: where the series does not hold, it is the better one.
        for candidate, spreads in (
            (fine, spread[:, 1:]),
            (fine + (fine - coarse) / (factor - 1), (factor * spread[:, 1:] + spread[:, :-1]) / (factor - 1)),
        ):
            errors = truncation + spreads + _beyond_noise(candidate, spreads)
            errors = np.where(np.isfinite(errors) & np.isfinite(candidate), errors, np.inf)
            best = np.argmin(errors, axis=1)[:, None]
            least = np.take_along_axis(errors, best, 1)[:, 0]
            value = np.where(least < error, np.take_along_axis(candidate, best, 1)[:, 0], value)
            error = np.minimum(error, least)
        column, spread = candidate, spreads
    return Slope(value, error + 4 * np.finfo(float).eps * np.abs(np.nan_to_num(value)))


def _beyond_noise(column: Levels, spread: Levels) -> Levels:
    """How far each entry is from those of smaller steps, beyond what their noise explains."""
    distance = np.abs(column[:, :, None] - column[:, None, :]) - spread[:, None, :]
    finer = np.triu(np.ones(2 * (column.shape[1],), bool), k=1)
    return np.asarray(np.max(np.where(finer & np.isfinite(distance), distance, 0.0), axis=2, initial=0.0))


def _rounding(steps: Levels, minus: Levels, plus: Levels, middle: Lines, reach: Lines, ratio: float) -> Lines:
    """The noise of a value as the smallest steps show it.

    There the odd part (plus - minus) / 2 is a straight line, but for a cube that is far below rounding and a jump or a
    kink between the smallest steps, which moves the line. What is left when both are taken away is noise. Of three
    such remainders the middle one, or of two the smaller, since a kink may lie among them.
    """
    eps = float(np.finfo(float).eps)
    smallest = 5 if ratio <= LADDER_RATIO else 3
    odd = (plus - minus)[:, -smallest:] / 2
    rises = odd[:, :-1] - odd[:, 1:]
    seen = _median(np.abs(rises[:, 1:] - rises[:, :-1] / ratio))
    slope = np.nan_to_num(np.abs(rises[:, 0]) / (steps[:, -smallest] - steps[:, 1 - smallest]))
    return np.asarray(np.maximum(eps * (np.abs(np.nan_to_num(middle)) + slope * reach), 3 * seen))


def _base(steps: Levels, side: Levels, middle: Lines, noise: Lines) -> tuple[Lines, Bool[np.ndarray, " lines"], Lines]:
    """What the values of one side tend to at the point, whether that is a jump from the middle, and its noise."""
    limit = side[:, -1] - (side[:, -2] - side[:, -1]) / (steps[:, -2] / steps[:, -1] - 1)
    gap, gap_before = np.abs(side[:, -1] - middle), np.abs(side[:, -3] - middle)
    jump = (gap > 0.5 * gap_before) & (np.abs(limit - middle) > 0.5 * gap) & (gap > 100 * noise)
    return np.where(jump, limit, middle), jump, np.where(jump, 2 * noise, noise)


def _stairs(steps: Levels, minus: Levels, plus: Levels, middle: Lines) -> Lines:
    """The height of a stair, where the values lie on a staircase; 0 elsewhere.

    A function that rounds inside does not move at the smallest steps, and at the larger ones it follows, to both sides
    alike, the slope that it would have without. One that is flat and turns a corner does so on one side only.
    """
    right, left = plus - middle[:, None], middle[:, None] - minus
    still = (right[:, -3:] == 0).all(axis=1) & (left[:, -3:] == 0).all(axis=1)
    moving = (right != 0) & (left != 0) & np.isfinite(right + left)
    rises = np.where(moving, np.stack([right, left]) / steps, np.nan)
    typical = _median(np.concatenate(rises, axis=1))
    off = np.abs(rises - typical[:, None]) < 0.3 * np.abs(typical[:, None])
    alike = (moving & off.all(axis=0)).sum(axis=1) >= 3
    onset = np.max(np.where(moving, np.arange(steps.shape[1]), -1), axis=1)[:, None]
    height = np.maximum(*(np.abs(np.take_along_axis(side, onset, 1)[:, 0]) for side in (right, left)))
    return np.where(still & alike, np.nan_to_num(height), 0.0)


def _median(values: Levels) -> Lines:
    """The lower median of each row's numbers, those that are not NaN; 0 where there are none."""
    last = np.maximum(0, (np.sum(~np.isnan(values), axis=1) - 1) // 2)
    return np.asarray(np.nan_to_num(np.take_along_axis(np.sort(values, axis=1), last[:, None], 1)[:, 0]))


def measure_noise(values: Float[np.ndarray, "lines 9"], unit: float | Lines, middle: Lines) -> Lines:
    """A bound on the noise of a function that rounds inside, from its values at NOISE_POINTS times some distance.

    Fourth differences leave noise and take away what is smooth; their root mean square over √70 is the noise's
    standard deviation (Hamming, Introduction to Applied Numerical Analysis, 6; Moré and Wild, SIAM J. Sci. Comput.
    33:1292, 2011), of which four are taken. The points are about two roundings apart, so that half of what the value
    moves from one to the next is noise too, or all of it where it moves by stairs. Where it does not move, it is as
    coarse as `unit`, the rounding of its arithmetic.
    """
    fourth = np.diff(values, 4, axis=1)
    bound = 4 * np.sqrt(np.mean(fourth**2, axis=1) / math.comb(8, 4))
    moves = np.abs(np.diff(values, axis=1))
    stairs = np.max(moves, axis=1) * np.where((moves == 0).sum(axis=1) >= 2, 1.0, 0.5)
    still = np.where((moves == 0).all(axis=1), 0.5 * np.asarray(unit) * np.abs(middle), 0.0)
    noise: np.ndarray = np.nan_to_num(np.maximum(np.maximum(bound, stairs), still))
    return noise
