"""Whether a gradient is right: every derivation is compared with differences of the function's values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import jax
import numpy as np

from model.arrays import is_count
from model.checking.analytic import NEARBY_SPACING, AnalyticGradients, analytic_gradients
from model.checking.checked_function import CheckedFunction
from model.checking.comparison import Comparison, compare_along
from model.checking.diagnosis import diagnose_wrong
from model.checking.directions import (
    MAX_LEAF_DIRECTIONS,
    Directions,
    all_entries,
    sample_directions,
    steepest_directions,
    typical_scale,
)
from model.checking.errors import NotCheckableError, summarize_error
from model.checking.evaluator import Evaluator
from model.checking.findings import Derivative
from model.checking.finite_differences import LADDER_LEVELS
from model.checking.gradient_programs import NearbyPoints
from model.checking.report import Report
from model.checking.results import check_results
from model.checking.rounding import FLOAT64_ROUNDOFF
from model.checking.second_order import hessian_vector_product
from model.checking.step_search import NOISE_SPACING, first_steps, sample_offsets
from model.checking.tracing import prepare
from model.checking.user_gradient import UserGradient
from model.checking.value_noise import NOISE_OFFSETS
from model.checking.verdicts import Verdict
from model.pytrees import Tree, is_integral

# Two derivatives that share six digits agree: the constants in people's rules have no more digits.
TOLERANCE = 1e-6
# Up to so many entries are tried one by one …
MAX_ENTRIES, MIN_ENTRIES = 4096, 6
# … as long as this computes at most so many values; for a large function, about eighty evaluations.
MAX_VALUES, MAX_VALUES_OF_LARGE = 2**29, 2**28
# Names in a report that a gradient by hand cannot have.
RESERVED_NAMES = frozenset({"parameter", "verdict", *(field.name for field in fields(Derivative))})


@dataclass(frozen=True)
class CheckOptions:
    """How a function is checked.

    Attributes:
        by_hand: a gradient that somebody wrote, or None.
        tolerance: how far two derivatives may differ beyond their errors, relative to the larger one.
        budget: how many entries are tried one by one; None for as many as are affordable.
        seed: of the sample and the directions.
        order: 1, or 2 if the function is a Hessian-vector product.
    """

    by_hand: UserGradient | None
    tolerance: float
    budget: int | None
    seed: int
    order: int = 1

    @property
    def by_hand_name(self) -> str:
        """The name of the gradient by hand in the report."""
        name = getattr(self.by_hand, "__name__", "")
        return name if name.isidentifier() and name not in RESERVED_NAMES else "by_hand"


def check_gradients(
    fun: Any,
    params: Tree,
    *args: Any,
    by_hand: Any = None,
    order: Any = 1,
    tolerance: Any = TOLERANCE,
    budget: Any = None,
    seed: Any = 0,
) -> Report:
    """Compare the gradients of `fun(params, *args)` by params with differences of its values.

    All floating-point arrays are float64 inside; neither they nor JAX's settings are changed.

    Args:
        fun: a function of a pytree, which returns a floating-point scalar, an array, or a pytree of arrays. Arrays are
            summed with random weights, and each of their numbers is checked along a random direction too. JAX need not
            be able to trace fun; it may be plain NumPy.
        params: a pytree. Its floating-point leaves are nudged, whole numbers are listed as not differentiable, and
            everything else is left alone.
        args: the other arguments of fun.
        by_hand: a gradient that somebody wrote, in JAX or NumPy. It is called with the arguments of fun and returns a
            pytree like params.
        order: 1, or 2 to check Hessian-vector products as well.
        tolerance: how far two derivatives may differ, relative to the larger one, beyond what their errors explain.
        budget: how many parameters are tried one by one, from 1. By default all of them, up to 4096 and to a second or
            two of work; of more, a sample of each leaf. Random directions through all of them are always tried.
        seed: of the sample and the directions, from 0.

    Returns:
        A report with the numbers and a verdict for each parameter, and a diagnosis if something is wrong.

    Raises:
        NotCheckableError: a ValueError, if the arguments cannot be checked.

    Example:
        >>> import jax.numpy as jnp
        >>> def fun(p):
        ...     return jnp.sum(jnp.sin(p["angle"]))
        >>> report = check_gradients(
        ...     fun, {"angle": jnp.array([0.1, 1.0])}, by_hand=lambda p: {"angle": -jnp.cos(p["angle"])}
        ... )
        >>> report.ok, report.max_relative_error, report.parameters[0].name
        (False, 2.0, 'angle[0]')
        >>> print(report.diagnoses[0])
        by_hand has the wrong sign, in angle.
    """
    _check_arguments(order, tolerance, budget, seed, by_hand)
    function, report = _check_as_it_runs(fun, params, args, CheckOptions(by_hand, tolerance, budget, seed))
    if order == 1 or not report.ok:
        return report
    missing = dict(report.notes).get("grad")
    if missing:
        raise NotCheckableError(f"order 2 needs JAX's own gradient, but {missing}; check order 1 alone")
    product = hessian_vector_product(function, seed)
    second = _check_as_it_runs(product, params, args, CheckOptions(None, tolerance, budget, seed, order=2))[1]
    return report.followed_by(second)


def assert_gradients(fun: Callable[..., Any], params: Tree, *args: Any, **options: Any) -> None:
    """Raise AssertionError if a gradient is wrong; for tests.

    Args:
        fun: as of `check_gradients`.
        params: as of `check_gradients`.
        args: as of `check_gradients`.
        options: the keyword arguments of `check_gradients`.

    Raises:
        AssertionError: if a gradient is wrong, with the report as its message.
        NotCheckableError: if the arguments cannot be checked.

    Example:
        >>> import jax.numpy as jnp
        >>> assert_gradients(lambda p: jnp.sum(p**2), jnp.array([1.0, 2.0]))
    """
    __tracebackhide__ = True
    report = check_gradients(fun, params, *args, **options)
    if not report.ok:
        raise AssertionError(f"\n{report}")


def _check_arguments(order: Any, tolerance: Any, budget: Any, seed: Any, by_hand: Any) -> None:
    if isinstance(order, bool) or order not in (1, 2):
        raise NotCheckableError(f"order must be 1 or 2, not {order!r}; 2 checks Hessian-vector products as well")
    if not (isinstance(tolerance, float | int | np.floating) and 0 <= tolerance < np.inf):
        raise NotCheckableError(
            f"tolerance must be a finite number from 0, not {tolerance!r}; leave it out for {TOLERANCE}"
        )
    if not is_count(seed, minimum=0):
        raise NotCheckableError(f"seed must be a whole number from 0, not {seed!r:.40}; leave it out for 0")
    if budget is not None and not is_count(budget):
        raise NotCheckableError(f"budget must be a whole number from 1, not {budget!r}; leave it out for the default")
    if by_hand is not None and not callable(by_hand):
        raise NotCheckableError(
            f"by_hand must be a function that returns a gradient, not {by_hand!r:.40}; pass the function itself"
        )


def _check_as_it_runs(
    fun: Any, params: Tree, args: tuple[Any, ...], options: CheckOptions
) -> tuple[CheckedFunction, Report]:
    """The report in float64; in the own dtypes if only running shows that float64 fails, as in a callback."""
    for in_float64 in (True, False):
        function = prepare(fun, params, args, in_float64)
        try:
            with function.jax_settings():
                return function, _check(function, options)
        except jax.errors.JaxRuntimeError as error:
            failure = error
    raise NotCheckableError(
        f"fun must run at params and around, but it raised {summarize_error(failure)}; call it there to see where"
    ) from failure


def _check(function: CheckedFunction, options: CheckOptions) -> Report:
    if options.by_hand is not None and function.weights is not None:
        raise NotCheckableError("by_hand is for a fun that returns a number, but fun returned arrays; return their sum")
    whole_numbers = tuple(_whole_numbers(function)) if options.order == 1 else ()
    if not function.flat.size:
        return Report(whole_numbers, tolerance=options.tolerance, by_hand_name=options.by_hand_name)
    evaluator = Evaluator(function)
    entry_roundoff = np.repeat(evaluator.input_roundoff(), function.sizes)
    directions, gradients = _choose_directions(evaluator, entry_roundoff, options)
    comparison = compare_along(evaluator, gradients, directions, entry_roundoff, options.tolerance)
    _check_methods(evaluator, comparison)
    comparison = _with_steepest(evaluator, gradients, comparison, entry_roundoff, options)
    names = [*function.entry_names(comparison.directions.entries), *comparison.directions.names]
    rows = comparison.report_rows(names, options.order)
    entries = len(comparison.directions.entries)
    if function.weights is not None and len(directions.dense):
        rows += check_results(evaluator, directions.dense[0], gradients, options.tolerance, options.order)
    is_ok = all(row.verdict.ok for row in rows)
    diagnoses = (
        [] if is_ok else diagnose_wrong(evaluator, gradients, comparison, options.by_hand_name, options.tolerance)
    )
    return Report(
        parameters=(*rows[:entries], *whole_numbers),
        directions=tuple(rows[entries:]),
        entries=function.flat.size,
        tolerance=options.tolerance,
        diagnoses=tuple(diagnoses),
        taylor_order=comparison.taylor_order(),
        adjoint_error=comparison.adjoint_error(),
        visible=comparison.visible_error(options.tolerance),
        notes=tuple(evaluator.missing.items()),
        by_hand_name=options.by_hand_name,
    )


def _choose_directions(
    evaluator: Evaluator, entry_roundoff: np.ndarray, options: CheckOptions
) -> tuple[Directions, AnalyticGradients]:
    """The directions to try, and the gradients; a sample of entries depends on where the gradients disagree."""
    function, size = evaluator.function, evaluator.function.flat.size
    rng = np.random.default_rng(options.seed)
    nearby = _nearby_points(evaluator, entry_roundoff, rng)
    count = options.budget or _affordable_entries(evaluator)
    if count >= size:
        directions = all_entries(function, rng)
        if function.is_traced:
            largest, roundoff = first_steps(evaluator, directions), directions.max_along(entry_roundoff)
            offsets = sample_offsets(evaluator, directions, largest, roundoff)
            evaluator.precompute(options.by_hand, nearby, directions, offsets)
        return directions, analytic_gradients(evaluator, options.by_hand, nearby, entry_roundoff)
    gradients = analytic_gradients(evaluator, options.by_hand, nearby, entry_roundoff)
    leaf_directions = 0 if evaluator.is_large else MAX_LEAF_DIRECTIONS
    directions = sample_directions(function, count, gradients.disagreement(), rng, leaf_directions)
    if not evaluator.is_large:
        directions = directions.concat(steepest_directions(function, _named_gradients(gradients, options)))
    return directions, gradients


def _nearby_points(evaluator: Evaluator, entry_roundoff: np.ndarray, rng: np.random.Generator) -> NearbyPoints:
    """The points at which gradients show their rounding; the point alone for a large function."""
    function = evaluator.function
    vector = typical_scale(function) * rng.choice([-1.0, 1.0], function.flat.size)
    coarsest = float(np.max(entry_roundoff, initial=FLOAT64_ROUNDOFF))
    spacing = NOISE_SPACING * coarsest if coarsest > FLOAT64_ROUNDOFF else NEARBY_SPACING
    return NearbyPoints(vector, np.zeros(1) if evaluator.is_large else spacing * NOISE_OFFSETS)


def _affordable_entries(evaluator: Evaluator) -> int:
    max_values = MAX_VALUES_OF_LARGE if evaluator.is_large else MAX_VALUES
    affordable = max_values // (evaluator.value_count * (2 * LADDER_LEVELS + 1))
    return min(MAX_ENTRIES, max(MIN_ENTRIES, affordable))


def _named_gradients(gradients: AnalyticGradients, options: CheckOptions) -> dict[str, np.ndarray]:
    names = {"by_hand": options.by_hand_name}
    return {names.get(method, method): gradient for method, gradient in gradients.by_method.items()}


def _check_methods(evaluator: Evaluator, comparison: Comparison) -> None:
    """Raise NotCheckableError if no method has derivatives."""
    if not comparison.derivatives:
        reasons = "; ".join(f"{method}: {reason}" for method, reason in evaluator.missing.items())
        raise NotCheckableError(f"there must be a gradient to check, but JAX has none of fun ({reasons}); give by_hand")


def _with_steepest(
    evaluator: Evaluator,
    gradients: AnalyticGradients,
    comparison: Comparison,
    entry_roundoff: np.ndarray,
    options: CheckOptions,
) -> Comparison:
    """The comparison with directions along the gradients added, if every entry was tried and one is too noisy."""
    size = evaluator.function.flat.size
    is_complete = len(comparison.directions.entries) == size > 1
    if not is_complete or not any(Verdict.NOISY in verdicts for verdicts in comparison.verdicts.values()):
        return comparison
    steepest = steepest_directions(evaluator.function, _named_gradients(gradients, options))
    if not len(steepest):
        return comparison
    return comparison.concat(compare_along(evaluator, gradients, steepest, entry_roundoff, options.tolerance))


def _whole_numbers(function: CheckedFunction) -> list[Derivative]:
    """A row for each leaf of whole numbers."""
    named = zip(function.leaf_names, function.leaves, strict=True)
    names = [name for name, leaf in named if is_integral(leaf)]
    return [Derivative(name, np.nan, np.inf, None, None, None, Verdict.NOT_DIFFERENTIABLE) for name in names]
