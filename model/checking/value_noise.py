"""The noise of a function's values, measured from the values themselves."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

FLOAT64_EPS = float(np.finfo(np.float64).eps)
# Offsets around the point, in units of a spacing, at which noise is measured.
NOISE_OFFSETS = np.arange(-4.0, 5.0)
# Standard deviations that a bound on the noise has.
NOISE_DEVIATIONS = 4
# Smallest steps from which the rounding of values is read: of a ladder with so many steps, and of a shorter one.
ROUNDING_LEVELS, SHORT_ROUNDING_LEVELS, LONG_LADDER_LEVELS = 5, 3, 10
# Secants of a staircase differ from the typical one by at most this share, and at least so many do not.
STAIR_SPREAD, MIN_STAIRS = 0.3, 3

Lines = Float[np.ndarray, " lines"]
Levels = Float[np.ndarray, "lines levels"]


def rounding_noise(steps: Levels, odd: Levels, middle: Lines, magnitudes: Lines, ratio: float) -> Lines:
    """The noise of a value, as the smallest steps show it.

    At small steps the odd part of the values is a straight line, up to a cubic term far below rounding and a jump or
    kink between the smallest steps, which only shifts the line. What remains without both is noise. The lower median
    of the remainders is taken, because a kink may lie among them.

    Args:
        steps: [lines, levels], descending.
        odd: [lines, levels], half of the difference of the values at +steps and -steps; NaN if it is not known.
        middle: [lines], the values at the point.
        magnitudes: [lines], how large the point's numbers are, in units of the steps.
        ratio: of each step to the next.

    Returns:
        [lines], at least the rounding of the value and of the point.
    """
    levels = ROUNDING_LEVELS if steps.shape[1] >= LONG_LADDER_LEVELS else SHORT_ROUNDING_LEVELS
    smallest = odd[:, -levels:]
    rises = smallest[:, :-1] - smallest[:, 1:]
    remainder = _lower_median(np.abs(rises[:, 1:] - rises[:, :-1] / ratio))
    slope = np.nan_to_num(np.abs(rises[:, 0]) / (steps[:, -levels] - steps[:, 1 - levels]))
    rounding = FLOAT64_EPS * (np.abs(np.nan_to_num(middle)) + slope * magnitudes)
    return np.asarray(np.maximum(rounding, 3 * remainder))


def quantization_height(steps: Levels, minus: Levels, plus: Levels, middle: Lines) -> Lines:
    """The height of a step, if the values lie on a staircase.

    A function that rounds inside does not move at the smallest steps. At larger ones it follows, on both sides alike,
    the slope that it would have without rounding. A function that is flat and then turns a corner does so on one side.

    Args:
        steps: [lines, levels], descending.
        minus: [lines, levels], the values at -steps; NaN if they are not known.
        plus: [lines, levels], the values at +steps.
        middle: [lines], the values at the point.

    Returns:
        [lines], the height; 0 if there is no staircase.
    """
    right, left = plus - middle[:, None], middle[:, None] - minus
    is_still = (right[:, -3:] == 0).all(axis=1) & (left[:, -3:] == 0).all(axis=1)
    is_moving = (right != 0) & (left != 0) & np.isfinite(right + left)
    secants = np.where(is_moving, np.stack([right, left]) / steps, np.nan)
    typical = _lower_median(np.concatenate(secants, axis=1))
    is_near = np.abs(secants - typical[:, None]) < STAIR_SPREAD * np.abs(typical[:, None])
    is_staircase = is_still & ((is_moving & is_near.all(axis=0)).sum(axis=1) >= MIN_STAIRS)
    last_moving = np.max(np.where(is_moving, np.arange(steps.shape[1]), -1), axis=1)[:, None]
    height = np.maximum(*(np.abs(np.take_along_axis(side, last_moving, 1)[:, 0]) for side in (right, left)))
    return np.where(is_staircase, np.nan_to_num(height), 0.0)


def measure_noise(values: Float[np.ndarray, "lines 9"], roundoff: float | Lines, middle: Lines) -> Lines:
    """A bound on the noise of a function that rounds inside.

    Fourth differences remove what is smooth and leave the noise; their root mean square over √70 is its standard
    deviation (Hamming, Introduction to Applied Numerical Analysis, 6; Moré and Wild, SIAM J. Sci. Comput. 33:1292,
    2011). The points are about two roundings apart, so half of what a value moves from one to the next is noise too,
    or all of it if it moves on a staircase. If it does not move at all, it is as coarse as its arithmetic.

    Args:
        values: [lines, 9], at NOISE_OFFSETS times some spacing.
        roundoff: the unit roundoff of the arithmetic.
        middle: [lines], the values at the point.

    Returns:
        [lines], four standard deviations.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        fourth_differences = np.diff(values, 4, axis=1)
        bound = NOISE_DEVIATIONS * np.sqrt(np.mean(fourth_differences**2, axis=1) / math.comb(8, 4))
        moves = np.abs(np.diff(values, axis=1))
    is_staircase = (moves == 0).sum(axis=1) >= 2
    stairs = np.max(moves, axis=1) * np.where(is_staircase, 1.0, 0.5)
    still = np.where((moves == 0).all(axis=1), 0.5 * np.asarray(roundoff) * np.abs(middle), 0.0)
    noise: np.ndarray = np.nan_to_num(np.maximum(np.maximum(bound, stairs), still))
    return noise


def _lower_median(values: Levels) -> Lines:
    """The lower median of each row's numbers that are not NaN; 0 if there are none."""
    last = np.maximum(0, (np.sum(~np.isnan(values), axis=1) - 1) // 2)
    return np.asarray(np.nan_to_num(np.take_along_axis(np.sort(values, axis=1), last[:, None], 1)[:, 0]))
