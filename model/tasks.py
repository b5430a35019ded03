"""What a network's outputs mean: for each task the prediction, the loss of a target, and its derivative by the logits.

All three losses are negative log-likelihoods (but for a factor) with the link that makes their derivative the
prediction less the target (Bishop, PRML, 4.3.6).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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

    predict: Callable[[Any], Any]
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


def either(of_jax: Callable[[Any], Any], of_numpy: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], Any]:
    """One function of both kinds of arrays: a NumPy array is answered with one, without JAX's time for a call.

    >>> type(either(jnp.tanh, np.tanh)(np.zeros(1))).__name__
    'ndarray'
    """
    return lambda z: of_numpy(z) if isinstance(z, np.ndarray) else of_jax(z)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), 0 where exp(-z) is more than its type can hold."""
    with np.errstate(over="ignore"):
        probability: np.ndarray = 1 / (1 + np.exp(-z))
    return probability


sigmoid = either(jax.nn.sigmoid, _sigmoid)


def residual(z: Float[Array, "*shape"], y: Num[Array, "*_"]) -> Float[Any, "*shape"]:
    """The derivative of `cross_entropy` by the logit, σ(z) - y: prediction less target (Bishop, PRML, 4.91 and 5.18).

    >>> residual(jnp.array([0.0, 1e4]), jnp.array([1.0, 1.0])).tolist()
    [-0.5, 0.0]
    """
    return sigmoid(z) - y


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


def _softmax_of_numpy(z: np.ndarray) -> np.ndarray:
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


_softmax = either(partial(jax.nn.softmax, axis=1), _softmax_of_numpy)


def softmax(z: Float[Array, "rows classes *rest"]) -> Float[Any, "rows classes *rest"]:
    """exp(z) / Σ exp(z) over the classes: a probability for each, which sum to 1 (Bishop, PRML, 4.104).

    >>> softmax(jnp.array([[0.0, 0.0], [1e4, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    return _softmax(z)


def softmax_residual(z: Float[Array, "rows classes *rest"], y: Num[Array, "rows classes *_"]) -> Any:
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
    "binary": Task(sigmoid, cross_entropy, residual),
    "multiclass": Task(softmax, softmax_cross_entropy, softmax_residual),
    "regression": Task(lambda z: z, squared_error, lambda z, y: 2 * (z - y)),
}
