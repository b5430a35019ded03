"""The single numbers of a function that returns arrays, each checked by forward mode along a random direction."""

from __future__ import annotations

import numpy as np

from model.checking.analytic import COARSE_ROUNDINGS, AnalyticGradients
from model.checking.comparison import report_rows
from model.checking.evaluator import Evaluator
from model.checking.findings import Derivative
from model.checking.finite_differences import (
    LADDER_LEVELS,
    LARGEST_STEP,
    Differences,
    Lines,
    LineValues,
    differentiate,
    step_ladder,
)
from model.checking.gradient_programs import NearbyPoints
from model.checking.rounding import FLOAT64_ROUNDOFF
from model.checking.step_search import LADDER_SHIFTS
from model.checking.verdicts import Verdict, judge
from model.pytrees import Flat

# Up to so many results are checked, and so many are listed though they agree.
MAX_RESULTS, LISTED_RESULTS = 4096, 4
# The largest of the smaller steps with which a wrong result is tried again.
SMALLER_STEP = LARGEST_STEP * LADDER_SHIFTS[0]
# What the arithmetic of a slope in float64 may lose, relative to the slope.
SLOPE_ROUNDING = 1e-13


def check_results(
    evaluator: Evaluator, vector: Flat, gradients: AnalyticGradients, tolerance: float, order: int
) -> list[Derivative]:
    """Check forward mode of every number of an array result along one direction.

    Args:
        evaluator: of the function.
        vector: [size], the direction.
        gradients: of the function, whose roundoff counts.
        tolerance: how far two derivatives may differ beyond their errors, relative to the larger one.
        order: 1 or 2, for the rows.

    Returns:
        A row for each result that is wrong, and for the first few others; none without forward mode.
    """
    found = _judge_along(evaluator, vector, LARGEST_STEP, gradients, tolerance)
    if found is None:
        return []
    slopes, differences, verdicts = found
    lines = np.flatnonzero(np.array(verdicts) == Verdict.WRONG)
    if len(lines) and (nearer := _judge_along(evaluator, vector, SMALLER_STEP, gradients, tolerance)):
        # What varies on a smaller scale is acquitted by smaller steps.
        acquitted = lines[np.array(nearer[2])[lines] == Verdict.AGREES]
        differences = differences.with_replaced(acquitted, nearer[1].take(acquitted))
        verdicts = [Verdict.AGREES if index in acquitted else verdict for index, verdict in enumerate(verdicts)]
    names = [f"result {index}" for index in range(len(slopes))]
    rows = report_rows(names, differences, {"jvp": slopes}, {"jvp": verdicts}, order)
    return [row for index, row in enumerate(rows) if index < LISTED_RESULTS or not row.verdict.ok]


def _judge_along(
    evaluator: Evaluator, vector: Flat, largest: float, gradients: AnalyticGradients, tolerance: float
) -> tuple[Lines, Differences, list[Verdict]] | None:
    """The slopes, the differences and the verdicts, with steps from a largest one; None without forward mode."""
    steps = step_ladder(np.array([largest]))[0]
    values, slopes = evaluator.outputs(NearbyPoints(vector, np.concatenate([-steps, [0.0], steps])))
    if slopes is None:
        return None
    values, slopes = values.T[:MAX_RESULTS], slopes[:MAX_RESULTS]
    ladders = np.broadcast_to(steps, (len(values), LADDER_LEVELS))
    middle = values[:, LADDER_LEVELS]
    lines = LineValues(ladders, values[:, :LADDER_LEVELS], values[:, LADDER_LEVELS + 1 :], middle)
    coarsest = float(np.max(gradients.unit_roundoff, initial=FLOAT64_ROUNDOFF))
    roundoff = coarsest if coarsest > FLOAT64_ROUNDOFF else 0.0
    differences = differentiate(lines, roundoff * _finite_size(middle), np.ones(len(values)))
    rounding = (SLOPE_ROUNDING + COARSE_ROUNDINGS * roundoff) * _finite_size(slopes)
    return slopes, differences, judge(differences, slopes, rounding, middle, tolerance)


def _finite_size(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), np.abs(values), 0.0)
