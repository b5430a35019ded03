"""From the verdicts to words: every way that is wrong, diagnosed against what is known to be true."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from model.checking.analytic import Gradients
from model.checking.checked_function import Problem
from model.checking.comparison import ULPS, Tried
from model.checking.error_patterns import LIKE, Candidate, Diagnosis, as_leaves, diagnose, together
from model.checking.evaluator import Evaluator
from model.checking.known_mistakes import candidates, counts
from model.checking.rounding import EPS
from model.checking.step_search import explore
from model.checking.verdicts import MARGIN
from model.pytrees import Flat


def explain(evaluator: Evaluator, gradients: Gradients, tried: Tried, name: str, tolerance: float) -> list[Diagnosis]:
    """What is wrong with each way that is, held against one that is not, or else against the differences.

    name: that of the gradient by hand.
    """
    problem, entries, found = evaluator.problem, tried.lines.entries, tried.seen.found
    wrong = [way for way in tried.ways if not all(verdict.ok for verdict in tried.verdicts[way])]
    right = [way for way in gradients.written if way not in wrong]
    names, shapes = [problem.names[index] for index in problem.moving], problem.shapes

    def whole(values: np.ndarray) -> Flat:
        row = np.full(problem.flat.size, np.nan)
        row[entries] = values[: len(entries)]
        return row

    if not np.isfinite(tried.seen.middle).all():
        value = tried.seen.middle[0]
        return [Diagnosis("not finite", "fun", "params", f"fun is {value} at params, and has no derivative there.")]
    clean = ~found.kink & ~found.jump & np.isfinite(found.slope.error)
    truth, slack = whole(np.where(clean, found.slope.value, np.nan)), whole(MARGIN * found.slope.error)
    if right:
        truth, slack = gradients.written[right[0]], np.zeros(problem.flat.size)
    floor = np.nan_to_num(whole(ULPS * EPS * found.ruler))
    with np.errstate(invalid="ignore"):
        slack = slack + gradients.rounding + floor + tolerance * np.abs(truth)
    tried_at = np.isin(np.arange(problem.flat.size), entries)

    single, coarse = Evaluator(problem), np.repeat(evaluator.coarseness(), problem.sizes)

    def slopes(way: str, other: Problem) -> Flat | None:
        """The gradient of another problem by differences, if it is the way's along the first direction, or entry."""
        nonlocal single
        single = single.of(other)
        at = min(len(entries), len(tried.lines) - 1)
        with other.setting():
            first = tried.lines.only(np.array([at]))
            slope = explore(single, first, first.most(coarse), np.full(1, np.inf)).found.slope
            off = np.abs(slope.value[0] - tried.ways[way][at])
            if not off <= MARGIN * slope.error[0] + tried.rounding[at] + LIKE * np.abs(slope.value[0]):
                return None
            lines = tried.lines.only(np.arange(len(entries)))
            return whole(explore(single, lines, lines.most(coarse), np.full(len(lines), np.inf)).found.slope.value)

    def compared(way: str) -> Iterator[Candidate]:
        return candidates(problem, partial(slopes, way))

    diagnoses: list[Diagnosis] = []
    for way in wrong:
        written = gradients.written.get(way)
        asked = tried_at if written is None else np.full(problem.flat.size, True)
        written = whole(tried.ways[way]) if written is None else written
        leaves = as_leaves(names, shapes, written, truth, slack, asked)
        diagnoses += diagnose(name if way == "by_hand" else way, leaves, counts(problem), partial(compared, way))
    if not diagnoses and wrong:
        diagnoses.append(_unseen(problem, tried, wrong[0], name))
    return together(diagnoses)


def _unseen(problem: Problem, tried: Tried, way: str, name: str) -> Diagnosis:
    """What is to be said where no entry that was tried is clearly wrong, but a line is, mostly one through many."""
    line = next(line for line, verdict in enumerate(tried.verdicts[way]) if not verdict.ok)
    slope, named = tried.seen.found.slope, name if way == "by_hand" else way
    where = [*problem.entry_names(tried.lines.entries), *tried.lines.names][line]
    numbers = f"{tried.ways[way][line]:.6g} for {slope.value[line]:.6g} ± {slope.error[line]:.0e}"
    return Diagnosis(
        "off", named, where, f"{named} is off along a line, {where}: {numbers}; a larger budget may tell where."
    )
