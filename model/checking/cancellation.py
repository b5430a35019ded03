"""Functions whose values cancel to nothing, so that only rounding is left: their derivative is 0 up to rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import LADDER_LEVELS, SHORT_LADDER_LEVELS, Differences, Lines
from model.checking.gradient_programs import NearbyPoints
from model.checking.rounding import FLOAT64_ROUNDOFF
from model.checking.verdicts import ERROR_MARGIN, Verdict
from model.pytrees import Flat

# How many roundings points are apart at which rounding shows, and how many of them a derivative is computed at.
JITTER_ROUNDINGS, JITTERS = 4, 8
# A derivative is rounding alone if it would move the value by less than this many times what the points show.
FLOOR_MARGIN = 8
# A value is rounding alone if it is below this many times what the points show.
VALUE_MARGIN = 1e3


def excuse_cancellation(
    evaluator: Evaluator,
    directions: Directions,
    differences: Differences,
    derivatives: dict[str, np.ndarray],
    verdicts: dict[str, list[Verdict]],
    middle: Lines,
) -> None:
    """Let no derivative be wrong that is 0 on both sides, as far as the rounding of the values tells.

    If the value itself is no more than rounding, and flat along every line, such derivatives agree.

    Args:
        evaluator: of the function.
        directions: of the lines.
        differences: along each line.
        derivatives: [lines] each, by the name of the method.
        verdicts: on each of them, which are changed.
        middle: [lines], the values at the point.
    """
    in_doubt = {line for each in verdicts.values() for line, verdict in enumerate(each) if _is_in_doubt(verdict)}
    lines = np.array(sorted(in_doubt), int)
    if not len(lines) or max(evaluator.input_roundoff(), default=0.0) > FLOAT64_ROUNDOFF:
        return
    moves = np.zeros(len(directions))
    moves[lines] = np.maximum(_moves(evaluator, directions.take(lines)), _moves(evaluator, _through_all(directions))[0])
    floor = FLOOR_MARGIN * moves / directions.step_scale
    flat = lines[_is_flat(differences, floor)[lines]]
    if not len(flat):
        return
    scatter = _derivative_scatter(evaluator, directions, flat, derivatives)
    is_rounding = len(flat) == len(directions) and bool((np.abs(middle[flat]) <= VALUE_MARGIN * moves[flat]).all())
    for method, values in derivatives.items():
        # The largest scatter counts for all of these lines: a derivative may be the same rounding at all points nearby.
        largest = np.max(scatter.get(method, np.zeros(1)) * directions.step_scale[flat])
        bound = np.maximum(floor[flat], FLOOR_MARGIN * largest / directions.step_scale[flat])
        for line in flat[np.abs(values[flat]) <= bound]:
            if _is_in_doubt(verdicts[method][line]):
                verdicts[method][line] = Verdict.AGREES if is_rounding else Verdict.NOISY


def _is_flat(differences: Differences, floor: Lines) -> np.ndarray:
    """[lines], whether the differences show no slope above the floor."""
    slope = differences.slope
    with np.errstate(invalid="ignore"):
        error = ERROR_MARGIN * np.where(np.isfinite(slope.error), slope.error, 0.0)
        return np.asarray(np.abs(slope.value) - error <= floor)


def _is_in_doubt(verdict: Verdict) -> bool:
    return verdict in (Verdict.WRONG, Verdict.NOISY)


def _moves(evaluator: Evaluator, directions: Directions) -> Lines:
    """How much the value moves from one point to the next, a few roundings apart, along each line.

    The largest move but one, because one may be a jump.
    """
    steps = JITTER_ROUNDINGS * FLOAT64_ROUNDOFF * directions.step_scale[:, None]
    values = evaluator.along(directions, steps * _multiples(evaluator)).values
    return np.asarray(np.sort(np.nan_to_num(np.abs(np.diff(values, axis=1))), axis=1)[:, -2])


def _multiples(evaluator: Evaluator) -> np.ndarray:
    """As many points as a ladder has on both sides, so that the ladder's program serves again."""
    levels = SHORT_LADDER_LEVELS if evaluator.is_large else LADDER_LEVELS
    return np.arange(-levels, levels + 1.0)


def _through_all(directions: Directions) -> Directions:
    """A single direction that moves every entry by its scale."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], len(directions.scale))
    return Directions(np.zeros(0, int), (directions.scale * signs)[None], ("all",), directions.scale)


def _derivative_scatter(
    evaluator: Evaluator, directions: Directions, lines: np.ndarray, derivatives: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """How much the derivatives along some lines differ, [lines], at points a few roundings away, by each method."""
    rng, function = np.random.default_rng(0), evaluator.function
    taken, largest = directions.take(lines), dict[str, np.ndarray]()
    for _ in range(JITTERS):
        step = JITTER_ROUNDINGS * FLOAT64_ROUNDOFF * directions.scale * rng.choice([-1.0, 1.0], len(directions.scale))
        moved = _move(function, function.flat + step)
        nearby = evaluator.for_args_of(moved)
        slopes = nearby.along(taken, np.zeros((len(lines), len(_multiples(evaluator))))).slopes
        gradients = nearby.gradients(NearbyPoints(directions.scale, np.zeros(1)))
        found = {} if slopes is None else {"jvp": slopes}
        if gradients is not None:
            found["grad"] = taken.derivatives_along(gradients.gradients[0])
        for method, values in found.items():
            difference = np.abs(values - derivatives[method][lines])
            largest[method] = np.fmax(largest.get(method, 0.0), difference)
    return largest


def _move(function: CheckedFunction, flat: Flat) -> CheckedFunction:
    """The same function at another point."""
    leaves = list(function.leaves)
    for index, leaf, own in zip(function.floating, function.unflatten(flat), function.point, strict=True):
        leaves[index] = leaf.astype(own.dtype)
    return replace(function, leaves=tuple(leaves))
