"""How somebody's function can be evaluated: traced by JAX or called, in float64 or in its own dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.checked_function import CheckedFunction, EvaluationMode
from model.checking.errors import TRACING_ERRORS, NotCheckableError, describe_value, summarize_error
from model.pytrees import Tree, is_floating, leaf_name

# Leaves that a message lists.
MAX_LISTED_LEAVES = 3


def prepare(fun: Any, params: Tree, args: tuple[Any, ...], in_float64: bool = True) -> CheckedFunction:
    """Find out how a function can be evaluated at a point.

    Args:
        fun: a function of params and args.
        params: a pytree with a floating-point leaf.
        args: the other arguments of fun.
        in_float64: whether to try float64 first; if it cannot be, the dtypes of the leaves are kept.

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
    keyed_leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    paths, leaves = tuple(path for path, _ in keyed_leaves), tuple(leaf for _, leaf in keyed_leaves)
    floating = _floating_leaves([leaf_name(path) for path in paths], leaves)
    return _first_mode_that_runs(CheckedFunction(fun, leaves, paths, structure, floating, args), in_float64)


def _floating_leaves(names: Sequence[str], leaves: Sequence[Any]) -> tuple[int, ...]:
    """The indices of the floating-point leaves. Raises NotCheckableError if there is none, or if one is complex."""
    for name, leaf in zip(names, leaves, strict=True):
        _check_leaf(name, leaf)
    floating = tuple(index for index, leaf in enumerate(leaves) if is_floating(leaf))
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


def _first_mode_that_runs(function: CheckedFunction, in_float64: bool) -> CheckedFunction:
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
            return _with_weights(candidate, result)
    telling = [error for error in failures if not isinstance(error, TRACING_ERRORS)] or failures
    raise NotCheckableError(
        f"fun must return a number at params, but it raised {summarize_error(telling[0])}; "
        "call it with the same arguments to see where"
    ) from telling[0]


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


def _with_weights(function: CheckedFunction, returned: list[Any]) -> CheckedFunction:
    """The function with weights, if it returns no scalar.

    The weights are random. Their size is about the inverse of the leaf's own, so that a small leaf counts as much as a
    large one.
    """
    if len(returned) == 1 and np.shape(returned[0]) == ():
        return function
    if function.is_traced:
        with function.jax_settings():
            returned = jax.jit(function.output)(function.point, function.argument_arrays)
    rng = np.random.default_rng(0)
    return replace(function, weights=tuple(_random_weights(leaf, rng) for leaf in returned))


def _random_weights(leaf: Any, rng: np.random.Generator) -> np.ndarray:
    size = np.sqrt(np.mean(np.square(np.asarray(leaf, np.float64)))) if np.size(leaf) else 1.0
    scale = 1 / size if size > 0 and np.isfinite(size) else 1.0
    signs = rng.choice([-scale, scale], np.shape(leaf))
    return np.asarray(signs * rng.uniform(0.5, 1.5, np.shape(leaf)))
