"""A gradient that somebody wrote, in JAX or in NumPy, as a row of numbers; its tree is checked against params."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.errors import TRACING_ERRORS, NotCheckableError, describe_value, summarize_error
from model.checking.rounding import EPS, unit_roundoff
from model.pytrees import Flat, Leaves, Tree, flatten, is_floating, is_integral, leaf_name


def traced_gradient(
    problem: CheckedFunction, function: Callable[..., Tree], point: Leaves, arrays: Leaves
) -> list[jax.Array]:
    """Its leaves at a point, of a function that JAX traces."""
    written = function(problem.params(point), *problem.arguments(arrays))
    return [jnp.asarray(leaf) for leaf in gradient_leaves(problem, written)]


def called_gradient(
    problem: CheckedFunction, function: Callable[..., Tree], failure: Exception | None = None
) -> tuple[Flat, tuple[float, ...]]:
    """The gradient at the problem's point, called with NumPy's arrays or else with JAX's, and each leaf's rounding.

    failure: why it could not be traced. Raises NotCheckableError where it raises, or returns another tree than params.
    """
    failures = [failure] if failure else []
    for convert in (np.array, jnp.asarray):
        point = [convert(leaf) for leaf in problem.to_arguments(problem.flat)]
        try:
            with np.errstate(all="ignore"):
                written = function(problem.params(point), *problem.arguments(problem.argument_arrays))
        except Exception as error:
            failures.append(error)
            continue
        leaves = gradient_leaves(problem, written)
        return flatten(leaves), tuple(unit_roundoff(np.asarray(leaf).dtype) or EPS for leaf in leaves)
    telling = [error for error in failures if not isinstance(error, TRACING_ERRORS)] or failures
    raise NotCheckableError(
        f"by_hand must return a gradient of the shapes of params, but it raised {summarize_error(telling[-1])}; "
        "it is called with the arguments of fun"
    ) from telling[-1]


def gradient_leaves(problem: CheckedFunction, written: Tree) -> list[Any]:
    """The leaves of a gradient by hand that belong to the floating-point leaves of params, in their order."""
    found = dict(jax.tree_util.tree_flatten_with_path(written)[0])
    wanted = [problem.paths[index] for index in problem.floating]
    surplus = next((leaf_name(path) for path in found if path not in problem.paths), None)
    remedy = "return one leaf for each of params"
    for path, shape in zip(wanted, problem.shapes, strict=True):
        name = leaf_name(path)
        if path not in found:
            other = surplus or "no such leaf"
            raise NotCheckableError(
                f"by_hand must return the tree of params, but where {name} was expected it has {other}; {remedy}"
            )
        if np.shape(found[path]) != shape:
            raise NotCheckableError(
                f"by_hand must return the shapes of params, but {name} is {list(np.shape(found[path]))} "
                f"where {list(shape)} was expected; {remedy}"
            )
        if not (is_floating(found[path]) or is_integral(found[path])):
            raise NotCheckableError(
                f"by_hand must return numbers, but {name} is {describe_value(found[path])}; {remedy}"
            )
    if surplus is not None:
        raise NotCheckableError(
            f"by_hand must return the tree of params, but it has {surplus}, which params has not; {remedy}"
        )
    return [found[path] for path in wanted]
