"""Hessian-vector products as functions, whose gradients are checked like those of any function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.directions import typical_scale
from model.checking.wrapped_functions import reverse_gradient
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

    def value(params: Tree, *args: Any) -> Any:
        return function.weighted_sum(jax.tree.leaves(function.fun(params, *args)))

    def product(params: Tree, *args: Any) -> jax.Array:
        grads = jax.tree.leaves(reverse_gradient(value)(params, *args))
        nudged = [grads[index] for index in function.floating]
        return jnp.sum(jnp.stack([jnp.sum(grad * part) for grad, part in zip(nudged, vector, strict=True)]))

    return product
