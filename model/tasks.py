"""What a network's outputs mean: for each task the prediction, the loss of a target, and its derivative by the logits.

All three losses are negative log-likelihoods (but for a factor) with the link that makes their derivative the
prediction less the target (Bishop, PRML, 4.3.6).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

Array = jax.Array | np.ndarray


class Task(NamedTuple):
    """What distinguishes one task from another. z is [rows, outputs] or [rows], then what restarts there are.

    predict: z -> what is predicted, of the same shape. losses: z, targets -> the loss of each target. residual: the
    derivative of the sum of losses by z, written out for the chain rule.
    """

    predict: Callable[[Any], jax.Array]
    losses: Callable[[Any, Any], jax.Array]
    residual: Callable[[Any, Any], jax.Array]


@jax.custom_jvp
def cross_entropy(z: Float[Array, "*shape"], y: Num[Array, "*_"]) -> Float[jax.Array, "*shape"]:
    """-y log σ(z) - (1 - y) log(1 - σ(z)) of each logit z and target y (Bishop, PRML, 4.90), written so that nothing
    overflows and nothing cancels: max(z, 0) - z y + log(1 + exp(-|z|)).

    >>> cross_entropy(jnp.array([1e4, -1e4, 30.0]), jnp.array([0.0, 0.0, 1.0])).tolist()
    [10000.0, 0.0, 9.357622912219837e-14]
    """
    return jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))


@cross_entropy.defjvp
def _cross_entropy_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[jax.Array, jax.Array]:
    (z, y), (dz, dy) = primals, tangents
    return cross_entropy(z, y), residual(z, y) * dz - z * dy


def residual(z: Float[Array, "*shape"], y: Num[Array, "*_"]) -> Float[jax.Array, "*shape"]:
    """The derivative of `cross_entropy` by the logit, σ(z) - y: prediction less target (Bishop, PRML, 4.91 and 5.18).

    >>> residual(jnp.array([0.0, 1e4]), jnp.array([1.0, 1.0])).tolist()
    [-0.5, 0.0]
    """
    return jax.nn.sigmoid(z) - y


@jax.custom_jvp
def softmax_cross_entropy(z: Float[Array, "rows classes *rest"], y: Num[Array, "rows classes *_"]) -> jax.Array:
    """-Σ y log softmax(z) over the classes (Bishop, PRML, 4.108): log Σ exp(z - max z) - Σ y (z - max z),
    [rows, *rest].

    y: 1 at each row's class and else 0, or any probabilities.

    >>> softmax_cross_entropy(jnp.array([[0.0, 0.0], [1e4, 0.0]]), jnp.array([[1, 0], [0, 1]])).tolist()
    [0.6931471824645996, 10000.0]
    """
    shifted = z - jnp.max(z, axis=1, keepdims=True)
    return jnp.log(jnp.sum(jnp.exp(shifted), axis=1)) * jnp.sum(y, axis=1) - jnp.sum(y * shifted, axis=1)


@softmax_cross_entropy.defjvp
def _softmax_cross_entropy_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Any, Any]:
    (z, y), (dz, dy) = primals, tangents
    by_target = jnp.sum(jax.nn.log_softmax(z, axis=1) * dy, axis=1)
    return softmax_cross_entropy(z, y), jnp.sum(softmax_residual(z, y) * dz, axis=1) - by_target


def softmax(z: Float[Array, "rows classes *rest"]) -> Float[jax.Array, "rows classes *rest"]:
    """exp(z) / Σ exp(z) over the classes: a probability for each, which sum to 1 (Bishop, PRML, 4.104).

    >>> softmax(jnp.array([[0.0, 0.0], [1e4, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    return jax.nn.softmax(z, axis=1)


def softmax_residual(z: Float[Array, "rows classes *rest"], y: Num[Array, "rows classes *_"]) -> jax.Array:
    """The derivative of `softmax_cross_entropy` by the logits, softmax(z) Σ y - y (Bishop, PRML, 4.109).

    >>> softmax_residual(jnp.zeros((1, 2)), jnp.array([[1.0, 0.0]])).tolist()
    [[-0.5, 0.5]]
    """
    return softmax(z) * jnp.sum(y, axis=1, keepdims=True) - y


def squared_error(z: Float[Array, "*shape"], y: Num[Array, "*_"]) -> Float[jax.Array, "*shape"]:
    """(z - y)² (Bishop, PRML, 5.14, twice).

    >>> squared_error(jnp.array([3.0]), jnp.array([1.0])).tolist()
    [4.0]
    """
    return jnp.square(z - y)


TASKS: dict[str, Task] = {
    "binary": Task(jax.nn.sigmoid, cross_entropy, residual),
    "multiclass": Task(softmax, softmax_cross_entropy, softmax_residual),
    "regression": Task(jnp.asarray, squared_error, lambda z, y: 2 * (z - y)),
}
