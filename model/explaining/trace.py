"""Rows forwards and backwards through a network: every number on the way, as arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
from jaxtyping import Float, Num

from model.arrays import Array, shape_of
from model.gradients import backward_pass
from model.network import Network, Params, logits, loss
from model.tasks import TASKS

# The step of gradient descent that the guide takes.
LEARNING_RATE = 0.01


class Trace(NamedTuple):
    """What `trace` computes. `model.explaining.equations` says of every number what it is made of.

    Attributes:
        network: the description of the network.
        params: its parameters.
        learning_rate: of the step.
        inputs: for each layer, what it gets: [rows, inputs], first x, then the activations.
        preactivations: for each layer, its z: [rows, outputs]. The last one holds the logits.
        predictions: [rows, outputs], probabilities or numbers.
        targets: [rows, outputs], one-hot for classes.
        losses: [rows, outputs], or [rows, 1] in a multiclass task: the terms of which the loss is the mean.
        loss: a scalar.
        slopes: for each hidden layer, the derivative of the activation at z: [rows, outputs].
        deltas: for each layer, the derivative of the loss by z: [rows, outputs].
        grads: the derivative of the loss by each parameter.
        updated: the parameters after a step of gradient descent.
        loss_after: the loss of the same rows with these.
    """

    network: Network
    params: Params
    learning_rate: Any
    inputs: list[Any]
    preactivations: list[Any]
    predictions: Any
    targets: Any
    losses: Any
    loss: Any
    slopes: list[Any]
    deltas: list[Any]
    grads: Params
    updated: Params
    loss_after: Any


def trace(
    params: Params,
    x: Num[Array, "rows columns"],
    y: Num[Array, "rows *outputs"],
    network: Network,
    learning_rate: float | Float[Array, ""] = LEARNING_RATE,
) -> Trace:
    """A row, or several, forwards and backwards through a network, and one step of gradient descent.

    It is pure, and works under jit and vmap. Its numbers are those of `preactivations`, `predict`, `loss` and
    `chain_rule`. NaN in params or x is no error.

    Args:
        params: of one network.
        x: [rows, columns], at least one row.
        y: the targets as `loss` takes them.
        network: the description of the network.
        learning_rate: by which the gradient is multiplied before it is subtracted from the parameters.

    Returns:
        Every number, in arrays.

    Raises:
        ValueError: if params, x or y do not fit the network, or if there are no rows or several networks.

    Example:
        >>> import jax.numpy as jnp
        >>> from model.network import Layer
        >>> params = [Layer(jnp.array([[2.0]]), jnp.array([-1.0]))]
        >>> traced = trace(params, jnp.array([[0.5]]), jnp.array([1.0]), Network((1, 1)), learning_rate=1.0)
        >>> traced.preactivations[0].tolist(), traced.deltas[0].tolist(), traced.updated[0].weight.tolist()
        ([[0.0]], [[-0.5]], [[2.25]])
    """
    if any(layer.bias.ndim != 1 for layer in params):
        raise ValueError("params must be those of one network, and these have another axis; choose one")
    if shape_of("x", x)[:1] == (0,):
        raise ValueError("x must have at least one row, not none")
    value = loss(params, x, y, network)
    backward = backward_pass(params, x, y, network)
    updated = jax.tree.map(lambda value, slope: value - learning_rate * slope, params, backward.grads)
    return Trace(
        network=network,
        params=params,
        learning_rate=learning_rate,
        inputs=backward.inputs,
        preactivations=backward.preactivations,
        predictions=TASKS[network.task].predict(backward.preactivations[-1]),
        targets=backward.targets,
        losses=_losses(params, x, y, network),
        loss=value,
        slopes=backward.slopes,
        deltas=backward.deltas,
        grads=backward.grads,
        updated=updated,
        loss_after=loss(updated, x, y, network),
    )


def _losses(params: Params, x: Any, y: Any, network: Network) -> Any:
    task = TASKS[network.task]
    z = logits(params, x, network)
    losses = task.losses(z, task.shape_targets(z, y))
    return losses.reshape(len(x), -1)
