"""Functions made of a user's function: without what it returns beside the loss, and its gradient by reverse mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from model.checking.errors import NotCheckableError, describe_value
from model.pytrees import Tree, is_floating


def without_aux(fun: Callable[..., Any]) -> Callable[..., Any]:
    """The first of the two things that a function returns.

    Args:
        fun: returns a pair.

    Returns:
        A function of the same arguments. It raises NotCheckableError if fun returns no pair.

    Example:
        >>> without_aux(lambda x: (2 * x, "aux"))(3)
        6
    """

    def first(*args: Any) -> Any:
        result = fun(*args)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise NotCheckableError(
                f"with has_aux, fun must return a pair, but it returned {describe_value(result)}; leave has_aux out"
            )
        return result[0]

    return first


def reverse_gradient(fun: Callable[..., Any]) -> Callable[..., Tree]:
    """The gradient of a function's sum by its first argument.

    Args:
        fun: of a pytree, whose floating-point leaves count, and of other arguments.

    Returns:
        A function of the same arguments, which returns a pytree like the first.

    Example:
        >>> reverse_gradient(lambda p: p["x"] ** 2)({"x": jnp.float32(3)})["x"].item()
        6.0
    """

    def gradient(params: Tree, *args: Any) -> Tree:
        leaves, structure = jax.tree.flatten(params)
        floating = [index for index, leaf in enumerate(leaves) if is_floating(leaf)]

        def scalar(point: list[Any]) -> Any:
            moved = list(leaves)
            for index, leaf in zip(floating, point, strict=True):
                moved[index] = leaf
            return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(fun(jax.tree.unflatten(structure, moved), *args)))

        grads = jax.grad(scalar)([jnp.asarray(leaves[index]) for index in floating])
        for index, leaf in zip(floating, grads, strict=True):
            leaves[index] = leaf
        return jax.tree.unflatten(structure, leaves)

    return gradient
