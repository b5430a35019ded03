"""The training program for all rows at once: restarts side by side, in chunks that fit the processor's cache."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Float, Int

from model.arrays import Array
from model.network import Network, Params, loss
from model.training.compilation import jit_quickly
from model.training.mesh import BY_ROW, EVERYWHERE, map_chunks, mean_over_rows, over_mesh
from model.training.optimizers import apply_schedule
from model.training.state import RECORD_CAPACITY, State, map_restarts


class FullBatchSettings(NamedTuple):
    """What a training program is compiled for.

    Attributes:
        network: the description of the network.
        optimizer: of Optax.
        schedule: of the learning rate: constant or cosine.
        mesh: the devices of a lane; None for a single one.
    """

    network: Network
    optimizer: optax.GradientTransformation
    schedule: str = "constant"
    mesh: Mesh | None = None


def _train(
    state: State,
    count: int | Int[Array, ""],
    x: Float[Array, "rows columns"],
    y: Float[Array, "rows *outputs"],
    weights: Float[Array, " rows"] | None,
    num_records: int | Int[Array, ""],
    epochs_per_record: int | Int[Array, ""],
    epochs_done: int | Int[Array, ""] = 0,
    total_epochs: int | Int[Array, ""] = 1,
    *,
    settings: FullBatchSettings,
) -> tuple[State, jax.Array]:
    """Train every restart for num_records × epochs_per_record epochs, each chunk from start to end before the next.

    The rows are shared among the devices of the mesh, which is a group of devices.

    The loop's body is a single update, because XLA compiles a small body into one function. Losses that the optimizer
    does not need are not computed in it.

    Args:
        state: of every restart, as `initial_state` makes it.
        count: how many chunks are trained; the others are padding.
        x: [rows, columns]; as many rows for each device.
        y: as `loss` takes it.
        weights: as `loss` takes them.
        num_records: how many losses are recorded, from 0 to RECORD_CAPACITY.
        epochs_per_record: after how many epochs each, from 1.
        epochs_done: how many epochs were done before; only a schedule needs it.
        total_epochs: how many epochs training has; only a schedule needs it.
        settings: what the program is compiled for.

    Returns:
        The state, and the recorded losses [chunks, RECORD_CAPACITY, (restarts of a chunk)], of which the first
        num_records are filled.
    """
    specs = (EVERYWHERE, EVERYWHERE, BY_ROW, BY_ROW, BY_ROW, *[EVERYWHERE] * 4)
    share = over_mesh(partial(_train_share, settings=settings), settings.mesh, specs)
    trained: tuple[State, jax.Array] = share(
        state, count, x, y, weights, num_records, epochs_per_record, epochs_done, total_epochs
    )
    return trained


def _train_share(
    state: State,
    count: jax.Array,
    x: jax.Array,
    y: jax.Array,
    weights: jax.Array | None,
    num_records: jax.Array,
    epochs_per_record: jax.Array,
    epochs_done: jax.Array,
    total_epochs: jax.Array,
    *,
    settings: FullBatchSettings,
) -> tuple[State, jax.Array]:
    """What each device computes on its rows."""
    loss_fn = partial(loss, x=x, y=y, network=settings.network, weights=weights)
    step_epoch = partial(_epoch, loss_fn=loss_fn, settings=settings, total_epochs=total_epochs)

    def record(index: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        state, recorded = carry
        first = epochs_done + index * epochs_per_record if settings.schedule != "constant" else 0
        state = jax.lax.fori_loop(first, first + epochs_per_record, step_epoch, state)
        return state, recorded.at[index].set(mean_over_rows(loss_fn(state.params), settings.mesh))

    def chunk(state: State) -> tuple[State, jax.Array]:
        recorded = jnp.zeros((RECORD_CAPACITY, *state.params[0].bias.shape[1:]))
        carry: tuple[State, jax.Array] = jax.lax.fori_loop(0, num_records, record, (state, recorded))
        return carry

    result: tuple[State, jax.Array] = map_chunks(chunk, state, count)
    return result


train_full_batch = jax.jit(_train, static_argnames="settings")
# The same program, which compiles in a third of the time and is about as fast for tables of a few rows.
train_few_rows = jit_quickly(_train, "settings")


def _epoch(
    index: jax.Array,
    state: State,
    *,
    loss_fn: Callable[[Params], jax.Array],
    settings: FullBatchSettings,
    total_epochs: int | Array,
) -> State:
    """One update of every restart of a chunk. index: how many epochs were done before, if there is a schedule."""
    optimizer = optax.with_extra_args_support(settings.optimizer)  # type: ignore[attr-defined]

    def total_loss(params: Params) -> tuple[jax.Array, jax.Array]:
        losses = loss_fn(params)
        return jnp.sum(losses), losses

    def update_one(grads: Params, opt_state: Any, params: Params, value: jax.Array) -> Any:
        return optimizer.update(grads, opt_state, params, value=value, grad=grads, value_fn=loss_fn)

    params, opt_state, *_ = state
    grads, losses = mean_over_rows(jax.grad(total_loss, has_aux=True)(params), settings.mesh)
    update = map_restarts(update_one, params[0].bias.ndim > 1)
    updates, opt_state = update(grads, opt_state, params, losses)
    updates = apply_schedule(updates, settings.schedule, index / total_epochs)
    return State(optax.apply_updates(params, updates), opt_state)  # type: ignore[arg-type]
