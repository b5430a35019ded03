"""Whether a gradient is right: every derivation held against differences of values, one parameter at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model.arguments import is_count
from model.checking.analytic import NEARBY_SPACING, AnalyticGradients, analytic_gradients
from model.checking.checked_function import CheckedFunction
from model.checking.comparison import compare_along, make_derivatives
from model.checking.diagnosis import diagnose_wrong
from model.checking.directions import LEAVES, all_entries, sample_directions, steepest_directions, typical_scale
from model.checking.error_patterns import Diagnosis
from model.checking.errors import NotCheckableError, summarize_error
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import LADDER_LEVELS, LARGEST_STEP, NOISE_POINTS, differentiate, step_ladder
from model.checking.report import Derivative, Report
from model.checking.rounding import EPS
from model.checking.step_search import NOISE_SPACING, first_steps, sample_offsets
from model.checking.tracing import prepare
from model.checking.verdicts import Verdict, judge
from model.pytrees import Flat, Tree, is_integral

# Two derivatives that share six digits agree: the constants in people's rules have no more.
TOLERANCE = 1e-6
# Up to so many entries are tried one by one, and so many numbers worked out for it; of more, a sample is tried. Of what
# is large only so many numbers are, which comes to some eighty evaluations.
MAX_ENTRIES = 4096
MAX_VALUES = 2**29
MAX_VALUES_OF_LARGE = 2**28
MIN_ENTRIES = 6
# Names in a report that a gradient by hand cannot have.
RESERVED_NAMES = frozenset({"parameter", "verdict", *(field.name for field in fields(Derivative))})
# Numbers of an array result that are listed though they agree.
LISTED_RESULTS = 4
# What the arithmetic of a slope in float64 may lose, relative to it.
SLOPE_ROUNDING = 1e-13


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

    fun: a function of a pytree to a floating-point scalar, or to an array or a pytree of them, which is then summed up
        by random weights, and each of whose numbers is checked along a random direction too. JAX need not be able to
        trace it; it may be plain NumPy.
    params: a pytree. Its floating-point leaves are nudged, whole numbers are listed as not differentiable, and all
        else is left alone.
    by_hand: a gradient that someone wrote, in JAX or NumPy, called with the arguments of fun; a pytree like params.
    order: 1, or 2 to check Hessian-vector products as well.
    tolerance: how far two derivatives may be apart, relative to the larger, beyond what their errors explain.
    budget: how many parameters are tried one by one, from 1. By default all of them, up to 4096 and to a second or
        two of work; beyond it, a sample of each leaf. Random directions through all of them are always tried.
    seed: of the sample and the directions.

    All floating-point arrays are taken as float64 inside; neither they nor JAX's settings are changed.

    Returns a Report with the numbers and a verdict of each parameter, and a diagnosis where something is wrong. Raises
    ValueError, in one sentence, where the arguments cannot be checked.

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
    _check_options(order, tolerance, budget, seed, by_hand)
    problem, report = _first_that_runs(fun, params, args, by_hand, tolerance, budget, seed)
    if order == 1 or not report.ok:
        return report
    missing = dict(report.notes).get("grad")
    if missing:
        raise NotCheckableError(f"order 2 needs JAX's own gradient, but {missing}; check order 1 alone")
    product = hessian_times(problem, seed)
    second = _first_that_runs(product, params, args, None, tolerance, budget, seed, 2)[1]
    return report.followed_by(second)


def assert_gradients(fun: Callable[..., Any], params: Tree, *args: Any, **options: Any) -> None:
    """Raise AssertionError, with the report of `check_gradients` as its message, where a gradient is wrong.

    >>> assert_gradients(lambda p: jnp.sum(p**2), jnp.array([1.0, 2.0]))
    """
    __tracebackhide__ = True
    report = check_gradients(fun, params, *args, **options)
    if not report.ok:
        raise AssertionError(f"\n{report}")


def _check_options(order: Any, tolerance: Any, budget: Any, seed: Any, by_hand: Any) -> None:
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


def _first_that_runs(fun: Any, params: Tree, args: tuple[Any, ...], *options: Any) -> tuple[CheckedFunction, Report]:
    """The report in float64, or, where only running shows that this cannot be, as in a callback, in the own dtypes.

    options: those of `_check`.
    """
    for double in (True, False):
        problem = prepare(fun, params, args, double)
        try:
            return problem, _check(problem, *options)
        except jax.errors.JaxRuntimeError as error:
            failure = error
    raise NotCheckableError(
        f"fun must run at params and around, but it raised {summarize_error(failure)}; call it there to see where"
    ) from failure


def _check(
    problem: CheckedFunction,
    by_hand: Callable[..., Tree] | None,
    tolerance: float,
    budget: int | None,
    seed: int,
    order: int = 1,
) -> Report:
    if by_hand is not None and problem.weights is not None:
        raise NotCheckableError("by_hand is for a fun that returns a number, but fun returned arrays; return their sum")
    name = getattr(by_hand, "__name__", "")
    name = name if name.isidentifier() and name not in RESERVED_NAMES else "by_hand"
    rng = np.random.default_rng(seed)
    with problem.jax_settings():
        evaluator, size = Evaluator(problem), problem.flat.size
        if not size:
            return Report(tuple(_whole_numbers(problem)), tolerance=tolerance, by_hand_name=name)
        coarse = np.repeat(evaluator.coarseness(), problem.sizes)
        around = typical_scale(problem) * rng.choice([-1.0, 1.0], size)
        near = NOISE_SPACING * float(coarse.max()) if np.max(coarse, initial=EPS) > EPS else NEARBY_SPACING
        offsets = np.zeros(1) if evaluator.is_large else near * NOISE_POINTS
        count = budget or _affordable(evaluator)
        lines = all_entries(problem, rng) if count >= size else None
        if lines is not None and problem.is_traced:
            steps = sample_offsets(evaluator, lines, first_steps(evaluator, lines), lines.max_along(coarse))
            evaluator.precompute(by_hand, around, offsets, lines, steps)
        gradients = analytic_gradients(evaluator, by_hand, around, offsets, coarse)
        named = {name if way == "by_hand" else way: gradient for way, gradient in gradients.by_method.items()}
        if lines is None:
            lines = sample_directions(
                problem, count, gradients.disagreement(), rng, leaves=0 if evaluator.is_large else LEAVES
            )
            lines = lines if evaluator.is_large else lines.concat(steepest_directions(problem, named))
        tried = compare_along(evaluator, gradients, lines, coarse, tolerance)
        if not tried.derivatives:
            reason = "; ".join(f"{way}: {text}" for way, text in evaluator.notes.items())
            raise NotCheckableError(
                f"there must be a gradient to check, but JAX has none of fun ({reason}); give by_hand"
            )
        if count >= size > 1 and any(Verdict.NOISY in verdicts for verdicts in tried.verdicts.values()):
            steepest = steepest_directions(problem, named)
            tried = (
                tried.concat(compare_along(evaluator, gradients, steepest, coarse, tolerance))
                if len(steepest)
                else tried
            )
        rows = tried.rows([*problem.entry_names(tried.directions.entries), *tried.directions.names], order)
        entries = len(tried.directions.entries)
        if problem.weights is not None and len(lines.dense):
            rows += _results(evaluator, lines.dense[0], gradients, tolerance, order)
        diagnoses: list[Diagnosis] = []
        if not all(row.verdict.ok for row in rows):
            diagnoses = diagnose_wrong(evaluator, gradients, tried, name, tolerance)
        return Report(
            parameters=(*rows[:entries], *(_whole_numbers(problem) if order == 1 else ())),
            directions=tuple(rows[entries:]),
            entries=size,
            tolerance=tolerance,
            diagnoses=tuple(diagnoses),
            taylor_order=tried.taylor_order(),
            adjoint_error=tried.adjoint_error(),
            visible=tried.visible_error(tolerance),
            notes=tuple(evaluator.notes.items()),
            by_hand_name=name,
        )


def _affordable(evaluator: Evaluator) -> int:
    """How many entries are tried one by one."""
    most = MAX_VALUES_OF_LARGE if evaluator.is_large else MAX_VALUES
    return min(MAX_ENTRIES, max(MIN_ENTRIES, most // (evaluator.value_count * (2 * LADDER_LEVELS + 1))))


def _results(
    evaluator: Evaluator, direction: Flat, gradients: AnalyticGradients, tolerance: float, order: int
) -> list[Derivative]:
    """Forward mode of each number of an array result, along a random direction; all that are wrong, and a few more."""
    steps = step_ladder(np.array([LARGEST_STEP]))[0]
    values, slopes = evaluator.outputs(direction, np.concatenate([-steps, [0.0], steps]))
    if slopes is None:
        return []
    values = values.T[:MAX_ENTRIES]
    slopes, middle = slopes[:MAX_ENTRIES], values[:, LADDER_LEVELS]
    unit = float(np.max(gradients.unit_roundoff, initial=EPS))
    coarse = unit if unit > EPS else 0.0
    ladders = np.broadcast_to(steps, (len(values), LADDER_LEVELS))
    found = differentiate(
        ladders,
        values[:, :LADDER_LEVELS],
        values[:, LADDER_LEVELS + 1 :],
        middle,
        _times(coarse, np.abs(middle)),
        np.ones(len(values)),
    )
    verdicts = judge(found, slopes, _times(SLOPE_ROUNDING + 4 * coarse, np.abs(slopes)), middle, tolerance)
    rows = make_derivatives(
        [f"result {index}" for index in range(len(values))], found, {"jvp": slopes}, {"jvp": verdicts}, order
    )
    return [row for index, row in enumerate(rows) if index < LISTED_RESULTS or not row.verdict.ok]


def _times(factor: float, values: np.ndarray) -> np.ndarray:
    return factor * np.where(np.isfinite(values), values, 0.0)


def _whole_numbers(problem: CheckedFunction) -> list[Derivative]:
    """A row for each leaf of whole numbers."""
    leaves = zip(problem.names, problem.leaves, strict=True)
    names = [name for name, leaf in leaves if is_integral(leaf)]
    return [Derivative(name, np.nan, np.inf, None, None, None, Verdict.NOT_DIFFERENTIABLE) for name in names]


def hessian_times(problem: CheckedFunction, seed: int) -> Callable[..., jax.Array]:
    """The gradient's derivative along a random direction, as a function: its gradient is the Hessian times that."""
    rng = np.random.default_rng(seed)
    with problem.jax_settings():
        direction = problem.unflatten(typical_scale(problem) * rng.choice([-1.0, 1.0], problem.flat.size))

    def product(params: Tree, *args: Any) -> jax.Array:
        leaves, structure = jax.tree.flatten(params)

        def scalar(point: list[Any]) -> Any:
            moved = list(leaves)
            for index, leaf in zip(problem.floating, point, strict=True):
                moved[index] = leaf
            return problem.weighted_sum(jax.tree.leaves(problem.fun(jax.tree.unflatten(structure, moved), *args)))

        grads = jax.grad(scalar)([jnp.asarray(leaves[index]) for index in problem.floating])
        return jnp.sum(jnp.stack([jnp.sum(grad * d) for grad, d in zip(grads, direction, strict=True)]))

    return product
