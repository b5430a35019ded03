"""From verdicts to words: each wrong method is compared with the true gradient, as far as that is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from model.checking.analytic import AnalyticGradients
from model.checking.bisection import narrow_direction
from model.checking.checked_function import CheckedFunction
from model.checking.comparison import CANCELLATION_ROUNDINGS, Comparison
from model.checking.error_patterns import Diagnosis, KnownGradient, diagnose_method, merge_methods
from model.checking.evaluator import Evaluator
from model.checking.known_mistakes import data_counts, known_gradients
from model.checking.ladder import LineSamples
from model.checking.leaf_comparison import (
    LIKENESS,
    MAX_NAMED_ENTRIES,
    LeafComparison,
    join_all,
    split_leaves,
)
from model.checking.nan_origin import find_nan_origin
from model.checking.rounding import FLOAT64_ROUNDOFF
from model.checking.step_search import sample_lines
from model.checking.verdicts import ERROR_MARGIN
from model.pytrees import Flat


def diagnose_wrong(
    evaluator: Evaluator,
    gradients: AnalyticGradients,
    comparison: Comparison,
    by_hand_name: str,
    tolerance: float,
) -> list[Diagnosis]:
    """What is wrong with each wrong method.

    Args:
        evaluator: of the function.
        gradients: of the function, by the exact methods.
        comparison: with the verdicts on every method.
        by_hand_name: the name of the gradient by hand in sentences.
        tolerance: how far two derivatives may differ beyond their errors, relative to the larger one.

    Returns:
        The diagnoses.
    """
    if not np.isfinite(comparison.samples.middle).all():
        diagnosis = _value_not_finite(evaluator.function, float(comparison.samples.middle[0]))
        origin = find_nan_origin(evaluator.function)
        return [diagnosis] if origin is None else [diagnosis, Diagnosis("origin", "fun", origin.line, str(origin))]
    wrong = [method for method, verdicts in comparison.verdicts.items() if not all(each.ok for each in verdicts)]
    truth = _truth(gradients, comparison, wrong, tolerance)
    entry_roundoff = np.repeat(evaluator.input_roundoff(), evaluator.function.sizes)
    mistakes = _Mistakes(evaluator.function, Evaluator(evaluator.function), comparison, entry_roundoff)
    diagnoses: list[Diagnosis] = []
    for method in wrong:
        name = by_hand_name if method == "by_hand" else method
        leaves = _leaves(evaluator.function, gradients, comparison, method, truth)
        known = partial(mistakes.gradients_like, method)
        diagnoses += diagnose_method(name, leaves, data_counts(evaluator.function), known)
    if not diagnoses and wrong:
        name = by_hand_name if wrong[0] == "by_hand" else wrong[0]
        diagnoses.append(_wrong_direction(evaluator, gradients, comparison, wrong[0], name, tolerance))
    return [*merge_methods(diagnoses), *_nan_origin(evaluator.function, diagnoses)]


def _value_not_finite(function: CheckedFunction, value: float) -> Diagnosis:
    entries = np.flatnonzero(~np.isfinite(function.flat))
    names = function.entry_names(entries[:1])
    cause = f", because {names[0]} is {function.flat[entries[0]]:g}" if names else ""
    sentence = f"fun is {value} at params{cause}, and has no derivative there."
    return Diagnosis("not finite", "fun", "params", sentence)


def _nan_origin(function: CheckedFunction, diagnoses: list[Diagnosis]) -> list[Diagnosis]:
    """Where a derivative by JAX stops being finite."""
    methods = [each.method for each in diagnoses if each.kind == "not finite" and each.method in ("grad", "jvp")]
    origin = find_nan_origin(function) if methods else None
    return [] if origin is None else [Diagnosis("origin", methods[0], origin.line or "fun", str(origin))]


@dataclass(frozen=True)
class _Truth:
    """The true gradient, as far as it is known.

    Attributes:
        gradient: [size], NaN for an entry that is not known.
        allowed: [size], how far a right gradient may differ from it.
    """

    gradient: Flat
    allowed: Flat


def _truth(gradients: AnalyticGradients, comparison: Comparison, wrong: list[str], tolerance: float) -> _Truth:
    """The gradient of a method that is right; if there is none, the differences where they are clean."""
    differences, size = comparison.samples.differences, gradients.rounding.size
    entries = comparison.directions.entries
    right = [method for method in gradients.by_method if method not in wrong]
    if right:
        truth, allowed = gradients.by_method[right[0]], np.zeros(size)
    else:
        slope = differences.slope
        is_clean = ~differences.kink & ~differences.jump & np.isfinite(slope.error)
        truth = _scattered(np.where(is_clean, slope.value, np.nan), entries, size)
        allowed = _scattered(ERROR_MARGIN * slope.error, entries, size)
    cancellation = CANCELLATION_ROUNDINGS * FLOAT64_ROUNDOFF * differences.slope_scale
    with np.errstate(invalid="ignore"):
        allowed = allowed + gradients.rounding + np.nan_to_num(_scattered(cancellation, entries, size))
        return _Truth(truth, allowed + tolerance * np.abs(truth))


def _scattered(values: np.ndarray, entries: np.ndarray, size: int) -> Flat:
    """[lines] -> [size]: the values of the entries at their positions, NaN elsewhere."""
    vector = np.full(size, np.nan)
    vector[entries] = values[: len(entries)]
    return vector


def _leaves(
    function: CheckedFunction, gradients: AnalyticGradients, comparison: Comparison, method: str, truth: _Truth
) -> list[LeafComparison]:
    """The leaves of a method's gradient next to the true ones. Forward mode has only the entries that were tried."""
    size, entries = function.flat.size, comparison.directions.entries
    judged = gradients.by_method.get(method)
    is_given = np.full(size, True)
    if judged is None:
        judged = _scattered(comparison.derivatives[method], entries, size)
        is_given = np.isin(np.arange(size), entries)
    names = [function.leaf_names[index] for index in function.floating]
    return split_leaves(names, function.shapes, judged, truth.gradient, truth.allowed, is_given)


@dataclass
class _Mistakes:
    """The gradients of known mistakes, as far as they resemble a wrong one.

    Attributes:
        function: whose gradient is wrong.
        evaluator: of the last variant of it; its programs serve the next variant.
        comparison: with the wrong derivatives.
        entry_roundoff: [size], the unit roundoff on the way from each parameter to the value.
    """

    function: CheckedFunction
    evaluator: Evaluator
    comparison: Comparison
    entry_roundoff: np.ndarray

    def gradients_like(self, method: str) -> Iterator[KnownGradient]:
        """Yield the gradients of known mistakes that may be this method's; of a large function, only cheap ones."""
        tries_rows = not self.evaluator.is_large
        return known_gradients(self.function, partial(self._slopes_if_like, method) if tries_rows else None)

    def _slopes_if_like(self, method: str, variant: CheckedFunction) -> Flat | None:
        """The gradient of a variant by differences, if it resembles the method's along one direction."""
        self.evaluator = self.evaluator.for_args_of(variant)
        directions, derivatives = self.comparison.directions, self.comparison.derivatives[method]
        first = min(len(directions.entries), len(directions) - 1)
        with variant.jax_settings():
            slope = self._sample(np.array([first])).differences.slope
            difference = np.abs(slope.value[0] - derivatives[first])
            allowed = ERROR_MARGIN * slope.error[0] + self.comparison.rounding[first]
            if not difference <= allowed + LIKENESS * np.abs(slope.value[0]):
                return None
            slopes = self._sample(np.arange(len(directions.entries))).differences.slope.value
            return _scattered(slopes, directions.entries, self.function.flat.size)

    def _sample(self, lines: np.ndarray) -> LineSamples:
        directions = self.comparison.directions.take(lines)
        unlimited = np.full(len(lines), np.inf)
        return sample_lines(self.evaluator, directions, directions.max_along(self.entry_roundoff), unlimited)


def _wrong_direction(
    evaluator: Evaluator,
    gradients: AnalyticGradients,
    comparison: Comparison,
    method: str,
    name: str,
    tolerance: float,
) -> Diagnosis:
    """The diagnosis if a direction is wrong but no entry that was tried clearly is."""
    function, directions = evaluator.function, comparison.directions
    line = next(line for line, verdict in enumerate(comparison.verdicts[method]) if not verdict.ok)
    slope = comparison.samples.differences.slope
    where = [*function.entry_names(directions.entries), *directions.names][line]
    judged, nudge, error = comparison.derivatives[method][line], slope.value[line], slope.error[line]
    is_entry = line < len(directions.entries)
    place = f"at {where}" if is_entry else f"along a line, {where}"
    gradient = gradients.by_method.get(method)
    if gradient is not None and not is_entry:
        direction = directions.take(np.array([line]))
        roundoff = np.repeat(evaluator.input_roundoff(), function.sizes)
        narrowed = narrow_direction(evaluator, gradient, direction, roundoff, gradients.rounding, tolerance)
        if len(narrowed.entries) < np.count_nonzero(direction.dense):
            judged, nudge, error = narrowed.judged, narrowed.nudge, narrowed.error
            where = _name_entries(function, narrowed.entries)
            place = f"at {where}" if len(narrowed.entries) == 1 else f"in {where}, along a line through them"
    return Diagnosis("off", name, where, f"{name} is off {place}: {judged:.6g} instead of {nudge:.6g} ± {error:.0e}.")


def _name_entries(function: CheckedFunction, entries: np.ndarray) -> str:
    if len(entries) <= MAX_NAMED_ENTRIES:
        return join_all(function.entry_names(entries))
    first, last = function.entry_names(entries[[0, -1]])
    return f"{len(entries):,} entries from {first} to {last}"
