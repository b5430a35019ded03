"""The error of a central difference against its step, epsilon, measured for one parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.directions import Directions, single_entries
from model.checking.errors import NotCheckableError
from model.checking.evaluator import Evaluator
from model.checking.sampling import MAX_ENTRIES
from model.checking.step_search import sample_lines
from model.checking.tracing import prepare
from model.checking.verdicts import ERROR_MARGIN
from model.pytrees import Tree

# The steps that are tried, in units of the parameter's size.
RELATIVE_STEPS = np.logspace(-14, 0.5, 117)
# Smaller relative errors are below the resolution of float64.
SMALLEST_ERROR = 1e-16


@dataclass(frozen=True)
class EpsilonErrors:
    """The errors of one parameter's central differences.

    Attributes:
        parameter: the name of the parameter.
        derivative: the derivative by it according to the check, which extrapolates.
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
        fun: a function of params and args that returns a scalar.
        params: a pytree with a floating-point leaf.
        args: the other arguments of fun.
        parameter: the parameter's name in the report of `check_gradients`; None for the one with the largest
            derivative.

    Returns:
        The errors.

    Raises:
        NotCheckableError: if there is no such parameter, no derivative other than 0, or no error above 0.

    Example:
        >>> measured = measure_epsilon_errors(lambda p: np.sin(p), 0.7)
        >>> round(measured.derivative, 6), bool(measured.errors.min() < 1e-9 < measured.errors[-1])
        (0.764842, True)
    """
    function = prepare(fun, params, args)
    if function.weights is not None:
        raise NotCheckableError("the plot needs a fun that returns a number, but it returned arrays; return their sum")
    with function.jax_settings():
        return _measure(function, Evaluator(function), _entries(function, parameter))


def _measure(function: CheckedFunction, evaluator: Evaluator, entries: np.ndarray) -> EpsilonErrors:
    """Measure the errors of the entry with the largest derivative."""
    directions = single_entries(function, entries)
    roundoff = directions.max_along(np.repeat(evaluator.input_roundoff(), function.sizes))
    samples = sample_lines(evaluator, directions, roundoff, np.zeros(len(directions)))
    slopes = samples.differences.slope
    steepest = int(np.argmax(np.where(np.isfinite(slopes.error), np.abs(slopes.value), -1.0)))
    entry, direction = int(entries[steepest]), directions.take(np.array([steepest]))
    name = function.entry_names([entry])[0]
    derivative, error = float(slopes.value[steepest]), float(slopes.error[steepest])
    if not np.isfinite(error) or derivative == 0:
        raise NotCheckableError(
            f"the plot needs a known derivative other than 0, but by {name} it is {derivative}; name another parameter"
        )
    exact = derivative
    if samples.slopes is not None and abs(samples.slopes[steepest] - derivative) <= ERROR_MARGIN * error:
        exact = float(samples.slopes[steepest])
    epsilons = RELATIVE_STEPS * directions.scale[entry]
    errors = _central_difference_errors(evaluator, direction, epsilons, exact)
    is_known = np.isfinite(errors) & (errors > 0)
    if not is_known.any():
        raise NotCheckableError(
            f"the plot needs an error above 0, but every difference by {name} is exact; name another parameter"
        )
    errors = np.maximum(errors[is_known], SMALLEST_ERROR)
    return EpsilonErrors(name, derivative, epsilons[is_known], errors, error / abs(exact))


def _central_difference_errors(
    evaluator: Evaluator, direction: Directions, epsilons: np.ndarray, exact: float
) -> np.ndarray:
    """[steps], the relative error of the central difference at each step."""
    values = evaluator.along(direction, np.concatenate([-epsilons, epsilons])[None]).values[0]
    minus, plus = np.split(values, 2)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs((plus - minus) / (2 * epsilons) - exact) / abs(exact))


def _entries(function: CheckedFunction, parameter: str | None) -> np.ndarray:
    """The position of the named parameter; without a name, the positions of all that are tried."""
    names = function.entry_names(np.arange(min(function.flat.size, MAX_ENTRIES)))
    if parameter is None:
        return np.arange(len(names))
    if parameter not in names:
        raise NotCheckableError(
            f"parameter must be a name such as {names[0]} or {names[-1]}, not {parameter!r}; the report lists the names"
        )
    return np.array([names.index(parameter)])
