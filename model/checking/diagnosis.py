"""From the verdicts to words: every way that is wrong, diagnosed against what is known to be true."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from model.checking.analytic import AnalyticGradients
from model.checking.checked_function import CheckedFunction
from model.checking.comparison import CANCELLATION_ROUNDINGS, Comparison
from model.checking.error_patterns import LIKE, Diagnosis, KnownGradient, diagnose, merge_methods, split_leaves
from model.checking.evaluator import Evaluator
from model.checking.known_mistakes import data_counts, known_gradients
from model.checking.rounding import FLOAT64_ROUNDOFF
from model.checking.step_search import sample_lines
from model.checking.verdicts import ERROR_MARGIN
from model.pytrees import Flat


def diagnose_wrong(
    evaluator: Evaluator, gradients: AnalyticGradients, tried: Comparison, name: str, tolerance: float
) -> list[Diagnosis]:
    """What is wrong with each way that is, held against one that is not, or else against the differences.

    name: that of the gradient by hand.
    """
    problem, entries, found = evaluator.function, tried.directions.entries, tried.samples.differences
    wrong = [way for way in tried.derivatives if not all(verdict.ok for verdict in tried.verdicts[way])]
    right = [way for way in gradients.by_method if way not in wrong]
    names, shapes = [problem.leaf_names[index] for index in problem.floating], problem.shapes

    def whole(values: np.ndarray) -> Flat:
        row = np.full(problem.flat.size, np.nan)
        row[entries] = values[: len(entries)]
        return row

    if not np.isfinite(tried.samples.middle).all():
        value = tried.samples.middle[0]
        return [Diagnosis("not finite", "fun", "params", f"fun is {value} at params, and has no derivative there.")]
    clean = ~found.kink & ~found.jump & np.isfinite(found.slope.error)
    truth, slack = whole(np.where(clean, found.slope.value, np.nan)), whole(ERROR_MARGIN * found.slope.error)
    if right:
        truth, slack = gradients.by_method[right[0]], np.zeros(problem.flat.size)
    floor = np.nan_to_num(whole(CANCELLATION_ROUNDINGS * FLOAT64_ROUNDOFF * found.slope_scale))
    with np.errstate(invalid="ignore"):
        slack = slack + gradients.rounding + floor + tolerance * np.abs(truth)
    tried_at = np.isin(np.arange(problem.flat.size), entries)

    single, coarse = Evaluator(problem), np.repeat(evaluator.input_roundoff(), problem.sizes)

    def slopes(way: str, other: CheckedFunction) -> Flat | None:
        """The gradient of another problem by differences, if it is the way's along the first direction, or entry."""
        nonlocal single
        single = single.for_args_of(other)
        at = min(len(entries), len(tried.directions) - 1)
        with other.jax_settings():
            first = tried.directions.take(np.array([at]))
            slope = sample_lines(single, first, first.max_along(coarse), np.full(1, np.inf)).differences.slope
            off = np.abs(slope.value[0] - tried.derivatives[way][at])
            if not off <= ERROR_MARGIN * slope.error[0] + tried.rounding[at] + LIKE * np.abs(slope.value[0]):
                return None
            lines = tried.directions.take(np.arange(len(entries)))
            return whole(
                sample_lines(
                    single, lines, lines.max_along(coarse), np.full(len(lines), np.inf)
                ).differences.slope.value
            )

    def compared(way: str) -> Iterator[KnownGradient]:
        return known_gradients(problem, partial(slopes, way))

    diagnoses: list[Diagnosis] = []
    for way in wrong:
        written = gradients.by_method.get(way)
        asked = tried_at if written is None else np.full(problem.flat.size, True)
        written = whole(tried.derivatives[way]) if written is None else written
        leaves = split_leaves(names, shapes, written, truth, slack, asked)
        diagnoses += diagnose(name if way == "by_hand" else way, leaves, data_counts(problem), partial(compared, way))
    if not diagnoses and wrong:
        diagnoses.append(_unseen(problem, tried, wrong[0], name))
    return merge_methods(diagnoses)


def _unseen(problem: CheckedFunction, tried: Comparison, way: str, name: str) -> Diagnosis:
    """What is to be said where no entry that was tried is clearly wrong, but a line is, mostly one through many."""
    line = next(line for line, verdict in enumerate(tried.verdicts[way]) if not verdict.ok)
    slope, named = tried.samples.differences.slope, name if way == "by_hand" else way
    where = [*problem.entry_names(tried.directions.entries), *tried.directions.names][line]
    numbers = f"{tried.derivatives[way][line]:.6g} for {slope.value[line]:.6g} ± {slope.error[line]:.0e}"
    return Diagnosis(
        "off", named, where, f"{named} is off along a line, {where}: {numbers}; a larger budget may tell where."
    )
