"""The rules inside a function, and the single leaves of its result, checked with random tangents and cotangents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from model.checking.analytic import COARSE_ROUNDINGS, AnalyticGradients
from model.checking.compilation import compile_program
from model.checking.directions import Directions
from model.checking.error_patterns import Diagnosis
from model.checking.evaluator import Evaluator
from model.checking.exposed_function import ExposedFunction, expose
from model.checking.findings import Derivative
from model.checking.options import CheckOptions
from model.checking.program_cache import is_quick
from model.checking.rounding import FLOAT64_ROUNDOFF, unit_roundoff
from model.checking.rule_derivatives import derivative_faults
from model.checking.rule_faults import RuleFault
from model.checking.rule_linearity import linearity_faults
from model.checking.rule_program import FACTORS, SMALL_FACTORS, Allowed, RuleProgram, RuleProgramResults
from model.checking.rule_values import VALUE, value_faults

# A difference below this share of the largest entry counts as rounding.
CANCELLATION = 1e-9


@dataclass(frozen=True)
class RuleFindings:
    """What was found.

    Attributes:
        rows: the derivatives and values that are wrong.
        diagnoses: what is wrong with them.
    """

    rows: tuple[Derivative, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()

    @property
    def has_wrong_values(self) -> bool:
        """Whether a forward pass returns other values than the function."""
        return any(each.kind == VALUE for each in self.diagnoses)


def check_rules(
    evaluator: Evaluator, directions: Directions, gradients: AnalyticGradients, options: CheckOptions, is_wrong: bool
) -> RuleFindings:
    """Check the rules inside a function, and each leaf of its result.

    First the values that the rules return are compared with the function's. If they are right, forward and reverse mode
    must be linear. If they are, too, the derivatives for random cotangents are compared with finite differences.

    Args:
        evaluator: of the function.
        directions: whose random direction through all entries is used.
        gradients: of the function.
        options: of the check.
        is_wrong: whether the gradient is known to be wrong; then a single rule needs no derivative of its own.

    Returns:
        What is wrong; nothing for a function without rules that returns a single array.
    """
    function = evaluator.function
    modes = [mode for mode in ("grad", "jvp") if evaluator.has(mode)]
    if not modes:
        return RuleFindings()
    if function.is_traced and not function.has_rules and (function.weights is None or len(function.weights) == 1):
        return RuleFindings()
    exposed = expose(function)
    vector = directions.dense[0] if len(directions.dense) else directions.scale
    coarsest = float(np.max(gradients.unit_roundoff, initial=0.0))
    factors = SMALL_FACTORS if coarsest > unit_roundoff(np.float32) else FACTORS
    results = _run_program(exposed, modes, factors, vector, coarsest, options)
    faults = list(value_faults(exposed, results, options.order))
    faults = faults or list(linearity_faults(exposed, results, factors, options.order))
    if not faults and not (is_wrong and len(exposed.groups) == 2):
        weights = [np.asarray(weight, np.float64) for weight in results.weights]
        line = replace(directions, entries=np.zeros(0, int), dense=vector[None], names=("at random",))
        faults = list(derivative_faults(exposed, weights, modes, line, gradients.nearby, options))
    return _findings(faults)


def _findings(faults: list[RuleFault]) -> RuleFindings:
    return RuleFindings(tuple(fault.row for fault in faults), tuple(fault.diagnosis for fault in faults))


def _run_program(
    exposed: ExposedFunction,
    modes: list[str],
    factors: tuple[float, ...],
    vector: np.ndarray,
    coarsest: float,
    options: CheckOptions,
) -> RuleProgramResults:
    """Run the program, compiled if JAX traces the function."""
    function, rng = exposed.function, np.random.default_rng([options.seed, 1])
    random = [rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape) for shape in exposed.output_shapes()]
    roundoff = COARSE_ROUNDINGS**2 * coarsest if coarsest > FLOAT64_ROUNDOFF else 0.0
    allowed = Allowed(options.tolerance, CANCELLATION + roundoff)
    map_over = jax.lax.map if function.is_traced else _map_eagerly
    program = RuleProgram(exposed, tuple(modes), factors, allowed, map_over)
    point = function.point if function.is_traced else function.to_arguments(function.flat)
    inputs = (point, function.argument_arrays, function.unflatten(vector), random)
    run = compile_program(program, *inputs, quick=is_quick(function, 1)).run if function.is_traced else program
    found: RuleProgramResults = jax.device_get(run(*inputs))
    return found


def _map_eagerly(function: Callable[[Any], Any], values: np.ndarray) -> Any:
    """The same as `jax.lax.map`, without tracing the function."""
    return jax.tree.map(lambda *parts: np.stack(parts), *(function(value) for value in values))
