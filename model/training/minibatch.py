"""The training program for minibatches: one restart after the other, each until its validation loss stops falling."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Key

from model.arrays import Array
from model.ensembles import bin_inputs
from model.hyperparameters import Hyperparameters
from model.network import loss
from model.training.batch_steps import Batch, MinibatchSettings, batch_of_rows, better_of, own_rows, update_by_batch
from model.training.compilation import jit_quickly
from model.training.mesh import EVERYWHERE, map_chunks, over_mesh
from model.training.shuffle import shuffle
from model.training.state import RECORD_CAPACITY, Best, State
from model.training.validation_split import Rows


class Restarts(NamedTuple):
    """The restarts that a program trains.

    Attributes:
        indices: [restarts], which restart of its run each is.
        folds: [restarts], which fold each has.
        decay: [restarts], the share of itself by which each weight shrinks in a step.
        runs: [restarts], which run each belongs to.
    """

    indices: Int[Array, " restarts"]
    folds: Int[Array, " restarts"]
    decay: Float[Array, " restarts"]
    runs: Int[Array, " restarts"]


def describe_restarts(first: int, size: int, folds: int, hyperparameters: Hyperparameters) -> Restarts:
    """The restarts of a share.

    Args:
        first: the number of the first of them among all.
        size: how many there are.
        folds: how many folds there are; they take them in turn.
        hyperparameters: of which the weight decay and the learning rate count.

    Returns:
        The restarts, with arrays of NumPy.

    Example:
        >>> describe_restarts(8, 3, 2, Hyperparameters(weight_decay=(0.0, 100.0))).folds.tolist()
        [0, 1, 0]
    """
    h, numbers = hyperparameters, np.arange(size, dtype=np.int32)
    rounds, own_folds = np.divmod(numbers, folds)
    turns = (own_folds + rounds) % len(h.weight_decay)  # so that the restarts of a fold have different ones
    decay = np.asarray(h.weight_decay, np.float32)[turns] * np.float32(h.learning_rate)
    return Restarts(first + numbers, own_folds, decay, np.zeros_like(numbers))


class EpochCounts(NamedTuple):
    """How far training is.

    Attributes:
        done: how many epochs were done before.
        total: how many epochs training has, for the schedule.
        patience: a restart ends after so many epochs without a smaller validation loss.
    """

    done: int | Int[Array, ""]
    total: int | Int[Array, ""]
    patience: int | Int[Array, ""]


def train_in_minibatches(
    state: State,
    restarts: Restarts,
    count: int | Int[Array, ""],
    rows: Rows,
    progress: EpochCounts,
    num_epochs: int | Int[Array, ""],
    keys: Key[Array, " runs"],
    settings: MinibatchSettings,
) -> tuple[State, jax.Array]:
    """Train every restart for more epochs. One that has ended stays as it is.

    The rows of a step are shared among the devices of the mesh, which is a group of devices.

    Args:
        state: of these restarts, as `initial_state` makes it.
        restarts: which ones.
        count: how many of them are trained; the others are padding.
        rows: to learn from and to validate, on every device.
        progress: how far training is.
        num_epochs: how many epochs to train, from 0 to RECORD_CAPACITY.
        keys: of each run. The order of the rows depends on it, on the restart and on the epoch, and on nothing else.
        settings: what the program is compiled for.

    Returns:
        The state, and the training and the validation loss after each epoch, [restarts, RECORD_CAPACITY, 2], of which
        the first num_epochs are filled. A training loss is the mean over the epoch's batches, each before its own
        step. NaN stands for the losses of a restart that had ended, and for validation if no rows are held out.
    """
    share = over_mesh(partial(_train_share, settings=settings), settings.mesh, [EVERYWHERE] * 7)
    trained: tuple[State, jax.Array] = share(state, restarts, count, rows, progress, num_epochs, keys)
    return trained


def _train_share(
    state: State,
    restarts: Restarts,
    count: jax.Array,
    rows: Rows,
    progress: EpochCounts,
    num_epochs: jax.Array,
    keys: jax.Array,
    *,
    settings: MinibatchSettings,
) -> tuple[State, jax.Array]:
    """What each device computes on its rows of a step."""

    def restart(arguments: tuple[State, Restarts]) -> tuple[State, jax.Array]:
        state, restart = arguments
        key = keys[restart.runs]
        step_epoch = partial(_epoch, rows=rows, restart=restart, settings=settings, progress=progress, key=key)

        def record(index: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
            state, recorded = carry
            epoch = jnp.asarray(progress.done + index)
            if state.best is None:
                state, losses = step_epoch(state, epoch)
            else:
                has_ended = epoch - state.best.epoch >= progress.patience
                unchanged = (state, jnp.full(2, jnp.nan))
                state, losses = jax.lax.cond(has_ended, lambda: unchanged, lambda: step_epoch(state, epoch))
            return state, recorded.at[index].set(losses)

        start = (state, jnp.zeros((RECORD_CAPACITY, 2)))
        result: tuple[State, jax.Array] = jax.lax.fori_loop(0, num_epochs, record, start)
        return result

    trained: tuple[State, jax.Array] = map_chunks(restart, (state, restarts), count)
    return trained


# The same, compiled: with XLA's fusion emitters, which make narrow layers a tenth faster; and with the quick options,
# with which compiling takes half the time and memory, and wide layers are up to a quarter faster.
train_minibatches = jax.jit(train_in_minibatches, static_argnames="settings")
train_minibatches_compiled_quickly = jit_quickly(train_in_minibatches, "settings")


def _epoch(
    state: State,
    epoch: jax.Array,
    *,
    rows: Rows,
    restart: Restarts,
    settings: MinibatchSettings,
    progress: EpochCounts,
    key: Key[Array, ""],
) -> tuple[State, jax.Array]:
    """One pass over the rows, and the validation after it. Returns the state and both losses."""
    row_count = jnp.asarray(rows.learned)[restart.folds]
    steps = -(-row_count // settings.batch_size)
    key = jax.random.fold_in(jax.random.fold_in(key, restart.indices), epoch)
    order = shuffle(jnp.asarray(rows.order)[restart.folds], row_count, key=key)

    def step(index: jax.Array, carry: Any) -> Any:
        first = jnp.minimum(index * settings.batch_size, row_count - settings.batch_size)
        batch = batch_of_rows(rows, *own_rows(order, first, settings), restart.folds, key)
        done = (epoch + index / steps) / progress.total
        return update_by_batch(carry, batch, done, settings, restart.decay)

    start = (state.params, state.opt_state, jnp.zeros(()))
    params, opt_state, total = jax.lax.fori_loop(0, steps, step, start)
    if rows.held_out is None or state.best is None:
        return State(params, opt_state), jnp.stack([total / steps, jnp.nan])
    held_out = _batch_held_out(rows, restart.folds)
    validation = loss(params, **held_out._asdict(), network=settings.network)
    best = better_of(state.best, Best(params, validation, epoch + 1))
    return State(params, opt_state, best), jnp.stack([total / steps, validation])


def _batch_held_out(rows: Rows, fold: Array) -> Batch:
    """The rows that a fold holds out."""
    assert rows.held_out is not None
    held_out = jnp.asarray(rows.held_out.rows)[fold]
    weights = jnp.asarray(rows.held_out.weights)[fold]
    return Batch(bin_inputs(rows.x[held_out], rows.bins), rows.y[held_out], weights)
