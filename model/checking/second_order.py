"""Hessian-vector products as functions, whose gradients are checked like those of any function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.directions import typical_scale
from model.pytrees import Tree


def hessian_vector_product(function: CheckedFunction, seed: int) -> Callable[..., jax.Array]:
    """The derivative of a function along a random direction, as a function of params and args.

    Its gradient is the Hessian times the direction.

    Args:
        function: at its point.
        seed: of the direction.

    Returns:
        A function that returns a scalar.
    """
    rng = np.random.default_rng(seed)
    with function.jax_settings():
        vector = function.unflatten(typical_scale(function) * rng.choice([-1.0, 1.0], function.flat.size))

    def product(params: Tree, *args: Any) -> jax.Array:
        leaves, structure = jax.tree.flatten(params)

        def scalar(point: list[Any]) -> Any:
            moved = list(leaves)
            for index, leaf in zip(function.floating, point, strict=True):
                moved[index] = leaf
            return function.weighted_sum(jax.tree.leaves(function.fun(jax.tree.unflatten(structure, moved), *args)))

        grads = jax.grad(scalar)([jnp.asarray(leaves[index]) for index in function.floating])
        return jnp.sum(jnp.stack([jnp.sum(grad * part) for grad, part in zip(grads, vector, strict=True)]))

    return product
