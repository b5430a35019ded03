"""The derivatives of rules, and of the leaves of a result, for random cotangents, compared with finite differences."""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from model.checking.analytic import analytic_gradients
from model.checking.checked_function import CheckedFunction
from model.checking.comparison import compare_along
from model.checking.directions import Directions
from model.checking.error_patterns import Diagnosis
from model.checking.evaluator import Evaluator
from model.checking.exposed_function import ExposedFunction
from model.checking.findings import Derivative
from model.checking.gradient_programs import NearbyPoints
from model.checking.options import CheckOptions
from model.checking.rule_faults import RuleFault
from model.checking.tracing import prepare
from model.checking.verdicts import Verdict
from model.pytrees import Leaves


def derivative_faults(
    exposed: ExposedFunction,
    weights: list[np.ndarray],
    modes: list[str],
    line: Directions,
    nearby: NearbyPoints,
    options: CheckOptions,
) -> Iterator[RuleFault]:
    """Yield the first rule, and each leaf of the result, whose derivative for a random cotangent is wrong.

    Args:
        exposed: the function and its rules.
        weights: the random cotangent of each result; 0 where it does not count.
        modes: that there are, of grad and jvp.
        line: one dense direction.
        nearby: points at which gradients show their rounding.
        options: of the check.

    Yields:
        The faults.
    """
    evaluator = Evaluator(weighted_sum(exposed, [np.zeros_like(weight) for weight in weights]), modes=modes)
    for group in exposed.groups_by_rules_first:
        own = [np.asarray(weight * (each == group)) for weight, each in zip(weights, exposed.group_of, strict=True)]
        # The check itself has tried the derivative of a whole result.
        is_whole = exposed.results == 1 and (exposed.is_one_rule or not exposed.is_rule(group))
        if is_whole or not any(weight.any() for weight in own):
            continue
        evaluator = evaluator.for_args_of(weighted_sum(exposed, own))
        row = _wrong_row(evaluator, line, nearby, exposed.groups[group], options)
        if row is not None:
            yield RuleFault(row, _diagnosis(row, exposed.groups[group]))
            if exposed.is_rule(group):
                return


def weighted_sum(exposed: ExposedFunction, weights: list[np.ndarray]) -> CheckedFunction:
    """The weighted sum of all results as a function of its own, whose weights are arguments.

    Args:
        exposed: the function and its rules.
        weights: one array for each result.

    Returns:
        A function that returns a number.
    """

    def total(point: Leaves, weights: list[np.ndarray], arrays: Leaves) -> jnp.ndarray:
        outputs = exposed.outputs(point, arrays)
        parts = [jnp.sum(jnp.where(w != 0, leaf, 0) * w) for w, leaf in zip(weights, outputs, strict=True)]
        return jnp.sum(jnp.stack(parts))

    function = exposed.function
    return prepare(total, function.point, (weights, function.argument_arrays), function.in_float64)


def _wrong_row(
    evaluator: Evaluator, line: Directions, nearby: NearbyPoints, name: str, options: CheckOptions
) -> Derivative | None:
    """The row of a wrong derivative; None if it is right, or cannot be judged."""
    entry_roundoff = np.repeat(evaluator.input_roundoff(), evaluator.function.sizes)
    gradients = analytic_gradients(evaluator, None, nearby, entry_roundoff)
    comparison = compare_along(evaluator, gradients, line, entry_roundoff, options.tolerance)
    if not comparison.derivatives:
        return None
    row = comparison.report_rows([f"{name} at random"], options.order)[0]
    return row if row.verdict is Verdict.WRONG else None


def _diagnosis(row: Derivative, name: str) -> Diagnosis:
    method = row.wrong[0]
    numbers = f"{getattr(row, method):.6g} instead of {row.nudge:.6g} ± {row.error:.0e} along a random direction"
    sentence = f"{' and '.join(row.wrong)} of {name}: wrong for a random cotangent, {numbers}."
    return Diagnosis("rule", method, name, sentence)
