"""Functions whose values cancel to nothing, so that only rounding is left: their derivative is 0 up to rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import LADDER_LEVELS, SHORT_LADDER_LEVELS, Differences, Lines
from model.checking.gradient_programs import NearbyPoints
from model.checking.ladder import LineSamples
from model.checking.rounding import FLOAT32_ROUNDOFF, FLOAT64_ROUNDOFF
from model.checking.verdicts import ERROR_MARGIN, Verdict
from model.pytrees import Flat

# How many roundings points are apart at which rounding shows, and how many of them a derivative is computed at.
JITTER_ROUNDINGS, JITTERS = 4, 8
# A derivative is rounding alone if it would move the value by less than this many times what the points show.
FLOOR_MARGIN = 8
# A slope that is known to this share of it is none of rounding.
KNOWN_SHARE = 1e-3
# A value is rounding alone if it is below this many times what the points show.
VALUE_MARGIN = 1e3
# It is too if it, and all that it changes along a line, is below this many times the noise of the line.
NOISE_MARGIN = 100


def excuse_cancellation(
    evaluator: Evaluator,
    directions: Directions,
    samples: LineSamples,
    derivatives: dict[str, np.ndarray],
    verdicts: dict[str, list[Verdict]],
) -> None:
    """Let no derivative be wrong that is 0 on both sides, as far as the rounding of the values tells.

    If the value itself is no more than rounding, and flat along every line, such derivatives agree.

    Args:
        evaluator: of the function.
        directions: of the lines.
        samples: along each line.
        derivatives: [lines] each, by the name of the method.
        verdicts: on each of them, which are changed.
    """
    in_doubt = np.any([[_is_in_doubt(verdict) for verdict in each] for each in verdicts.values()], axis=0)
    if not in_doubt.any() or _roundoff(evaluator) > FLOAT32_ROUNDOFF:
        return
    moves = _moves_along(evaluator, directions, samples, np.flatnonzero(in_doubt))
    floor = FLOOR_MARGIN * np.maximum(moves, samples.differences.noise) / directions.leaf_step_scale
    is_flat = _is_flat(samples.differences, floor)
    flat = np.flatnonzero(in_doubt & is_flat)
    if not len(flat):
        return
    own_rounding = _derivative_rounding(evaluator, directions, flat, derivatives)
    is_rounding = bool((is_flat & _is_rounding(samples, np.max(moves))).all())
    for method, values in derivatives.items():
        for line, rounding in zip(flat, own_rounding[method], strict=True):
            is_nothing = abs(values[line]) <= rounding
            if (is_nothing or abs(values[line]) <= floor[line]) and _is_in_doubt(verdicts[method][line]):
                verdicts[method][line] = Verdict.AGREES if is_nothing and is_rounding else Verdict.NOISY


def _derivative_rounding(
    evaluator: Evaluator, directions: Directions, flat: np.ndarray, derivatives: dict[str, np.ndarray]
) -> dict[str, Lines]:
    """How much of the derivatives along some lines is their own rounding, [lines] by each method.

    It shows at points a few roundings away, and where two exact methods differ. The largest counts for all of these
    lines: a derivative may be the same rounding at all points nearby.
    """
    scatter = _derivative_scatter(evaluator, directions, flat, derivatives)
    scale = directions.step_scale[flat]
    exact = [values[flat] for method, values in derivatives.items() if method in scatter]
    between = np.max(exact, axis=0) - np.min(exact, axis=0) if exact else np.zeros(len(flat))
    nothing = np.zeros(len(flat))
    return {
        method: FLOOR_MARGIN * np.max(np.maximum(scatter.get(method, nothing), between) * scale) / scale
        for method in derivatives
    }


def _moves_along(evaluator: Evaluator, directions: Directions, samples: LineSamples, lines: np.ndarray) -> Lines:
    """[directions], how much the value moves from one point to the next along some lines, and if all entries move.

    What all entries move counts along every line along which the value moves at all.
    """
    moves = np.zeros(len(directions))
    moves[lines] = _moves(evaluator, directions.take(lines))
    has_moved = (np.nan_to_num(samples.rises) != 0).any(axis=1)
    return np.where(has_moved, np.maximum(moves, _moves(evaluator, _through_all(directions))[0]), moves)


def _is_flat(differences: Differences, floor: Lines) -> np.ndarray:
    """[lines], whether the differences show no slope above the floor, and none that is known to many digits."""
    slope = differences.slope
    with np.errstate(invalid="ignore"):
        error = ERROR_MARGIN * np.where(np.isfinite(slope.error), slope.error, np.abs(slope.value))
        is_known = error < KNOWN_SHARE * np.abs(slope.value)
        return np.asarray((np.abs(slope.value) - error <= floor) & ~is_known)


def _is_rounding(samples: LineSamples, largest_move: float) -> np.ndarray:
    """[lines], whether the value is no more than its rounding, at the point or everywhere along the line."""
    with np.errstate(invalid="ignore"):
        highest = np.max(np.nan_to_num(np.abs(samples.rises)), axis=1)
        is_nothing = np.maximum(np.abs(samples.middle), highest) <= NOISE_MARGIN * samples.differences.noise
        return np.asarray((np.abs(samples.middle) <= VALUE_MARGIN * largest_move) | is_nothing)


def _is_in_doubt(verdict: Verdict) -> bool:
    return verdict in (Verdict.WRONG, Verdict.NOISY)


def _moves(evaluator: Evaluator, directions: Directions) -> Lines:
    """How much the value moves from one point to the next, a few roundings apart, along each line.

    The largest move but one, because one may be a jump.
    """
    steps = JITTER_ROUNDINGS * _roundoff(evaluator) * directions.step_scale[:, None]
    values = evaluator.along(directions, steps * _multiples(evaluator)).values
    return np.asarray(np.sort(np.nan_to_num(np.abs(np.diff(values, axis=1))), axis=1)[:, -2])


def _roundoff(evaluator: Evaluator) -> float:
    """The coarsest unit roundoff on any path to the value."""
    return max(evaluator.input_roundoff(), default=FLOAT64_ROUNDOFF)


def _multiples(evaluator: Evaluator) -> np.ndarray:
    """As many points as a ladder has on both sides, so that the ladder's program serves again."""
    levels = SHORT_LADDER_LEVELS if evaluator.is_large else LADDER_LEVELS
    return np.arange(-levels, levels + 1.0)


def _through_all(directions: Directions) -> Directions:
    """A single direction that moves every entry by its scale."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], len(directions.scale))
    return replace(directions, entries=np.zeros(0, int), dense=(directions.scale * signs)[None], names=("all",))


def _derivative_scatter(
    evaluator: Evaluator, directions: Directions, lines: np.ndarray, derivatives: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """How much the derivatives along some lines differ, [lines], at points a few roundings away, by each method."""
    rng, function = np.random.default_rng(0), evaluator.function
    scale = JITTER_ROUNDINGS * _roundoff(evaluator) * directions.scale
    taken, largest = directions.take(lines), dict[str, np.ndarray]()
    for _ in range(JITTERS):
        moved = _move(function, function.flat + scale * rng.choice([-1.0, 1.0], len(scale)))
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
