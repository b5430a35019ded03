"""Lines that were tried: every way's derivative along them, held against the differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from model.checking.analytic import AnalyticGradients
from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import Differences
from model.checking.report import SIZE_FLOOR, Derivative
from model.checking.rounding import EPS
from model.checking.step_search import LineSamples, sample_lines, taylor_order
from model.checking.verdicts import ERROR_MARGIN, SEVERITY, Verdict, judge, larger_magnitude

Ways = dict[str, np.ndarray]

# So many roundings of the steepest slope in sight may be left where derivatives cancel to nothing.
CANCELLATION_ROUNDINGS = 64


@dataclass(frozen=True)
class Comparison:
    """What was found along each line.

    ways: the derivative by the name of each exact way. rounding: how far off those may be. verdicts: on each.
    """

    directions: Directions
    samples: LineSamples
    derivatives: Ways
    rounding: np.ndarray
    verdicts: dict[str, list[Verdict]]

    def concat(self, more: Comparison) -> Comparison:
        """These and more lines, which are along no single entry."""
        return Comparison(
            directions=self.directions.concat(more.directions),
            samples=self.samples.concat(more.samples),
            derivatives={
                way: np.concatenate([written, more.derivatives[way]]) for way, written in self.derivatives.items()
            },
            rounding=np.concatenate([self.rounding, more.rounding]),
            verdicts={way: [*verdicts, *more.verdicts[way]] for way, verdicts in self.verdicts.items()},
        )

    def rows(self, names: list[str], order: int) -> list[Derivative]:
        """A row of the report for each line."""
        return make_derivatives(names, self.samples.differences, self.derivatives, self.verdicts, order)

    def taylor_order(self) -> float | None:
        """The order of Taylor's remainder along the first direction through all entries."""
        at = len(self.directions.entries)
        if at == len(self.directions):
            return None
        return taylor_order(self.samples, at, float(next(iter(self.derivatives.values()))[at]))

    def adjoint_error(self) -> float | None:
        """How far forward and reverse mode are apart along that direction, relative to their size."""
        at = len(self.directions.entries)
        if "jvp" not in self.derivatives or "grad" not in self.derivatives or at == len(self.directions):
            return None
        forward, reverse = float(self.derivatives["jvp"][at]), float(self.derivatives["grad"][at])
        size = max(abs(forward), abs(reverse))
        return abs(forward - reverse) / size if size > 0 else 0.0

    def visible_error(self, tolerance: float) -> float | None:
        """The error of a single entry that the random direction would have shown, in 99 of 100 of them."""
        at, slope = len(self.directions.entries), self.samples.differences.slope
        if at == len(self.directions) or not np.isfinite(slope.error[at]):
            return None
        slack = ERROR_MARGIN * slope.error[at] + self.rounding[at] + tolerance * abs(slope.value[at])
        return float(slack / np.percentile(np.abs(self.directions.dense[0]), 1))


def compare_along(
    evaluator: Evaluator, gradients: AnalyticGradients, lines: Directions, coarse: np.ndarray, tolerance: float
) -> Comparison:
    """Explore the lines and judge each way along them. coarse: how coarsely the function computes along each."""
    ways = {way: lines.derivatives_along(gradient) for way, gradient in gradients.by_method.items()}
    steepest = np.max([np.zeros(len(lines)), *map(np.abs, ways.values())], axis=0)
    seen = sample_lines(evaluator, lines, lines.max_along(coarse), np.nan_to_num(steepest, posinf=0.0))
    if seen.slopes is not None:
        ways["jvp"] = seen.slopes
    rounding = lines.errors_along(gradients.rounding) + CANCELLATION_ROUNDINGS * EPS * seen.differences.slope_scale
    verdicts = {
        way: judge(seen.differences, written, rounding, seen.middle, tolerance) for way, written in ways.items()
    }
    for line, way in _odd_ones(ways, seen.differences, rounding, tolerance):
        if verdicts[way][line].ok:
            verdicts[way][line] = Verdict.WRONG
    _excuse_kinks(ways, seen.differences, lines, verdicts)
    return Comparison(lines, seen, ways, rounding, verdicts)


def _excuse_kinks(ways: Ways, found: Differences, lines: Directions, verdicts: dict[str, list[Verdict]]) -> None:
    """Any value between two sides is right for each entry, and so the entries need not fit together along a line."""
    broken, entries = found.kink | found.jump, len(lines.entries)
    if not broken.any():
        return
    gaps = np.where(broken, np.abs(found.after.value - found.before.value), 0.0)
    share = len(lines.scale) / max(1, entries)
    slack = np.abs(lines.dense[:, lines.entries]) @ gaps[:entries] * share + 4 * np.max(gaps[entries:], initial=0.0)
    for way, written in ways.items():
        for line in range(entries, len(lines)):
            off = abs(written[line] - found.slope.value[line]) - ERROR_MARGIN * found.slope.error[line]
            if verdicts[way][line] == Verdict.WRONG and off <= slack[line - entries]:
                verdicts[way][line] = Verdict.KINK


def _odd_ones(ways: Ways, found: Differences, rounding: np.ndarray, tolerance: float) -> Iterator[tuple[int, str]]:
    """Lines where exact ways differ, which cannot be but at a kink, and the one that is wrong.

    Of three it is the one that the other two outvote; else the one further from the differences, or both where the
    differences cannot tell.
    """
    names, slope = list(ways), found.slope

    def apart(one: str, other: str) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            slack = 2 * rounding + tolerance * larger_magnitude(ways[one], ways[other])
            return np.asarray(np.abs(ways[one] - ways[other]) > slack)

    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            differ = apart(one, other) & ~found.kink & ~found.jump
            rest = [name for name in names if name not in (one, other)]
            for line in np.flatnonzero(differ):
                off = {way: abs(ways[way][line] - slope.value[line]) for way in (one, other)}
                if rest and apart(one, rest[0])[line] != apart(other, rest[0])[line]:
                    yield int(line), one if apart(one, rest[0])[line] else other
                elif abs(off[one] - off[other]) > slope.error[line]:
                    yield int(line), max(off, key=lambda way: off[way])
                else:
                    yield from ((int(line), one), (int(line), other))


def make_derivatives(
    names: list[str], found: Differences, ways: Ways, verdicts: dict[str, list[Verdict]], order: int
) -> list[Derivative]:
    """A row of the report for each line: its numbers each way, and the gravest verdict."""
    rows = []
    for line, name in enumerate(names):
        numbers = {way: float(written[line]) for way, written in ways.items()}
        judged = {way: verdicts[way][line] for way in ways}
        nudge, error = float(found.slope.value[line]), float(found.slope.error[line])
        verdict = min(judged.values(), key=SEVERITY.index)
        rows.append(
            Derivative(
                name=name,
                nudge=nudge,
                error=error,
                jvp=numbers.get("jvp"),
                by_hand=numbers.get("by_hand"),
                grad=numbers.get("grad"),
                verdict=verdict,
                wrong=tuple(way for way, each in judged.items() if not each.ok),
                relative_error=_relative_error(list(numbers.values()), nudge, error, verdict),
                order=order,
            )
        )
    return rows


def _relative_error(exact: list[float], nudge: float, error: float, verdict: Verdict) -> float:
    if not np.isfinite(exact).all() or verdict == Verdict.NOT_FINITE:
        return np.nan
    worst = max(abs(a - b) / max(abs(a), abs(b), SIZE_FLOOR) for a in exact for b in exact)
    if verdict in (Verdict.KINK, Verdict.JUMP) or not np.isfinite(error):
        return worst
    return max(
        worst, *(max(0.0, abs(a - nudge) - ERROR_MARGIN * error) / max(abs(a), abs(nudge), SIZE_FLOOR) for a in exact)
    )
