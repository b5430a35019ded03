"""The error of a central difference against its step, epsilon, measured for one parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.checking.check import MAX_ENTRIES
from model.checking.checked_function import CheckedFunction
from model.checking.directions import Directions, typical_scale
from model.checking.errors import NotCheckableError
from model.checking.evaluator import Evaluator
from model.checking.step_search import sample_lines
from model.checking.tracing import prepare
from model.checking.verdicts import ERROR_MARGIN
from model.pytrees import Tree

# The steps that are tried, in units of the parameter's size.
RELATIVE_STEPS = np.logspace(-14, 0.5, 117)
# float64 cannot tell smaller relative errors from none.
SMALLEST_ERROR = 1e-16


@dataclass(frozen=True)
class EpsilonErrors:
    """How far off central differences of one parameter are.

    Attributes:
        parameter: its name.
        derivative: by the check, extrapolated.
        epsilons: [steps], ascending, only those at which the error is known and not 0.
        errors: [steps], the relative error of the central difference at each.
        stated_error: the relative error that the check states for its derivative.
    """

    parameter: str
    derivative: float
    epsilons: np.ndarray
    errors: np.ndarray
    stated_error: float


def measure_epsilon_errors(
    fun: Callable[..., Any], params: Tree, *args: Any, parameter: str | None = None
) -> EpsilonErrors:
    """Measure the error of one parameter's central difference at many steps.

    Args:
        fun: a function of params and args to a scalar.
        params: a pytree with a floating-point leaf.
        args: the other arguments of fun.
        parameter: its name in the report of `check_gradients`; by default the one with the largest derivative.

    Returns:
        The errors.

    Raises:
        NotCheckableError: if there is no such parameter, no derivative, or no error.

    Example:
        >>> found = measure_epsilon_errors(lambda p: np.sin(p), 0.7)
        >>> round(found.derivative, 6), bool(found.errors.min() < 1e-9 < found.errors[-1])
        (0.764842, True)
    """
    function = prepare(fun, params, args)
    if function.weights is not None:
        raise NotCheckableError(
            "the picture needs a fun that returns a number, but it returned arrays; return their sum"
        )
    with function.jax_settings():
        evaluator, scale = Evaluator(function), typical_scale(function)
        lines = Directions(_entries(function, parameter), np.zeros((0, scale.size)), (), scale)
        roundoff = lines.max_along(np.repeat(evaluator.input_roundoff(), function.sizes))
        seen = sample_lines(evaluator, lines, roundoff, np.zeros(len(lines)))
        slopes = seen.differences.slope
        steepest = int(np.argmax(np.where(np.isfinite(slopes.error), np.abs(slopes.value), -1.0)))
        seen, lines = seen.take(np.array([steepest])), lines.take(np.array([steepest]))
        entry = int(lines.entries[0])
        epsilons = RELATIVE_STEPS * scale[entry]
        values = evaluator.along(lines, np.concatenate([-epsilons, epsilons])[None]).values[0]
    name = function.entry_names([entry])[0]
    slope, error = float(seen.differences.slope.value[0]), float(seen.differences.slope.error[0])
    if not np.isfinite(error) or slope == 0:
        raise NotCheckableError(f"there must be a slope to draw, but that by {name} is {slope}; name another")
    exact = (
        slope if seen.slopes is None or abs(seen.slopes[0] - slope) > ERROR_MARGIN * error else float(seen.slopes[0])
    )
    with np.errstate(invalid="ignore"):
        differences = (values[len(epsilons) :] - values[: len(epsilons)]) / (2 * epsilons)
        errors = np.abs(differences - exact) / abs(exact)
    known = np.isfinite(errors) & (errors > 0)
    if not known.any():
        raise NotCheckableError(
            f"there must be an error to draw, but every difference by {name} is exact; name another"
        )
    errors = np.maximum(errors[known], SMALLEST_ERROR)
    return EpsilonErrors(name, slope, epsilons[known], errors, error / abs(exact))


def _entries(function: CheckedFunction, parameter: str | None) -> np.ndarray:
    """The place of the parameter of a name; without one, the places of all that are tried."""
    names = function.entry_names(np.arange(min(function.flat.size, MAX_ENTRIES)))
    if parameter is None:
        return np.arange(len(names))
    if parameter not in names:
        raise NotCheckableError(
            f"parameter must be one such as {names[0]} or {names[-1]}, not {parameter!r}; see the report"
        )
    return np.array([names.index(parameter)])
