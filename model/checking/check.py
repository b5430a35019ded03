"""Whether a gradient is right: every derivation is compared with differences of the function's values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from model.checking.analytic import AnalyticGradients
from model.checking.checked_function import CheckedFunction, EvaluationMode
from model.checking.comparison import Comparison, compare_along
from model.checking.diagnosis import diagnose_wrong
from model.checking.directions import Directions, steepest_directions
from model.checking.error_patterns import Diagnosis
from model.checking.errors import NoGradientError, NotCheckableError, summarize_error
from model.checking.evaluator import Evaluator
from model.checking.findings import Derivative
from model.checking.options import METHODS, TOLERANCE, CheckOptions, as_names, check_options
from model.checking.report import Report
from model.checking.results import check_results
from model.checking.rule_checks import check_rules
from model.checking.sampling import choose_directions, named_gradients
from model.checking.second_order import hessian_vector_product
from model.checking.still_leaves import find_still_leaves
from model.checking.tracing import prepare
from model.checking.verdicts import Verdict
from model.checking.wrapped_functions import reverse_gradient, without_aux
from model.pytrees import Tree, is_integral


def check_gradients(
    fun: Any,
    params: Tree,
    *args: Any,
    by_hand: Any = None,
    order: Any = 1,
    tolerance: Any = TOLERANCE,
    budget: Any = None,
    seed: Any = 0,
    has_aux: bool = False,
    modes: Any = METHODS,
    frozen: Any = (),
    must_move: Any = (),
    surrogate: Any = None,
    on_progress: Callable[[str], None] | None = None,
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
        has_aux: whether fun returns a pair, of which only the first is differentiated, as for `jax.grad`.
        modes: the derivations that count: some of grad, jvp and by_hand.
        frozen: names of leaves that are not nudged, or of what they are in, as a report shows them.
        must_move: names of leaves whose gradient must not be zero, or of what they are in.
        surrogate: the function whose gradient is meant, if that is not fun, as for a straight-through estimator. The
            gradient of fun by reverse mode is compared with differences of the surrogate.
        on_progress: called with a sentence before every long step. The check runs in this process and cannot interrupt
            fun, so an endless loop in fun makes it endless; `nudge check --timeout` runs it in a process of its own.

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
    modes = as_names("modes", modes)
    options = CheckOptions(
        by_hand if "by_hand" in modes else None,
        tolerance,
        budget,
        seed,
        order,
        modes=modes,
        frozen=as_names("frozen", frozen),
        must_move=as_names("must_move", must_move),
        on_progress=on_progress or (lambda stage: None),
    )
    check_options(options)
    if has_aux:
        fun = without_aux(fun)
    if surrogate is not None:
        fun, options = surrogate, _with_surrogate(fun, surrogate, options)
    function, report = _check_as_it_runs(fun, params, args, replace(options, order=1))
    if order == 1 or not report.ok:
        return report
    missing = dict(report.notes).get("grad")
    if missing:
        raise NotCheckableError(f"order 2 needs JAX's own gradient, but {missing}; check order 1 alone")
    product = hessian_vector_product(function, seed)
    second = _check_as_it_runs(product, params, args, replace(options, by_hand=None, must_move=()))[1]
    return report.followed_by(second)


def _with_surrogate(fun: Any, surrogate: Any, options: CheckOptions) -> CheckOptions:
    """The options of a check of another function, whose gradient by hand is that of fun."""
    if not callable(surrogate):
        raise NotCheckableError(f"surrogate must be a function, not {surrogate!r:.40}; pass the function itself")
    if options.by_hand is not None or options.order != 1 or options.modes != METHODS:
        raise NotCheckableError(
            "surrogate is for the gradient of fun by reverse mode, but by_hand, order or modes was given too; "
            "leave them out"
        )
    name = getattr(surrogate, "__name__", type(surrogate).__name__)
    return replace(options, by_hand=reverse_gradient(fun), modes=("by_hand",), surrogate=name)


def assert_gradients(
    fun: Callable[..., Any], params: Tree, *args: Any, allow_unknown: bool = False, **options: Any
) -> None:
    """Raise AssertionError if a gradient is wrong, or if nothing could be told about it; for tests.

    Args:
        fun: as in `check_gradients`.
        params: as in `check_gradients`.
        args: as in `check_gradients`.
        allow_unknown: whether to pass if nothing could be told, as for a function that rounds everything away.
        options: the keyword arguments of `check_gradients`.

    Raises:
        AssertionError: if a gradient is wrong or nothing could be told, with the report as its message.
        NotCheckableError: if the arguments cannot be checked.

    Example:
        >>> import jax.numpy as jnp
        >>> assert_gradients(lambda p: jnp.sum(p**2), jnp.array([1.0, 2.0]))
    """
    __tracebackhide__ = True
    report = check_gradients(fun, params, *args, **options)
    if not report.ok:
        raise AssertionError(f"\n{report}")
    if not (report.is_known or allow_unknown):
        raise AssertionError(
            f"\n{report}\nexpected derivatives that can be told from noise, found none; check at another point, "
            "or pass allow_unknown=True"
        )


def _check_as_it_runs(
    fun: Any, params: Tree, args: tuple[Any, ...], options: CheckOptions
) -> tuple[CheckedFunction, Report]:
    """The report in float64; in the own dtypes if only running shows that float64 fails, as in a callback."""
    for in_float64 in (True, False):
        options.on_progress("fun is traced, or called once")
        function = prepare(fun, params, args, in_float64, options.seed, options.frozen)
        try:
            return function, _check_with_settings(function, options)
        except NoGradientError as error:
            # A rule inside fun may close over an array made there. JAX then has a gradient of fun, not of its trace.
            called = replace(function, mode=EvaluationMode.JAX)
            if function.is_traced:
                with suppress(NotCheckableError):
                    return called, _check_with_settings(called, options)
            raise error
        except jax.errors.JaxRuntimeError as error:
            failure = error
    raise NotCheckableError(
        f"fun must run at params and around, but it raised {summarize_error(failure)}; call it there to see where"
    ) from failure


def _check_with_settings(function: CheckedFunction, options: CheckOptions) -> Report:
    with function.jax_settings():
        return _check(function, options)


def _check(function: CheckedFunction, options: CheckOptions) -> Report:
    if options.by_hand is not None and function.weights is not None:
        raise NotCheckableError("by_hand is for a fun that returns a number, but fun returned arrays; return their sum")
    whole_numbers = tuple(_whole_numbers(function)) if options.order == 1 else ()
    if not function.flat.size:
        return Report(whole_numbers, tolerance=options.tolerance, by_hand_name=options.by_hand_name)
    evaluator = Evaluator(function, modes=options.modes)
    entry_roundoff = np.repeat(evaluator.input_roundoff(), function.sizes)
    options.on_progress("fun was traced or called; it is evaluated around params, and differentiated")
    directions, gradients = choose_directions(evaluator, entry_roundoff, options)
    options.on_progress("the gradients were computed; fun is evaluated along more lines")
    comparison = compare_along(evaluator, gradients, directions, entry_roundoff, options.tolerance)
    _check_methods(evaluator, comparison)
    comparison = _with_steepest(evaluator, gradients, comparison, entry_roundoff, options)
    names = [*function.entry_names(comparison.directions.entries), *comparison.directions.names]
    rows = comparison.report_rows(names, options.order)
    entries = len(comparison.directions.entries)
    if function.weights is not None and len(directions.dense):
        rows += check_results(evaluator, directions.dense[0], gradients, options.tolerance, options.order)
    faults, diagnoses = _diagnose(evaluator, gradients, directions, comparison, rows, options)
    return Report(
        parameters=(*rows[:entries], *whole_numbers),
        directions=(*rows[entries:], *faults),
        entries=function.flat.size,
        tolerance=options.tolerance,
        diagnoses=diagnoses,
        taylor_order=comparison.taylor_order(),
        adjoint_error=comparison.adjoint_error(),
        visible=comparison.visible_error(options.tolerance),
        notes=_notes(evaluator, options),
        by_hand_name=options.by_hand_name,
    )


def _diagnose(
    evaluator: Evaluator,
    gradients: AnalyticGradients,
    directions: Directions,
    comparison: Comparison,
    rows: list[Derivative],
    options: CheckOptions,
) -> tuple[tuple[Derivative, ...], tuple[Diagnosis, ...]]:
    """What is wrong with the rules inside the function and with leaves that must move, and everything in words."""
    is_wrong = not all(row.verdict.ok for row in rows)
    known = f"{sum(row.verdict.ok for row in rows)} of {len(rows)} derivatives are not wrong"
    options.on_progress(f"{known}; the rules inside fun are checked")
    rules = check_rules(evaluator, directions, gradients, options, is_wrong)
    still = find_still_leaves(evaluator, gradients, comparison, options)
    found: list[Diagnosis] = []
    if is_wrong and not rules.has_wrong_values:
        options.on_progress(f"{known}; the mistake is looked for")
        found = diagnose_wrong(evaluator, gradients, comparison, options.by_hand_name, options.tolerance)
    return (*rules.rows, *still.rows), (*found, *rules.diagnoses, *still.diagnoses)


def _notes(evaluator: Evaluator, options: CheckOptions) -> tuple[tuple[str, str], ...]:
    """Why a method has no derivatives, and which function was nudged."""
    notes = tuple(evaluator.missing.items())
    return (*notes, ("surrogate", options.surrogate)) if options.surrogate else notes


def _check_methods(evaluator: Evaluator, comparison: Comparison) -> None:
    """Raise NotCheckableError if no method has derivatives."""
    if not comparison.derivatives:
        reasons = "; ".join(f"{method}: {reason}" for method, reason in evaluator.missing.items())
        raise NoGradientError(f"there must be a gradient to check, but JAX has none of fun ({reasons}); give by_hand")


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
    steepest = steepest_directions(evaluator.function, named_gradients(gradients, options))
    if not len(steepest):
        return comparison
    return comparison.concat(compare_along(evaluator, gradients, steepest, entry_roundoff, options.tolerance))


def _whole_numbers(function: CheckedFunction) -> list[Derivative]:
    """A row for each leaf of whole numbers."""
    named = zip(function.leaf_names, function.leaves, strict=True)
    names = [name for name, leaf in named if is_integral(leaf)]
    return [Derivative(name, np.nan, np.inf, None, None, None, Verdict.NOT_DIFFERENTIABLE) for name in names]
