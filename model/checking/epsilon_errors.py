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
        return _measure(function, Evaluator(function), _entries(function, parameter))


def _measure(function: CheckedFunction, evaluator: Evaluator, entries: np.ndarray) -> EpsilonErrors:
    """Measure the errors of the entry with the largest derivative."""
    scale = typical_scale(function)
    directions = Directions(entries, np.zeros((0, scale.size)), (), scale)
    roundoff = directions.max_along(np.repeat(evaluator.input_roundoff(), function.sizes))
    samples = sample_lines(evaluator, directions, roundoff, np.zeros(len(directions)))
    slopes = samples.differences.slope
    steepest = int(np.argmax(np.where(np.isfinite(slopes.error), np.abs(slopes.value), -1.0)))
    entry, direction = int(entries[steepest]), directions.take(np.array([steepest]))
    name = function.entry_names([entry])[0]
    derivative, error = float(slopes.value[steepest]), float(slopes.error[steepest])
    if not np.isfinite(error) or derivative == 0:
        raise NotCheckableError(f"there must be a slope to draw, but that by {name} is {derivative}; name another")
    exact = derivative
    if samples.slopes is not None and abs(samples.slopes[steepest] - derivative) <= ERROR_MARGIN * error:
        exact = float(samples.slopes[steepest])
    epsilons = RELATIVE_STEPS * scale[entry]
    errors = _central_difference_errors(evaluator, direction, epsilons, exact)
    is_known = np.isfinite(errors) & (errors > 0)
    if not is_known.any():
        raise NotCheckableError(
            f"there must be an error to draw, but every difference by {name} is exact; name another"
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
    """The place of the parameter of a name; without one, the places of all that are tried."""
    names = function.entry_names(np.arange(min(function.flat.size, MAX_ENTRIES)))
    if parameter is None:
        return np.arange(len(names))
    if parameter not in names:
        raise NotCheckableError(
            f"parameter must be one such as {names[0]} or {names[-1]}, not {parameter!r}; see the report"
        )
    return np.array([names.index(parameter)])
