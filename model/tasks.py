"""What a network's outputs mean: for each task the prediction, the loss, and the derivative of the loss.

The three losses are negative log-likelihoods, up to a factor. Each has the link function for which the derivative by
the logits is the prediction minus the target (Bishop, PRML, 4.3.6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Num

from model.arrays import Array, jax_or_numpy, shape_of

# The probability from which a label is the second of two classes: it is the likelier one.
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Task:
    """What differs between tasks. The network's outputs z are [rows] or [rows, outputs], then restarts, if any.

    Attributes:
        name: binary, multiclass or regression.
        has_classes: whether the target is a class; otherwise it is a number.
        output_per_class: whether the network has one output for each class.
        target_shape: the shape of y, in words that a message continues with the shape itself.
        baseline: the simplest prediction that knows only the targets.
        score: the metric by which a network and its baseline are compared; smaller is better.
        predict: z -> the predictions, of the same shape.
        losses: z, targets -> the loss of each target.
        residual: z, targets -> the derivative of the sum of the losses by z.
    """

    name: str
    has_classes: bool
    output_per_class: bool
    target_shape: str
    baseline: str
    score: str
    predict: Callable[[Any], Any]
    losses: Callable[[Any, Any], jax.Array]
    residual: Callable[[Any, Any], jax.Array]

    def output_count(self, class_count: int) -> int:
        """How many outputs a network needs for a target with so many classes."""
        return class_count if self.output_per_class else 1

    def class_count(self, output_count: int) -> int:
        """How many classes a network with so many outputs tells apart; 0 in a regression."""
        if self.output_per_class:
            return output_count
        return 2 if self.has_classes else 0

    def class_probabilities(self, predictions: Float[np.ndarray, "rows *classes"]) -> Float[np.ndarray, "rows classes"]:
        """The probability of every class, from the predictions of a task that has classes."""
        return predictions if self.output_per_class else np.stack([1 - predictions, predictions], axis=1)

    def class_indices(
        self, predictions: Float[np.ndarray, "rows *classes"], threshold: float = DEFAULT_THRESHOLD
    ) -> Int[np.ndarray, " rows"]:
        """The index of the class that is each row's label, from the predictions of a task that has classes.

        Of two classes it is the second from the threshold on, compared in float64; of several the likeliest.
        """
        if self.output_per_class:
            likeliest: np.ndarray = predictions.argmax(axis=1)
            return likeliest
        return np.where(np.asarray(predictions, np.float64) >= threshold, 1, 0)

    def shape_targets(self, z: Array, y: Num[Array, " *targets"], restart_axes: int = 0) -> jax.Array:
        """The targets in the shape of the logits, one-hot for classes.

        Args:
            z: the logits.
            y: the targets, as `model.network.loss` takes them.
            restart_axes: how many trailing axes of z are restarts, 0 or 1.

        Returns:
            Of the shape of z, with 1 in place of restarts. A class becomes a vector with 1 at the index of the class
            and 0 elsewhere.

        Raises:
            ValueError: if y does not have the shape that the task needs.

        Example:
            >>> TASKS["multiclass"].shape_targets(jnp.zeros((1, 3)), jnp.array([2])).tolist()
            [[0.0, 0.0, 1.0]]
        """
        shape = z.shape[: z.ndim - restart_axes]
        expected = shape[:1] if self.output_per_class else shape
        if shape_of("y", y) != expected:
            raise ValueError(f"y must have the {self.target_shape} {list(expected)}, not {list(y.shape)}")
        if self.output_per_class:
            y = y[:, None] == jnp.arange(shape[1])[None]
        return jnp.asarray(y.reshape(shape + (1,) * restart_axes), z.dtype)


@jax.custom_jvp
def cross_entropy(z: Float[Array, "*shape"], y: Num[Array, "*_"]) -> Float[jax.Array, "*shape"]:
    """The cross-entropy -y log σ(z) - (1 - y) log(1 - σ(z)) (Bishop, PRML, 4.90).

    It is computed as max(z, 0) - z y + log(1 + exp(-|z|)), in which nothing overflows and nothing cancels.

    Args:
        z: logits of any shape.
        y: targets from 0 to 1, of the same shape.

    Returns:
        The loss of each target, in nats.

    Example:
        >>> cross_entropy(jnp.array([1e4, -1e4, 30.0]), jnp.array([0.0, 0.0, 1.0])).tolist()
        [10000.0, 0.0, 9.357622912219837e-14]
    """
    return jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))


@cross_entropy.defjvp
def _cross_entropy_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[jax.Array, jax.Array]:
    (z, y), (dz, dy) = primals, tangents
    return cross_entropy(z, y), residual(z, y) * dz - z * dy


def _sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)); 0 where exp(-z) overflows."""
    with np.errstate(over="ignore"):
        probability: np.ndarray = 1 / (1 + np.exp(-z))
    return probability


sigmoid = jax_or_numpy(jax.nn.sigmoid, _sigmoid)


def residual(z: Float[Array, "*shape"], y: Num[Array, "*_"]) -> Float[Any, "*shape"]:
    """The derivative of `cross_entropy` by the logit: σ(z) - y, prediction minus target (Bishop, PRML, 4.91 and 5.18).

    Args:
        z: logits of any shape.
        y: targets from 0 to 1, of the same shape.

    Returns:
        The derivative for each target.

    Example:
        >>> residual(jnp.array([0.0, 1e4]), jnp.array([1.0, 1.0])).tolist()
        [-0.5, 0.0]
    """
    return sigmoid(z) - y


@jax.custom_jvp
def softmax_cross_entropy(z: Float[Array, "rows classes *rest"], y: Num[Array, "rows classes *_"]) -> jax.Array:
    """The cross-entropy -Σ y log softmax(z) over the classes (Bishop, PRML, 4.108).

    It is computed as log Σ exp(z - max z) - Σ y (z - max z), in which nothing overflows.

    Args:
        z: [rows, classes] logits, then restarts if there are any.
        y: [rows, classes], 1 for the class of the row and 0 for the others, or any probabilities.

    Returns:
        [rows], then restarts: the loss of each row, in nats.

    Example:
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


_softmax = jax_or_numpy(partial(jax.nn.softmax, axis=1), _softmax_of_numpy)


def softmax(z: Float[Array, "rows classes *rest"]) -> Float[Any, "rows classes *rest"]:
    """exp(z) / Σ exp(z) over the classes: a probability for each, which sum to 1 (Bishop, PRML, 4.104).

    Args:
        z: [rows, classes] logits, then restarts if there are any.

    Returns:
        Probabilities of the same shape.

    Example:
        >>> softmax(jnp.array([[0.0, 0.0], [1e4, 0.0]])).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
    """
    return _softmax(z)


def softmax_residual(z: Float[Array, "rows classes *rest"], y: Num[Array, "rows classes *_"]) -> Any:
    """The derivative of `softmax_cross_entropy` by the logits, softmax(z) Σ y - y (Bishop, PRML, 4.109).

    Args:
        z: [rows, classes] logits, then restarts if there are any.
        y: [rows, classes] probabilities.

    Returns:
        The derivative, of the shape of z.

    Example:
        >>> softmax_residual(jnp.zeros((1, 2)), jnp.array([[1.0, 0.0]])).tolist()
        [[-0.5, 0.5]]
    """
    return softmax(z) * jnp.sum(y, axis=1, keepdims=True) - y


def squared_error(z: Float[Array, "*shape"], y: Num[Array, "*_"]) -> Float[jax.Array, "*shape"]:
    """(z - y)², twice the term of Bishop, PRML, 5.14.

    Args:
        z: outputs of any shape.
        y: targets of the same shape.

    Returns:
        The loss of each target.

    Example:
        >>> squared_error(jnp.array([3.0]), jnp.array([1.0])).tolist()
        [4.0]
    """
    return jnp.square(z - y)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="binary",
            has_classes=True,
            output_per_class=False,
            target_shape="logits' shape",
            baseline="majority class",
            score="log loss",
            predict=sigmoid,
            losses=cross_entropy,
            residual=residual,
        ),
        Task(
            name="multiclass",
            has_classes=True,
            output_per_class=True,
            target_shape="shape of one class a row,",
            baseline="majority class",
            score="log loss",
            predict=softmax,
            losses=softmax_cross_entropy,
            residual=softmax_residual,
        ),
        Task(
            name="regression",
            has_classes=False,
            output_per_class=False,
            target_shape="outputs' shape",
            baseline="mean",
            score="RMSE",
            predict=lambda z: z,
            losses=squared_error,
            residual=lambda z, y: 2 * (z - y),
        ),
    )
}
