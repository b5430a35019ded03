"""`train_params`: training from given parameters, stretch by stretch, as a pure function."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Float, Int, Key

from model.arrays import Array, is_count
from model.hyperparameters import Hyperparameters
from model.network import Layer, Network, Params
from model.tables.table import Table
from model.training.full_batch import FullBatchSettings, train_few_rows
from model.training.initial_params import init_params
from model.training.mesh import EVERYWHERE, mesh_of_one, place
from model.training.optimizers import optimizer_without_rate
from model.training.state import RECORD_CAPACITY, State
from model.training.validation_split import row_weights


class TrainedParams(NamedTuple):
    """What `train_params` returns.

    Attributes:
        params: the parameters after the last epoch, in NumPy's float32.
        opt_state: the leaves of the optimizer's state, to go on from; none for sgd.
        epochs: [records], after how many epochs of this call each loss was recorded, from 1. The last one is the last
            epoch.
        losses: [records], the losses; not finite if training has diverged.
    """

    params: Params
    opt_state: list[np.ndarray]
    epochs: Int[np.ndarray, " records"]
    losses: Float[np.ndarray, " records"]


def train_params(
    params: Params,
    network: Network,
    table: Table,
    *,
    epochs: int,
    optimizer: str = "sgd",
    learning_rate: float = Hyperparameters().learning_rate,
    opt_state: list[np.ndarray] | None = None,
    records: int = 1,
) -> TrainedParams:
    """Train one network from given parameters, with all rows in every step.

    It is pure. Stretches that follow each other give the same bits as one call, whatever else differs in their records.
    Neither the learning rate nor the numbers of epochs and records need another program.

    Args:
        params: where training starts.
        network: the description of the network.
        table: what is learned from.
        epochs: how many epochs are done, from 1. Each is one step.
        optimizer: sgd, momentum (with 0.9), or adam.
        learning_rate: above 0.
        opt_state: the leaves of the optimizer's state that the stretch before returned; None at the start.
        records: how many losses are recorded, from 1 to 1,024: after equal numbers of epochs, as far as that is
            possible, and after the last epoch. With fewer epochs there are fewer.

    Returns:
        The parameters, the state to go on from, and the losses.

    Raises:
        ValueError: if one of them is out of its range, or if params, network, table and opt_state do not fit.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> params = [Layer(np.zeros((2, 1), np.float32), np.zeros(1, np.float32))]
        >>> trained = train_params(params, Network((2, 1)), truth_table("or"), epochs=1000, records=2)
        >>> trained.epochs.tolist(), trained.losses.round(4).tolist()
        ([500, 1000], [0.404..., 0.342...])
    """
    _check(epochs, records, optimizer, learning_rate)
    placed: Params = [Layer(*(np.asarray(leaf, np.float32)[None] for leaf in layer)) for layer in params]
    own = optimizer_without_rate(optimizer)
    state = State(placed, _opt_state(own, network, opt_state, learning_rate))
    state, found_epochs, losses = _advance(state, network, own, table, epochs, records)
    trained = jax.tree.map(lambda leaf: np.asarray(leaf[0]), jax.device_get(state))
    # The last leaf is the learning rate.
    return TrainedParams(trained.params, jax.tree.leaves(trained.opt_state)[:-1], found_epochs, losses[0])


def train_starts(
    network: Network,
    table: Table,
    *,
    key: Key[Array, ""],
    starts: int,
    epochs: int,
    init: str = "normal",
    optimizer: str = "sgd",
    learning_rate: float = Hyperparameters().learning_rate,
) -> tuple[Params, Float[np.ndarray, " starts"]]:
    """Train from several random starts, each as `train_params` does.

    Args:
        network: the description of the network.
        table: what is learned from.
        key: start i begins at `init_params` with `jax.random.fold_in(key, i)`.
        starts: how many, from 1.
        epochs: how many epochs each is trained, from 1.
        init: normal or he.
        optimizer: sgd, momentum or adam.
        learning_rate: above 0.

    Returns:
        The trained params, whose leaves have a first axis of the starts, and the losses.

    Raises:
        ValueError: if one of them is out of its range, or if network and table do not fit.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> found, losses = train_starts(Network((2, 1)), truth_table("or"), key=jax.random.key(0), starts=3, epochs=10)
        >>> found[0].weight.shape, losses.shape
        ((3, 2, 1), (3,))
    """
    _check(epochs, 1, optimizer, learning_rate)
    if not is_count(starts):
        raise ValueError(f"starts must be a whole number of at least 1, not {starts!r:.40}")
    own = optimizer_without_rate(optimizer)
    # Each by itself, because a compiled program for all of them would round differently.
    drawn = [init_params(network, key=jax.random.fold_in(key, index), init=init) for index in range(starts)]
    params: Params = jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(drawn))
    opt_state = _opt_state(own, network, None, learning_rate)
    state = State(params, jax.tree.map(lambda leaf: np.repeat(leaf, starts, axis=0), opt_state))
    state, _, losses = _advance(state, network, own, table, epochs, 1)
    return jax.device_get(state.params), losses[:, -1]


def _advance(
    state: State, network: Network, optimizer: optax.GradientTransformation, table: Table, epochs: int, records: int
) -> tuple[State, np.ndarray, np.ndarray]:
    """Train for some epochs. Returns the state, after how many epochs losses were recorded, and [networks, records]."""
    advance = partial(train_few_rows, settings=FullBatchSettings(network, optimizer))
    rows = np.arange(len(table.y))
    weights = row_weights(table, rows, rows, False)
    # Where the program leaves it, so that a second call needs no other program.
    state = place(state, mesh_of_one(), EVERYWHERE)
    data = (len(state.params[0].bias), table.x, table.y, weights)
    size = -(-epochs // records)
    whole, rest = divmod(epochs, size)
    state, losses = advance(state, *data, whole, size)
    found = [np.asarray(losses)[:, :whole]]
    if rest:
        state, losses = advance(state, *data, 1, rest)
        found.append(np.asarray(losses)[:, :1])
    ends = size * np.arange(1, whole + 1)
    return state, np.append(ends, epochs) if rest else ends, np.concatenate(found, axis=1)


def opt_state_shapes(optimizer: str, network: Network) -> list[tuple[int, ...]]:
    """The shapes of the leaves of an optimizer's state for one network.

    Args:
        optimizer: sgd, momentum or adam.
        network: the description of the network.

    Returns:
        One shape for each leaf.

    Example:
        >>> opt_state_shapes("momentum", Network((2, 1)))
        [(2, 1), (1,)]
    """
    return [leaf.shape[1:] for leaf in jax.tree.leaves(_zero_state(optimizer_without_rate(optimizer), network))[:-1]]


def _opt_state(
    optimizer: optax.GradientTransformation,
    network: Network,
    opt_state: list[np.ndarray] | None,
    learning_rate: float,
) -> Any:
    """The state of the optimizer, with an axis for the chunk."""
    zeros = _zero_state(optimizer, network)
    leaves, structure = jax.tree.flatten(zeros)
    if opt_state is not None:
        shapes = [leaf.shape[1:] for leaf in leaves[:-1]]
        if [np.shape(leaf) for leaf in opt_state] != shapes:
            found = [list(np.shape(leaf)) for leaf in opt_state]
            raise ValueError(f"opt_state must have the shapes {[list(shape) for shape in shapes]}, not {found}")
        leaves[:-1] = [np.asarray(leaf, own.dtype)[None] for leaf, own in zip(opt_state, leaves[:-1], strict=True)]
    return jax.tree.unflatten(structure, [*leaves[:-1], np.full(1, learning_rate, np.float32)])


@lru_cache(maxsize=1024)
def _zero_state(optimizer: optax.GradientTransformation, network: Network) -> Any:
    """The state of every optimizer before its first step: zeros."""
    sizes = zip(network.sizes, network.sizes[1:], strict=False)
    params = [Layer(np.zeros((a, b), np.float32), np.zeros(b, np.float32)) for a, b in sizes]
    shapes = jax.eval_shape(optimizer.init, params)
    return jax.tree.map(lambda leaf: np.zeros((1, *leaf.shape), leaf.dtype), shapes)


def _check(epochs: int, records: int, optimizer: str, learning_rate: float) -> None:
    if not (is_count(epochs) and epochs < 2**31):
        raise ValueError(f"epochs must be a whole number from 1 to 2^31 - 1, not {epochs!r:.40}")
    if not (is_count(records) and records <= RECORD_CAPACITY):
        raise ValueError(f"records must be a whole number from 1 to {RECORD_CAPACITY:,}, not {records!r:.40}")
    Hyperparameters(optimizer=optimizer, learning_rate=learning_rate)
