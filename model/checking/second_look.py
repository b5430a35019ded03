"""A second look, at other points, at derivatives that seem wrong and at values that seem to jump."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import Lines
from model.checking.ladder import LineSamples, first_steps, sample_ladder
from model.checking.sawtooth import find_sawteeth, tooth_heights
from model.checking.step_search import sample_lines
from model.checking.verdicts import Verdict, judge

# The factor of the steps of the second look, and the verdicts that deserve one.
STRETCH, DOUBTED = 0.71, (Verdict.WRONG, Verdict.JUMP)


def look_again(
    evaluator: Evaluator,
    directions: Directions,
    samples: LineSamples,
    derivatives: Mapping[str, Lines],
    rounding: Lines,
    verdicts: Mapping[str, list[Verdict]],
    roundoff: Lines,
    tolerance: float,
) -> LineSamples:
    """Acquit what does not look the same twice, and what only the rounding of intermediate results made look wrong.

    Noise may look like a slope at a few points, which is likely somewhere among thousands of lines, but not twice.

    Args:
        evaluator: of the function.
        directions: of the lines.
        samples: along each line.
        derivatives: [lines] each, by the name of the method.
        rounding: [lines], how far off they may be because of rounding.
        verdicts: on each of them, which are changed.
        roundoff: [lines], the unit roundoff with which the function computes along each line.
        tolerance: how far two derivatives may differ beyond their errors, relative to the larger one.

    Returns:
        The samples; those of the second look where a verdict was changed.
    """
    differences = samples.differences
    for method, values in derivatives.items():
        lines = np.flatnonzero(np.isin(verdicts[method], DOUBTED))
        if not len(lines):
            continue
        again = _sample_again(evaluator, directions.take(lines), samples.take(lines), values[lines], roundoff[lines])
        second = judge(again.differences, values[lines], rounding[lines], again.middle, tolerance)
        cleared = np.flatnonzero(~np.isin(second, DOUBTED))
        differences = differences.with_replaced(lines[cleared], again.differences.take(cleared))
        for position in cleared:
            verdict = second[position]
            verdicts[method][lines[position]] = Verdict.NOISY if verdict == Verdict.AGREES else verdict
    return replace(samples, differences=differences)


def _sample_again(
    evaluator: Evaluator, directions: Directions, first: LineSamples, derivatives: Lines, roundoff: Lines
) -> LineSamples:
    """Other points; and where values lie on a sawtooth about the derivative, with the height of its teeth as noise."""
    again = sample_lines(evaluator, directions, roundoff, np.nan_to_num(np.abs(derivatives), posinf=0.0), STRETCH)
    has_grid = evaluator.function.precision is not None and evaluator.function.precision.has_grid
    if has_grid or evaluator.is_large:
        return again
    lines = np.flatnonzero(find_sawteeth(evaluator, directions, first, derivatives, first))
    if len(lines):
        noise = tooth_heights(first.take(lines), derivatives[lines])
        taken, largest = directions.take(lines), first_steps(evaluator, directions)[lines]
        noisy = sample_ladder(evaluator, taken, roundoff[lines], largest, noise=noise)
        again = replace(again, differences=again.differences.with_replaced(lines, noisy.differences))
    return again
