"""What every unit does on every row: its z, its output, how strongly it reacts, and where the loss wants it to go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from model.gradients import backward_pass
from model.network import Network, Params, loss, predict
from model.tables.table import Table
from model.tasks import TASKS

# A regression counts as solved if its loss is at most this share of the loss of the mean.
SOLVED_SHARE = 0.01
# A unit does not react to a row if its derivative there is less than this share of the largest one.
STILL_SHARE = 1e-3
# The largest derivative of each activation.
LARGEST_DERIVATIVES = {"relu": 1.0, "tanh": 1.0, "sigmoid": 0.25, "gelu": 1.129}


@dataclass(frozen=True)
class Unit:
    """A hidden unit. Both numbers count from 0, as in the names of parameters.

    Attributes:
        layer: the layer that computes it; its bias is `LAYER.bias[INDEX]`.
        index: which of the layer's units.
    """

    layer: int
    index: int


class Activity(NamedTuple):
    """One pass forward and one backward, on all rows.

    Attributes:
        zs: [rows, units] of each layer; the last one holds the logits.
        inputs: [rows, inputs] of each layer. So `inputs[layer + 1]` is what the units of a layer answer.
        reactions: [rows, units] of each hidden layer: the derivative of the activation, as a share of the largest.
        deltas: [rows, units] of each layer: the derivative of the loss by z.
        predictions: of each row, as `predict` returns them.
    """

    zs: list[np.ndarray]
    inputs: list[np.ndarray]
    reactions: list[np.ndarray]
    deltas: list[np.ndarray]
    predictions: np.ndarray

    def answers(self, unit: Unit) -> Float[np.ndarray, " rows"]:
        """What a hidden unit answers on each row."""
        answers: np.ndarray = self.inputs[unit.layer + 1][:, unit.index]
        return answers

    def units(self) -> list[Unit]:
        """All hidden units."""
        return [Unit(layer, index) for layer, each in enumerate(self.reactions) for index in range(each.shape[1])]


def activity_of(params: Params, table: Table, network: Network) -> Activity:
    """What a network does on the rows of a table.

    Args:
        params: of one network.
        table: the rows.
        network: the description of the network.

    Returns:
        The activity, in NumPy's arrays.

    Example:
        >>> from model.network import Layer
        >>> from model.tables.truth_tables import truth_table
        >>> params = [Layer(np.ones((2, 1), np.float32), np.full(1, -1.5, np.float32))]
        >>> params.append(Layer(np.ones((1, 1), np.float32), np.zeros(1, np.float32)))
        >>> activity_of(params, truth_table("and"), Network((2, 1, 1))).answers(Unit(0, 0)).tolist()
        [0.0, 0.0, 0.0, 0.5]
    """
    weights = np.ones(len(table.y), np.float32) if table.weights is None else table.weights
    activity: Activity = jax.device_get(_activity(params, table.x, table.y, weights, network))
    return activity


@jax.jit
def _activity(params: Params, x: Any, y: Any, weights: Any, network: Network) -> Activity:
    x = jnp.asarray(x, params[0].weight.dtype)
    found = backward_pass(params, x, y, network, weights)
    reactions = [slope / LARGEST_DERIVATIVES[network.activation] for slope in found.slopes]
    return Activity(found.preactivations, found.inputs, reactions, found.deltas, predict(params, x, network))


def losses_of(networks: list[Params], table: Table, network: Network) -> Float[np.ndarray, " networks"]:
    """The loss of several networks, side by side.

    Args:
        networks: the params of each, at least one.
        table: the rows.
        network: the description of each.

    Returns:
        [networks], the losses.
    """
    size = 1 << (len(networks) - 1).bit_length()  # so that few programs are compiled
    padded = stack_networks([*networks, *[networks[0]] * (size - len(networks))])
    return np.asarray(_losses(padded, table.x, table.y, network, table.weights))[: len(networks)]


_losses = jax.jit(loss)


def stack_networks(networks: list[Params]) -> Params:
    """The params of several networks, with a trailing axis of restarts.

    Args:
        networks: the params of each, at least one.

    Returns:
        The params as `loss` takes them for restarts side by side.
    """
    stacked: Params = jax.tree.map(lambda *leaves: np.stack(leaves, axis=-1).astype(np.float32), *networks)
    return stacked


def is_solved(z: Float[np.ndarray, "rows *outputs"], table: Table) -> bool:
    """Whether the logits of a network solve a table.

    Args:
        z: the logits of every row.
        table: the rows.

    Returns:
        True if the label of every row is right; in a regression, if the loss is at most 1 % of the loss of the mean.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> is_solved(np.array([-1.0, 2.0, 0.1, -3.0]), truth_table("xor"))
        True
    """
    task = TASKS[table.task]
    if not np.isfinite(z).all():
        return False
    if task.output_per_class:
        return bool(np.all(z.argmax(axis=1) == table.y))
    if task.has_classes:
        return bool(np.all((z >= 0) == (table.y > 0.5)))
    weights = table.weights
    spread = np.average(np.square(table.y - np.average(table.y, weights=weights)), weights=weights)
    return bool(np.average(np.square(z - table.y), weights=weights) <= SOLVED_SHARE * spread)
