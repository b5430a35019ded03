"""The training program for minibatches: one restart after the other, each until its validation loss stops falling."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Float, Int, Key

from model.arrays import Array
from model.ensembles import bin_inputs
from model.network import Network, loss
from model.training.compilation import jit_quickly
from model.training.masking import mask
from model.training.mesh import DATA, EVERYWHERE, map_chunks, mean_over_rows, over_mesh
from model.training.optimizers import apply_schedule, decay_weights
from model.training.shuffle import shuffle
from model.training.state import RECORD_CAPACITY, Best, State
from model.training.validation_split import Rows


class MinibatchSettings(NamedTuple):
    """What a training program is compiled for.

    Attributes:
        network: the description of the network.
        optimizer: of Optax.
        schedule: of the learning rate: constant or cosine.
        batch_size: rows in a step, from 1 to the rows that are learned from.
        mesh: the devices of a lane; None for a single one.
    """

    network: Network
    optimizer: optax.GradientTransformation
    schedule: str
    batch_size: int
    mesh: Mesh | None = None


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


class _Batch(NamedTuple):
    """The rows of a step, as `loss` takes them."""

    x: Array
    y: Array
    weights: Array | None


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


# The same, compiled: so that it runs as fast as it can, and so that compiling takes less time.
train_minibatches = jax.jit(train_in_minibatches, static_argnames="settings")
train_minibatches_of_few_rows = jit_quickly(train_in_minibatches, "settings")


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
        indices, shares = _own_rows(order, first, settings)
        done = (epoch + index / steps) / progress.total
        return _step(carry, _batch(rows, indices, shares, restart.folds, key), done, settings, restart.decay)

    start = (state.params, state.opt_state, jnp.zeros(()))
    params, opt_state, total = jax.lax.fori_loop(0, steps, step, start)
    if rows.held_out is None or state.best is None:
        return State(params, opt_state), jnp.stack([total / steps, jnp.nan])
    held_out = _batch_held_out(rows, restart.folds)
    validation = loss(params, **held_out._asdict(), network=settings.network)
    best = _better(state.best, Best(params, validation, epoch + 1))
    return State(params, opt_state, best), jnp.stack([total / steps, validation])


def _better(best: Best, now: Best) -> Best:
    """Where the validation loss is smaller."""
    is_better = now.loss < best.loss
    better: Best = jax.tree.map(lambda new, old: jnp.where(is_better, new, old), now, best)
    return better


def _batch_held_out(rows: Rows, fold: Array) -> _Batch:
    """The rows that a fold holds out."""
    assert rows.held_out is not None
    held_out = jnp.asarray(rows.held_out.rows)[fold]
    weights = jnp.asarray(rows.held_out.weights)[fold]
    return _Batch(bin_inputs(rows.x[held_out], rows.bins), rows.y[held_out], weights)


def _own_rows(order: jax.Array, first: jax.Array, settings: MinibatchSettings) -> tuple[jax.Array, jax.Array | None]:
    """The rows of a batch that this device computes, and what to multiply their losses by; None for 1.

    The mean over the devices of the means over their rows is the mean over the batch.
    """
    size, devices = settings.batch_size, 1 if settings.mesh is None else settings.mesh.shape[DATA]
    if devices == 1:
        return jax.lax.dynamic_slice(order, (first,), (size,)), None
    own = -(-size // devices)
    places = jax.lax.axis_index(DATA) * own + jnp.arange(own)
    shares = jnp.where(places < size, own * devices / size, 0.0)
    return order[first + jnp.minimum(places, size - 1)], shares


def _batch(rows: Rows, indices: jax.Array, shares: jax.Array | None, fold: Array, key: jax.Array) -> _Batch:
    """The rows of a batch of a fold. The key of the epoch decides which values are hidden."""
    x = rows.x[indices]
    if rows.masking is not None:
        x = mask(x, rows.masking, indices, jax.random.bits(key))
    weights = None if rows.weights is None else rows.weights[fold, indices]
    if shares is not None:
        weights = shares if weights is None else shares * weights
    return _Batch(bin_inputs(x, rows.bins), rows.y[indices], weights)


def _step(carry: Any, batch: _Batch, progress: jax.Array, settings: MinibatchSettings, decay: Array) -> Any:
    """One update by a batch. The carry: params, opt_state, and the sum of the batches' losses."""
    params, opt_state, total = carry
    optimizer = optax.with_extra_args_support(settings.optimizer)  # type: ignore[attr-defined]
    value_fn = partial(loss, **batch._asdict(), network=settings.network)
    value, grads = mean_over_rows(jax.value_and_grad(value_fn)(params), settings.mesh)
    updates: Any
    updates, opt_state = optimizer.update(grads, opt_state, params, value=value, grad=grads, value_fn=value_fn)
    updates = apply_schedule(decay_weights(updates, params, decay), settings.schedule, progress)
    return optax.apply_updates(params, updates), opt_state, total + value
