"""How somebody's function can be evaluated: traced by JAX or called, in float64 or in its own dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.checked_function import CheckedFunction, EvaluationMode, trace_outputs
from model.checking.debug_output import has_debug_output
from model.checking.directions import NO_CHANGE, SENSITIVITY_STEP, typical_scale
from model.checking.dtype_changes import changes_in_float64
from model.checking.errors import TRACING_ERRORS, NotCheckableError, describe_value, summarize_error
from model.checking.options import is_named
from model.pytrees import Tree, is_floating, leaf_name

# Leaves that a message lists.
MAX_LISTED_LEAVES = 3
# A step of a few roundings, in units of a random vector.
ROUNDING_STEP = 2.0**-50


def prepare(
    fun: Any,
    params: Tree,
    args: tuple[Any, ...],
    in_float64: bool = True,
    seed: int = 0,
    frozen: Sequence[str] = (),
) -> CheckedFunction:
    """Find out how a function can be evaluated at a point.

    Args:
        fun: a function of params and args.
        params: a pytree with a floating-point leaf.
        args: the other arguments of fun.
        in_float64: whether to try float64 first; if it cannot be, the dtypes of the leaves are kept.
        seed: of the weights of a result that is no scalar.
        frozen: names of leaves that are not nudged, or of what they are in.

    Returns:
        The function, in the first mode in which it can be evaluated.

    Raises:
        NotCheckableError: if there is no such mode, or if the arguments cannot be checked.

    Example:
        >>> prepare(jnp.sum, jnp.ones(2), ()).mode.name
        'TRACED'
    """
    if not callable(fun):
        raise NotCheckableError(
            f"fun must be a function of params, but it is {describe_value(fun)}; pass the function itself"
        )
    try:
        keyed_leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    except ValueError as error:  # such as keys of several types, which cannot be sorted
        raise NotCheckableError(
            f"params must be a pytree of JAX, but {summarize_error(error)}; rename the keys"
        ) from None
    paths, leaves = tuple(path for path, _ in keyed_leaves), tuple(leaf for _, leaf in keyed_leaves)
    floating = _floating_leaves([leaf_name(path) for path in paths], leaves, frozen)
    function, returned = _first_mode_that_runs(
        CheckedFunction(fun, leaves, paths, structure, floating, args), in_float64
    )
    return _with_weights(function, returned, np.random.default_rng([seed, 2]))


def _floating_leaves(names: Sequence[str], leaves: Sequence[Any], frozen: Sequence[str]) -> tuple[int, ...]:
    """The indices of the leaves to nudge. Raises NotCheckableError if there is none, or if one is complex."""
    for name in frozen:
        if not any(is_named(leaf, [name]) for leaf in names):
            raise NotCheckableError(f"frozen must name leaves of params, but {name} is none; they are {list(names)}")
    for name, leaf in zip(names, leaves, strict=True):
        _check_leaf(name, leaf)
    floating = tuple(
        index for index, leaf in enumerate(leaves) if is_floating(leaf) and not is_named(names[index], frozen)
    )
    if not floating and frozen:
        raise NotCheckableError("params must have a floating-point leaf that is not frozen, but all are; freeze fewer")
    if not floating:
        described = [f"{name} {describe_value(leaf)}" for name, leaf in zip(names, leaves, strict=True)]
        found = ", ".join(described[:MAX_LISTED_LEAVES]) or "no leaf"
        raise NotCheckableError(
            f"params must have a floating-point leaf to be nudged, but found {found}; convert it to float"
        )
    return floating


def _check_leaf(name: str, leaf: Any) -> None:
    if isinstance(leaf, jax.core.Tracer):
        raise NotCheckableError(f"params must hold numbers, but {name} is being traced; check outside of jit and grad")
    if isinstance(leaf, complex) or jnp.issubdtype(getattr(leaf, "dtype", np.bool_), jnp.complexfloating):
        raise NotCheckableError(
            f"params must be real, but {name} is {describe_value(leaf)}; pass its real and imaginary parts"
        )


def _first_mode_that_runs(function: CheckedFunction, in_float64: bool) -> tuple[CheckedFunction, list[Any]]:
    failures: list[Exception] = []
    for is_double in (True, False) if in_float64 else (False,):
        for mode in EvaluationMode:
            candidate = replace(function, mode=mode, in_float64=is_double)
            try:
                result = returned_leaves(candidate)
            except NotCheckableError:
                raise
            except Exception as error:  # a user's function may raise anything
                failures.append(error)
                continue
            candidate = _silenced(candidate, result)
            if is_double and changes_in_float64(candidate, result):
                break
            return candidate, result
    telling = [error for error in failures if not isinstance(error, TRACING_ERRORS)] or failures
    raise NotCheckableError(
        f"fun must return a number at params, but it raised {summarize_error(telling[0])}; "
        "call it with the same arguments to see where"
    ) from telling[0]


def _silenced(function: CheckedFunction, returned: Sequence[Any]) -> CheckedFunction:
    """The function without what it prints, if JAX traces it and it prints."""
    if not function.is_traced:
        return function
    with function.jax_settings():
        prints = has_debug_output(trace_outputs(function, returned))
    return replace(function, is_silenced=True) if prints else function


def returned_leaves(function: CheckedFunction) -> list[Any]:
    """The leaves of what a function returns at its point.

    Args:
        function: in any mode.

    Returns:
        The leaves; of a traced function only their shapes and dtypes.

    Raises:
        NotCheckableError: if a leaf is not floating-point.
    """
    with function.jax_settings(), np.errstate(all="ignore"):
        if not function.is_traced:
            return function.output(function.to_arguments(function.flat), [])
        shapes: list[Any] = jax.eval_shape(function.output, function.point, function.argument_arrays)
        return shapes


def _with_weights(function: CheckedFunction, returned: list[Any], rng: np.random.Generator) -> CheckedFunction:
    """The function with weights, if it returns no scalar.

    The weights are random, with both signs. Their size is about the inverse of how much the leaf changes along a random
    direction, so that a leaf counts as much as another that changes less.
    """
    if len(returned) == 1 and np.shape(returned[0]) in ((), (1,)):
        return function
    vector = typical_scale(function) * rng.choice([-1.0, 1.0], function.flat.size)
    run = jax.jit(function.output) if function.is_traced else function.output
    with function.jax_settings(), np.errstate(all="ignore"):
        values, moved, rounded = (
            [np.asarray(leaf, np.float64) for leaf in run(function.to_arguments(flat), function.argument_arrays)]
            for flat in (function.flat, *(function.flat + step * vector for step in (SENSITIVITY_STEP, ROUNDING_STEP)))
        )
        weights = [_random_weights(*leaves, rng) for leaves in zip(values, moved, rounded, strict=True)]
    if sum(weight.size for weight in weights) > 1:
        _give_both_signs(weights)
    return replace(function, weights=tuple(weights))


def _random_weights(values: np.ndarray, moved: np.ndarray, rounded: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weights for a leaf, from its values at the point, after a step, and a few roundings away.

    A leaf that is rounding alone moves as much in a few roundings as in a step.
    """
    change = _finite_size((moved - values) / SENSITIVITY_STEP) + _finite_size((rounded - values) / ROUNDING_STEP)
    size = _finite_size(values)
    scale = change if change > NO_CHANGE * size else size or 1.0
    signs = rng.choice([-1.0, 1.0], np.shape(values)) / scale
    return np.asarray(signs * rng.uniform(0.5, 1.5, np.shape(values)))


def _finite_size(values: Any) -> float:
    """The root mean square of the finite values."""
    values = np.asarray(values)
    finite = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(np.square(finite)))) if finite.size else 0.0


def _give_both_signs(weights: list[np.ndarray]) -> None:
    """Change the sign of the last weight if all have the same."""
    signs = {sign for weight in weights for sign in np.unique(np.sign(weight))}
    if len(signs) == 1:
        last = next(weight for weight in reversed(weights) if weight.size)
        last.flat[-1] *= -1
