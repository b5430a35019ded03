"""Every method's derivative along the lines that were tried, compared with the finite differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from model.checking.analytic import COARSE_ROUNDINGS, AnalyticGradients
from model.checking.cancellation import excuse_cancellation
from model.checking.directions import Directions
from model.checking.evaluator import Evaluator
from model.checking.findings import SIZE_FLOOR, Derivative
from model.checking.finite_differences import Differences
from model.checking.ladder import LineSamples
from model.checking.rounding import FLOAT32_ROUNDOFF, FLOAT64_ROUNDOFF
from model.checking.second_look import look_again
from model.checking.step_search import sample_lines, taylor_order
from model.checking.verdicts import ERROR_MARGIN, SEVERITY, Verdict, judge, larger_magnitude

Derivatives = dict[str, np.ndarray]
Verdicts = dict[str, list[Verdict]]

# So many roundings of the steepest slope in sight may remain if derivatives cancel to nothing.
CANCELLATION_ROUNDINGS = 64
# The percentile of a random direction's entries below which an entry's error would not be visible.
INVISIBLE_PERCENTILE = 1


@dataclass(frozen=True)
class Comparison:
    """What was found along each line.

    Attributes:
        directions: of the lines.
        samples: what the values tell along each line.
        derivatives: [lines] each, by the name of each exact method.
        rounding: [lines], how far off those may be because of rounding.
        verdicts: on each derivative of each method.
    """

    directions: Directions
    samples: LineSamples
    derivatives: Derivatives
    rounding: np.ndarray
    verdicts: Verdicts

    def concat(self, more: Comparison) -> Comparison:
        """These lines and more, whose directions must be dense."""
        return Comparison(
            directions=self.directions.concat(more.directions),
            samples=self.samples.concat(more.samples),
            derivatives={
                method: np.concatenate([values, more.derivatives[method]])
                for method, values in self.derivatives.items()
            },
            rounding=np.concatenate([self.rounding, more.rounding]),
            verdicts={method: [*verdicts, *more.verdicts[method]] for method, verdicts in self.verdicts.items()},
        )

    def report_rows(self, names: Sequence[str], order: int) -> list[Derivative]:
        """A row of the report for each line."""
        return report_rows(names, self.samples.differences, self.derivatives, self.verdicts, order)

    @property
    def first_dense(self) -> int | None:
        """The index of the random direction through all entries; None if there is none."""
        index = len(self.directions.entries)
        return index if index < len(self.directions) else None

    def taylor_order(self) -> float | None:
        """The order of Taylor's remainder along that direction."""
        line = self.first_dense
        if line is None:
            return None
        return taylor_order(self.samples, line, float(next(iter(self.derivatives.values()))[line]))

    def adjoint_error(self) -> float | None:
        """How far forward and reverse mode differ along that direction, relative to their size."""
        line = self.first_dense
        if line is None or not {"jvp", "grad"} <= self.derivatives.keys():
            return None
        forward, reverse = float(self.derivatives["jvp"][line]), float(self.derivatives["grad"][line])
        size = max(abs(forward), abs(reverse))
        return abs(forward - reverse) / size if size > 0 else 0.0

    def visible_error(self, tolerance: float) -> float | None:
        """The error of a single entry that this direction would have shown, for 99 of 100 entries."""
        line, slope = self.first_dense, self.samples.differences.slope
        if line is None or not np.isfinite(slope.error[line]):
            return None
        allowed = ERROR_MARGIN * slope.error[line] + self.rounding[line] + tolerance * abs(slope.value[line])
        return float(allowed / np.percentile(np.abs(self.directions.dense[0]), INVISIBLE_PERCENTILE))


def compare_along(
    evaluator: Evaluator,
    gradients: AnalyticGradients,
    directions: Directions,
    entry_roundoff: np.ndarray,
    tolerance: float,
) -> Comparison:
    """Sample the function along lines, and judge each method's derivative along them.

    Args:
        evaluator: of the function.
        gradients: to be judged.
        directions: of the lines.
        entry_roundoff: [size], the unit roundoff on the way from each parameter to the value.
        tolerance: how far two derivatives may differ beyond their errors, relative to the larger one.

    Returns:
        What was found, and the verdicts.
    """
    derivatives = {method: directions.derivatives_along(gradient) for method, gradient in gradients.by_method.items()}
    roundoff = directions.max_along(entry_roundoff)
    steepest = np.max([np.zeros(len(directions)), *map(np.abs, derivatives.values())], axis=0)
    samples = sample_lines(evaluator, directions, roundoff, np.nan_to_num(steepest, posinf=0.0))
    if samples.slopes is not None:
        derivatives["jvp"] = samples.slopes
    # A value of fewer digits than float32 is usually rounded once, at its end, and its gradient is more exact.
    coarse = COARSE_ROUNDINGS * np.minimum(roundoff, FLOAT32_ROUNDOFF)
    share = np.where(roundoff > FLOAT64_ROUNDOFF, coarse, CANCELLATION_ROUNDINGS * FLOAT64_ROUNDOFF)
    rounding = directions.errors_along(gradients.rounding) + share * samples.differences.slope_scale
    verdicts = {
        method: judge(samples.differences, values, rounding, samples.middle, tolerance)
        for method, values in derivatives.items()
    }
    samples = look_again(evaluator, directions, samples, derivatives, rounding, verdicts, roundoff, tolerance)
    comparison = Comparison(directions, samples, derivatives, rounding, verdicts)
    _convict_outvoted(comparison, tolerance)
    _excuse_kinks(comparison)
    excuse_cancellation(evaluator, directions, samples, derivatives, verdicts)
    return comparison


def _convict_outvoted(comparison: Comparison, tolerance: float) -> None:
    """Exact methods cannot differ, except at a kink. One that differs is wrong."""
    for line, method in _outvoted(comparison, tolerance):
        if comparison.verdicts[method][line].ok:
            comparison.verdicts[method][line] = Verdict.WRONG


def _excuse_kinks(comparison: Comparison) -> None:
    """For entries at a kink any value between the two sides is right, so they need not add up along a line."""
    differences, directions = comparison.samples.differences, comparison.directions
    is_broken, entries = differences.kink | differences.jump, len(directions.entries)
    if not is_broken.any():
        return
    gaps = np.where(is_broken, np.abs(differences.after.value - differences.before.value), 0.0)
    untried = len(directions.scale) / max(1, entries)
    from_entries = np.abs(directions.dense[:, directions.entries]) @ gaps[:entries] * untried
    allowed = from_entries + 4 * np.max(gaps[entries:], initial=0.0)
    slope = differences.slope
    for method, values in comparison.derivatives.items():
        verdicts = comparison.verdicts[method]
        for line in range(entries, len(directions)):
            excess = abs(values[line] - slope.value[line]) - ERROR_MARGIN * slope.error[line]
            if verdicts[line] == Verdict.WRONG and excess <= allowed[line - entries]:
                verdicts[line] = Verdict.KINK


def _outvoted(comparison: Comparison, tolerance: float) -> Iterator[tuple[int, str]]:
    """Yield each line along which two methods differ, and the one that is wrong.

    Of three methods it is the one that the other two outvote. Of two it is the one further from the differences, or
    both if the differences cannot tell.
    """
    derivatives, differences = comparison.derivatives, comparison.samples.differences
    methods = list(derivatives)
    for index, one in enumerate(methods):
        for other in methods[index + 1 :]:
            differ = _differ(comparison, one, other, tolerance) & ~differences.kink & ~differences.jump
            third = next((method for method in methods if method not in (one, other)), None)
            for line in np.flatnonzero(differ):
                yield from (
                    (int(line), method) for method in _wrong_ones(comparison, int(line), one, other, third, tolerance)
                )


def _wrong_ones(
    comparison: Comparison, line: int, one: str, other: str, third: str | None, tolerance: float
) -> tuple[str, ...]:
    if third is not None:
        one_differs = _differ(comparison, one, third, tolerance)[line]
        if one_differs != _differ(comparison, other, third, tolerance)[line]:
            return (one if one_differs else other,)
    slope = comparison.samples.differences.slope
    distance = {method: abs(comparison.derivatives[method][line] - slope.value[line]) for method in (one, other)}
    if abs(distance[one] - distance[other]) > slope.error[line]:
        return (max(distance, key=lambda method: distance[method]),)
    return one, other


def _differ(comparison: Comparison, one: str, other: str, tolerance: float) -> Bool[np.ndarray, " lines"]:
    """Whether two exact methods differ along each line, beyond their rounding."""
    a, b = comparison.derivatives[one], comparison.derivatives[other]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(a - b) > 2 * comparison.rounding + tolerance * larger_magnitude(a, b))


def report_rows(
    names: Sequence[str], differences: Differences, derivatives: Derivatives, verdicts: Verdicts, order: int
) -> list[Derivative]:
    """A row of the report for each line: its derivative by each method, and the gravest verdict.

    Args:
        names: of the lines.
        differences: along each line.
        derivatives: [lines] each, by the method's name.
        verdicts: on each of them.
        order: 1, or 2 for derivatives of Hessian-vector products.

    Returns:
        The rows.
    """
    rows = []
    for line, name in enumerate(names):
        numbers = {method: float(values[line]) for method, values in derivatives.items()}
        judged = {method: verdicts[method][line] for method in derivatives}
        nudge, error = float(differences.slope.value[line]), float(differences.slope.error[line])
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
                wrong=tuple(method for method, each in judged.items() if not each.ok),
                relative_error=_relative_error(list(numbers.values()), nudge, error, verdict),
                order=order,
                sides=_sides(differences, line),
            )
        )
    return rows


def _sides(differences: Differences, line: int) -> tuple[float, float] | None:
    if not (differences.kink[line] or differences.jump[line]):
        return None
    return float(differences.before.value[line]), float(differences.after.value[line])


def _relative_error(exact: list[float], nudge: float, error: float, verdict: Verdict) -> float:
    if not np.isfinite(exact).all() or verdict == Verdict.NOT_FINITE:
        return np.nan
    worst = max(abs(a - b) / max(abs(a), abs(b), SIZE_FLOOR) for a in exact for b in exact)
    if verdict in (Verdict.KINK, Verdict.JUMP) or not np.isfinite(error):
        return worst
    unexplained = (max(0.0, abs(a - nudge) - ERROR_MARGIN * error) / max(abs(a), abs(nudge), SIZE_FLOOR) for a in exact)
    return max(worst, *unexplained)
