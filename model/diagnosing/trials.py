"""Trials: whether a change helps, compared with no change and with random changes of the same length."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Float, Key

from model.arrays import Array
from model.diagnosing.activity import is_solved, stack_networks
from model.diagnosing.findings import Trial
from model.diagnosing.slope_suspicions import slope_of
from model.hyperparameters import Hyperparameters, replace
from model.network import Network, Params, as_layers, logits, parameter_count
from model.pytrees import flatten
from model.tables.table import Table
from model.training.full_batch import FullBatchSettings, train_full_batch
from model.training.optimizers import optimizer_without_rate
from model.training.state import State, map_restarts

# Random changes that a change is compared with.
RANDOM_CHANGES = 20
# A loss is smaller only if it is so by more than this share.
MARGIN = 0.01


class Outcomes(NamedTuple):
    """Where training leads several networks.

    Attributes:
        losses: [networks], after training.
        solved: [networks], whether the table is solved then.
    """

    losses: Float[np.ndarray, " networks"]
    solved: np.ndarray


def try_change(
    params: Params,
    changed: Params | None,
    learning_rate: float | None,
    table: Table,
    network: Network,
    hyperparameters: Hyperparameters,
    *,
    key: Key[Array, ""],
) -> Trial:
    """Train after a change, after random changes of the same length, and without a change, all side by side.

    A learning rate changes no params. Its length is that of the difference that it makes to the first step.

    Args:
        params: of the network that is stuck.
        changed: the changed params; None if only the learning rate is changed.
        learning_rate: the changed learning rate; None if it stays. Random changes keep the old one.
        table: the rows. All are in every step.
        network: the description of the network.
        hyperparameters: how each is trained, and for how many epochs.
        key: of the random changes.

    Returns:
        What came of it.
    """
    start = flatten(jax.tree.leaves(params))
    length = (
        float(np.linalg.norm(flatten(jax.tree.leaves(changed)) - start))
        if learning_rate is None
        else abs(learning_rate - hyperparameters.learning_rate) * slope_of(params, table, network).gradient
    )
    rivals = [params, *random_changes(params, length, network, key=key)]
    outcomes = train_further([changed or params, *rivals], table, network, hyperparameters)
    tried = outcomes
    if learning_rate is not None:
        tried = train_further(
            [params] * (len(rivals) + 1), table, network, replace(hyperparameters, learning_rate=learning_rate)
        )
    loss, solved, others = float(tried.losses[0]), bool(tried.solved[0]), outcomes.losses[1:]
    return Trial(
        epochs=hyperparameters.epochs,
        length=length,
        loss=loss,
        solved=solved,
        unchanged_loss=float(others[0]),
        unchanged_solved=bool(outcomes.solved[1]),
        random_losses=tuple(others[1:].tolist()),
        random_solved=int(outcomes.solved[2:].sum()),
        confirmed=not outcomes.solved[1] and (solved or loss < (1 - MARGIN) * float(others.min())),
    )


def random_changes(params: Params, length: float, network: Network, *, key: Key[Array, ""]) -> list[Params]:
    """Params changed by steps of one length in random directions.

    Args:
        params: of one network.
        length: the norm of each step.
        network: the description of the network.
        key: of the directions, each of which is as likely as any other.

    Returns:
        As many params as RANDOM_CHANGES.

    Example:
        >>> from model.network import Layer
        >>> params = [Layer(np.zeros((2, 1), np.float32), np.zeros(1, np.float32))]
        >>> changed = random_changes(params, 3.0, Network((2, 1)), key=jax.random.key(0))
        >>> len(changed), round(float(np.linalg.norm(flatten(jax.tree.leaves(changed[0])))), 4)
        (20, 3.0)
    """
    directions = np.asarray(jax.random.normal(key, (RANDOM_CHANGES, parameter_count(network))))
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    start = flatten(jax.tree.leaves(params))
    flat = (start + length * directions / lengths).astype(np.float32)
    return [jax.device_get(as_layers(each, network)) for each in flat]


def train_further(networks: list[Params], table: Table, network: Network, hyperparameters: Hyperparameters) -> Outcomes:
    """Train several networks side by side, with all rows in every step.

    Args:
        networks: the params of each.
        table: the rows.
        network: the description of each.
        hyperparameters: of which the optimizer, its learning rate, the clip and the epochs count.

    Returns:
        Where it leads them. A loss that is not a finite number is infinite.
    """
    # No learning rate needs another program.
    optimizer = optimizer_without_rate(hyperparameters.optimizer, hyperparameters.clip)
    params = jax.tree.map(lambda leaf: leaf[None], stack_networks(networks))
    settings = FullBatchSettings(network, optimizer)
    *opt_leaves, rate = jax.tree.leaves(opt_state := _initial(optimizer)(params))
    rates = np.full(rate.shape, hyperparameters.learning_rate, np.float32)
    state = State(params, jax.tree.unflatten(jax.tree.structure(opt_state), [*opt_leaves, rates]))
    state, recorded = train_full_batch(
        state, 1, table.x, table.y, table.weights, 1, hyperparameters.epochs, settings=settings
    )
    trained = jax.tree.map(lambda leaf: leaf[0], jax.device_get(state.params))
    losses = np.asarray(recorded)[0, 0].astype(np.float64)
    z = np.asarray(_logits(trained, table.x, network))
    solved = np.array([is_solved(z[..., index], table) for index in range(len(networks))])
    return Outcomes(np.where(np.isfinite(losses), losses, np.inf), solved)


def solves_by_itself(params: Params, table: Table, network: Network, hyperparameters: Hyperparameters) -> bool:
    """Whether more training solves the table, without any change.

    Args:
        params: of one network.
        table: the rows.
        network: the description of the network.
        hyperparameters: how it is trained, and for how many epochs.

    Returns:
        True if it does.
    """
    # As many networks as in a trial, so that no other program is compiled.
    return bool(train_further([params] * (RANDOM_CHANGES + 2), table, network, hyperparameters).solved[0])


_logits = jax.jit(logits)


@lru_cache(maxsize=64)
def _initial(optimizer: optax.GradientTransformation) -> Callable[[Params], Any]:
    """The state of the optimizer for each network of a chunk."""
    return jax.jit(jax.vmap(map_restarts(optimizer.init, True)))
