"""A gradient that somebody wrote, in JAX or in NumPy, compared with params in its tree and its shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.errors import TRACING_ERRORS, NotCheckableError, describe_value, summarize_error
from model.checking.rounding import FLOAT64_ROUNDOFF, unit_roundoff
from model.pytrees import Flat, Leaves, Tree, flatten, is_floating, is_integral, leaf_name

UserGradient = Callable[..., Tree]
REMEDY = "return one leaf for each of params"


class RoundedGradient(NamedTuple):
    """A gradient, and how coarsely it was computed.

    Attributes:
        gradient: [size], the derivatives by all floating-point entries of params.
        roundoff: the unit roundoff of each leaf.
    """

    gradient: Flat
    roundoff: tuple[float, ...]


def traced_gradient(
    function: CheckedFunction, user_gradient: UserGradient, point: Leaves, arrays: Leaves
) -> list[jax.Array]:
    """The leaves of a gradient that JAX traces.

    Args:
        function: whose gradient it is.
        user_gradient: called with the arguments of fun.
        point: the floating-point leaves of params.
        arrays: the arrays in args.

    Returns:
        One array for each floating-point leaf of params.

    Raises:
        NotCheckableError: if it returns another tree than params.
    """
    returned = user_gradient(function.params(point), *function.arguments(arrays))
    return [jnp.asarray(leaf) for leaf in gradient_leaves(function, returned)]


def called_gradient(
    function: CheckedFunction, user_gradient: UserGradient, failure: Exception | None = None
) -> RoundedGradient:
    """A gradient that is called, with NumPy arrays or, if that fails, with JAX's.

    Args:
        function: whose gradient it is.
        user_gradient: called with the arguments of fun.
        failure: why it could not be traced, if that was tried.

    Returns:
        The gradient at the point.

    Raises:
        NotCheckableError: if it raises, or if it returns another tree than params.
    """
    failures = [failure] if failure else []
    for convert in (np.array, jnp.asarray):
        point = [convert(leaf) for leaf in function.to_arguments(function.flat)]
        try:
            with np.errstate(all="ignore"):
                returned = user_gradient(function.params(point), *function.arguments(function.argument_arrays))
        except Exception as error:  # a user's function may raise anything
            failures.append(error)
            continue
        leaves = gradient_leaves(function, returned)
        roundoff = tuple(unit_roundoff(np.asarray(leaf).dtype) or FLOAT64_ROUNDOFF for leaf in leaves)
        return RoundedGradient(flatten(leaves), roundoff)
    telling = [error for error in failures if not isinstance(error, TRACING_ERRORS)] or failures
    raise NotCheckableError(
        f"by_hand must return a gradient of the shapes of params, but it raised {summarize_error(telling[-1])}; "
        "it is called with the arguments of fun"
    ) from telling[-1]


def gradient_leaves(function: CheckedFunction, gradient: Tree) -> list[Any]:
    """The leaves of a gradient that belong to the floating-point leaves of params, in their order.

    Args:
        function: whose gradient it is.
        gradient: what a user's function returned.

    Returns:
        One leaf for each floating-point leaf of params.

    Raises:
        NotCheckableError: if a leaf is missing, superfluous, of another shape, or not a number.
    """
    _check_not_with_value(function, gradient)
    returned = dict(jax.tree_util.tree_flatten_with_path(gradient)[0])
    paths = [function.paths[index] for index in function.floating]
    superfluous = next((leaf_name(path) for path in returned if path not in function.paths), None)
    for path, shape in zip(paths, function.shapes, strict=True):
        if path not in returned:
            found = superfluous or "no such leaf"
            raise NotCheckableError(
                f"by_hand must return the tree of params, but where {leaf_name(path)} was expected it has {found}; "
                f"{REMEDY}"
            )
        _check_leaf(leaf_name(path), returned[path], shape)
    if superfluous is not None:
        raise NotCheckableError(
            f"by_hand must return the tree of params, but it has {superfluous}, which params has not; {REMEDY}"
        )
    return [returned[path] for path in paths]


def _check_not_with_value(function: CheckedFunction, gradient: Tree) -> None:
    """Refuse the pair that `jax.value_and_grad` returns."""
    if not (isinstance(gradient, tuple) and len(gradient) == 2 and np.shape(gradient[0]) == ()):
        return
    expected, first, second = (
        str(jax.tree.structure(tree)) for tree in (function.params(function.point), gradient, gradient[1])
    )
    if first != expected == second:
        raise NotCheckableError(
            "by_hand must return the gradient, but it returned a number and a gradient; return the second alone"
        )


def _check_leaf(name: str, leaf: Any, shape: Sequence[int]) -> None:
    if np.shape(leaf) != shape:
        raise NotCheckableError(
            f"by_hand must return the shapes of params, but {name} is {list(np.shape(leaf))} "
            f"where {list(shape)} was expected; {REMEDY}"
        )
    if not (is_floating(leaf) or is_integral(leaf)):
        raise NotCheckableError(f"by_hand must return numbers, but {name} is {describe_value(leaf)}; {REMEDY}")
