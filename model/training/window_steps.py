"""The training programs for rows that come in windows: the steps of a window, and the end of an epoch."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Key

from model.arrays import Array
from model.ensembles import Bins, bin_inputs
from model.network import loss
from model.tables.table import Table
from model.training.batch_steps import MinibatchSettings, batch_of_rows, better_of, own_rows, update_by_batch
from model.training.mesh import EVERYWHERE, map_chunks, over_mesh
from model.training.minibatch import Restarts
from model.training.shuffle import shuffle
from model.training.state import Best, PartialEpoch, State
from model.training.validation_split import Fold, Rows, row_weights

# Rows held out whose loss is computed at a time, so that their bins need little memory.
VALIDATED_ROWS = 1_024


class WindowCounts(NamedTuple):
    """How far training is.

    Attributes:
        epoch: how many epochs were done before.
        window: how many windows of this epoch were done before.
        windows: how many windows an epoch has.
        total: how many epochs training has, for the schedule.
        patience: a restart ends after so many epochs without a smaller validation loss.
    """

    epoch: int | Int[Array, ""]
    window: int | Int[Array, ""]
    windows: int | Int[Array, ""]
    total: int | Int[Array, ""]
    patience: int | Int[Array, ""]


class HeldOutBatches(NamedTuple):
    """The rows that each fold holds out, in batches.

    Attributes:
        x: [folds, batches, rows, inputs], the inputs of the table.
        y: [folds, batches, rows].
        weights: [folds, batches, rows], as `loss` takes them; 0 for a row of padding.
    """

    x: Float[Array, "folds batches rows inputs"]
    y: Float[Array, "folds batches rows"]
    weights: Float[Array, "folds batches rows"]


def place_held_out(table: Table, folds: tuple[Fold, ...], class_weights: bool) -> HeldOutBatches:
    """The rows held out, on the device.

    Args:
        table: what is learned from.
        folds: the splits, each of which holds rows out.
        class_weights: whether all classes count the same.

    Returns:
        The rows in batches. The mean loss of all batches is that of the rows held out.
    """
    most = max(len(fold.held_out) for fold in folds)
    batch = min(most, VALIDATED_ROWS)
    batches = -(-most // batch)
    shape = (len(folds), batches * batch)
    x = np.zeros((*shape, table.input_count), np.float32)
    y, weights = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for index, fold in enumerate(folds):
        own = slice(len(fold.held_out))
        x[index, own], y[index, own] = table.inputs(fold.held_out), table.y[fold.held_out]
        learn = fold.learn if class_weights else fold.held_out
        factors = row_weights(table, learn, fold.held_out, class_weights)
        weights[index, own] = (1.0 if factors is None else factors) * (shape[1] / len(fold.held_out))
    in_batches = (array.reshape(len(folds), batches, batch, *array.shape[2:]) for array in (x, y, weights))
    placed: HeldOutBatches = jax.device_put(HeldOutBatches(*in_batches))
    return placed


def _train_window(
    state: State,
    restarts: Restarts,
    count: int | Int[Array, ""],
    rows: Rows,
    counts: WindowCounts,
    key: Key[Array, ""],
    settings: MinibatchSettings,
    is_short: bool = False,
) -> State:
    """Take every restart through the rows of a window. One that has ended stays as it is.

    Args:
        state: of these restarts, with a partial epoch.
        restarts: which ones.
        count: how many of them are trained; the others are padding.
        rows: of the window.
        counts: how far training is.
        key: the order of the rows depends on it, on the restart, on the epoch and on the window, and on nothing else.
        settings: what the program is compiled for.
        is_short: whether a fold learns from fewer of the rows than a batch has. Such a batch has rows of no weight.

    Returns:
        The state.
    """

    def share(
        state: State, restarts: Restarts, count: jax.Array, rows: Rows, counts: WindowCounts, key: jax.Array
    ) -> State:
        take_steps = partial(_take_steps, rows=rows, settings=settings, counts=counts, key=key, is_short=is_short)

        def restart(arguments: tuple[State, Restarts]) -> State:
            state, restart = arguments
            has_ended = _has_ended(state, counts)
            trained: State = jax.lax.cond(has_ended, lambda: state, lambda: take_steps(state, restart))
            assert trained.partial is not None
            windows = jnp.asarray(counts.window + 1, jnp.int32)
            return trained._replace(partial=trained.partial._replace(windows=windows))

        result: State = map_chunks(restart, (state, restarts), count)
        return result

    trained: State = over_mesh(share, settings.mesh, [EVERYWHERE] * 6)(state, restarts, count, rows, counts, key)
    return trained


def _take_steps(
    state: State,
    restart: Restarts,
    *,
    rows: Rows,
    settings: MinibatchSettings,
    counts: WindowCounts,
    key: Key[Array, ""],
    is_short: bool,
) -> State:
    """One pass over the rows of a window that a restart learns from."""
    assert state.partial is not None
    count = jnp.asarray(rows.learned)[restart.folds]
    steps = -(-count // settings.batch_size)
    of_epoch = jax.random.fold_in(jax.random.fold_in(key, restart.indices), counts.epoch)
    # A single window is an epoch in memory, with the same order.
    own_key = jnp.where(jnp.asarray(counts.windows) > 1, jax.random.fold_in(of_epoch, counts.window), of_epoch)
    order = shuffle(jnp.asarray(rows.order)[restart.folds], jnp.maximum(count, 1), key=own_key)

    def step(index: jax.Array, carry: Any) -> Any:
        first = jnp.maximum(jnp.minimum(index * settings.batch_size, count - settings.batch_size), 0)
        limit = jnp.clip(count, 1, settings.batch_size) if is_short else None
        batch = batch_of_rows(rows, *own_rows(order, first, settings, limit), restart.folds, own_key)
        done = (counts.window + index / steps) / counts.windows
        progress = jnp.asarray((counts.epoch + done) / counts.total)
        return update_by_batch(carry, batch, progress, settings, restart.decay)

    start = (state.params, state.opt_state, state.partial.total)
    params, opt_state, total = jax.lax.fori_loop(0, steps, step, start)
    return State(params, opt_state, state.best, PartialEpoch(state.partial.windows, state.partial.steps + steps, total))


def _end_epoch(
    state: State,
    restarts: Restarts,
    count: int | Int[Array, ""],
    held_out: HeldOutBatches | None,
    bins: Bins | None,
    counts: WindowCounts,
    settings: MinibatchSettings,
) -> tuple[State, jax.Array]:
    """Validate every restart after the last window of an epoch. One that has ended stays as it is.

    Args:
        state: of these restarts, with a partial epoch.
        restarts: which ones.
        count: how many of them count; the others are padding.
        held_out: the rows that validate; None if there are none.
        bins: how the inputs become those of the network; None if it sees them as they are.
        counts: how far training is.
        settings: what the program is compiled for.

    Returns:
        The state, and [restarts, 2], the training and the validation loss, as `train_in_minibatches` gives them.
    """
    network = settings.network

    def validate(state: State, fold: jax.Array) -> jax.Array:
        assert held_out is not None

        def batch_loss(batch: HeldOutBatches) -> jax.Array:
            return loss(state.params, bin_inputs(batch.x, bins), batch.y, network, batch.weights)

        own = HeldOutBatches(*(jnp.asarray(values)[fold] for values in held_out))
        losses: jax.Array = jax.lax.map(batch_loss, own)
        return jnp.mean(losses)

    def end(state: State, fold: jax.Array) -> tuple[State, jax.Array]:
        assert state.partial is not None
        training = state.partial.total / state.partial.steps
        if state.best is None:
            return state, jnp.stack([training, jnp.nan])
        validation = validate(state, fold)
        best = better_of(state.best, Best(state.params, validation, jnp.asarray(counts.epoch + 1, jnp.int32)))
        return state._replace(best=best), jnp.stack([training, validation])

    def restart(arguments: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        state, fold = arguments
        unchanged = (state, jnp.full(2, jnp.nan))
        ended: tuple[State, jax.Array] = jax.lax.cond(
            _has_ended(state, counts), lambda: unchanged, lambda: end(state, fold)
        )
        return ended[0]._replace(partial=jax.tree.map(jnp.zeros_like, state.partial)), ended[1]

    result: tuple[State, jax.Array] = map_chunks(restart, (state, jnp.asarray(restarts.folds)), jnp.asarray(count))
    return result


def _has_ended(state: State, counts: WindowCounts) -> jax.Array:
    return jnp.asarray(False if state.best is None else counts.epoch - state.best.epoch >= counts.patience)


train_window = jax.jit(_train_window, static_argnames=("settings", "is_short"))
end_epoch = jax.jit(_end_epoch, static_argnames="settings")
