"""Values that rise on a sawtooth, because intermediate results are rounded more coarsely than the point itself.

In sum(x - mean(x)) the mean does not move at steps below its own rounding, so that the value follows x alone, smoothly
and without noise, at a slope that the function does not have. Between the teeth the value jumps back.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import LADDER_LEVELS, Levels, Lines
from model.checking.ladder import LineSamples
from model.checking.rounding import FLOAT64_ROUNDOFF

# At how many places in an interval a small step is made, and at how many it must show the same slope as at the point.
PLACES, MIN_AGREEING = LADDER_LEVELS, 11
# At how many of them the slopes of that step and of twice that step must differ if the values show only noise.
MIN_ROUGH = 7
# A step shows a slope if it is at least so many roundings of the point.
MIN_ROUNDINGS = 16
# Its slope is known if the noise of a value is below one in so many of what is allowed.
CLEAR_RISE = 4
# Two slopes are alike if they differ by less than this share of the difference of the two that are compared.
LIKENESS = 0.2
# Teeth are rounding if the error in float32 is at least so many times as large. Its roundings are 5e8 times as large.
FLOAT32_RATIO = 1e3


def find_sawteeth(
    evaluator: Evaluator, directions: Directions, coarse: LineSamples, mean_slope: Lines, fine: LineSamples
) -> Bool[np.ndarray, " lines"]:
    """Whether the slope that small steps show is that of a tooth, and larger ones show the function's.

    A function that bends at the point has the slope of the small steps only close to the point. So the same small steps
    are made where the function has another slope in the mean. If they show the same slope there too, the value must
    jump in between. If they show no slope at all, they only show noise. Both are rounding if the value in float32 is
    off by far more than the height of the teeth. Otherwise the function itself is such, as an angle that is wrapped.

    Args:
        evaluator: of the function.
        directions: of the lines.
        coarse: samples with larger steps.
        mean_slope: [lines], the slope that these are supposed to show.
        fine: samples with smaller steps, whose slope is the one in doubt; they may be the same.

    Returns:
        Whether each line is such a sawtooth.
    """
    found = np.zeros(len(directions), bool)
    slope = fine.differences.slope.value
    allowed = LIKENESS * np.abs(mean_slope - slope)
    interval = _smallest_interval(coarse, mean_slope, allowed)
    step = _smallest_step(fine, allowed, directions.magnitudes(evaluator.function.flat))
    lines = np.flatnonzero(np.isfinite(interval).all(axis=1) & np.isfinite(step))
    if len(lines):
        heights = tooth_heights(coarse.take(lines), mean_slope[lines])
        lines = lines[evaluator.float32_error(float(coarse.middle[0])) >= FLOAT32_RATIO * heights]
    if len(lines):
        secants, wider = (
            _local_secants(evaluator, directions.take(lines), interval[lines], factor * step[lines])
            for factor in (1, 2)
        )
        with np.errstate(invalid="ignore"):
            is_alike = np.abs(secants - slope[lines, None]) <= allowed[lines, None]
            is_rough = np.abs(secants - wider) > allowed[lines, None]
        found[lines] = (is_alike.sum(axis=1) >= MIN_AGREEING) | (is_rough.sum(axis=1) >= MIN_ROUGH)
    return found


def tooth_heights(samples: LineSamples, mean_slope: Lines) -> Lines:
    """How far the values of the smaller half of the steps are from a straight line: a bound on the height of the teeth.

    Args:
        samples: along lines on which values lie on a sawtooth.
        mean_slope: [lines], of the straight line.

    Returns:
        [lines], from 0.
    """
    distance = np.abs(samples.rises - mean_slope[:, None] * samples.steps)
    return np.asarray(np.max(np.nan_to_num(distance[:, samples.steps.shape[1] // 2 :]), axis=1))


def _smallest_interval(coarse: LineSamples, mean_slope: Lines, allowed: Lines) -> Levels:
    """[lines, 2], the smallest steps between which the value has the mean slope; infinite if there are none."""
    steps, rises = coarse.steps, coarse.rises
    with np.errstate(invalid="ignore", over="ignore"):
        secants = (rises[:, :-1] - rises[:, 1:]) / (steps[:, :-1] - steps[:, 1:])
        is_alike = np.abs(secants - mean_slope[:, None]) <= allowed[:, None]
    intervals = np.stack([steps[:, 1:], steps[:, :-1]], axis=2)
    return np.asarray(np.min(np.where(is_alike[:, :, None], intervals, np.inf), axis=1))


def _smallest_step(fine: LineSamples, allowed: Lines, magnitudes: Lines) -> Lines:
    """[lines], the smallest step, well above rounding, that shows the slope of the fine samples; infinite if none."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        is_alike = np.abs(fine.rises / fine.steps - fine.differences.slope.value[:, None]) <= allowed[:, None]
        rounding = np.maximum(
            MIN_ROUNDINGS * FLOAT64_ROUNDOFF * magnitudes, CLEAR_RISE * fine.differences.noise / allowed
        )
    is_clear = fine.steps >= rounding[:, None]
    return np.asarray(np.min(np.where(is_alike & is_clear, fine.steps, np.inf), axis=1))


def _local_secants(
    evaluator: Evaluator, directions: Directions, interval: Levels, step: Lines
) -> Float[np.ndarray, "lines places"]:
    """The secants of a small step at places in an interval that are spread by the golden ratio."""
    shares = np.arange(1, PLACES + 1) * (np.sqrt(5) - 1) / 2 % 1
    places = interval[:, :1] + shares * np.diff(interval, axis=1)
    offsets = np.concatenate([places, places[:, :1], places + step[:, None]], axis=1)
    values = evaluator.along(directions, offsets).values
    with np.errstate(invalid="ignore"):
        return np.asarray((values[:, PLACES + 1 :] - values[:, :PLACES]) / step[:, None])
