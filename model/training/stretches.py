"""What training does on the device: the state of every restart, and the programs that take it through epochs.

Restarts share one program. `advance` takes all rows at once: it keeps restarts on the trailing axis of every array, in
chunks that fit the processor's cache, and takes each chunk through a stretch of epochs before the next.
`advance_by_batches` has chunks of one restart, which ends when its validation loss no longer falls.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, Int, Key

from model.network import Network, Params, as_layers, init_params, loss
from model.tasks import Array
from model.training.optimizers import decayed, scheduled
from model.training.shuffle import shuffled
from model.training.validation_split import Rows

# Restarts in a chunk: its parameters, gradients and updates stay in the first-level cache.
CHUNK = 64
# Losses that one call of `advance` can record.
CAPACITY = 1024


class Best(NamedTuple):
    """Where a restart's validation loss was smallest: its parameters, the loss, and after which epoch."""

    params: Params
    loss: Array
    epoch: Array


class State(NamedTuple):
    """What an epoch changes; every leaf is [chunks, …, restarts of a chunk], or [restarts, …] in chunks of one."""

    params: Params
    opt_state: Any
    best: Best | None = None


@partial(jax.jit, static_argnames=("optimizer", "restarts", "init", "by_batches", "validated"))
def initial_state(
    key: Key[Array, ""],
    network: Network,
    optimizer: optax.GradientTransformation,
    restarts: int,
    init: str = "normal",
    by_batches: bool = False,
    validated: bool = False,
) -> State:
    """The state before the first epoch. A last chunk that is not full is filled up with further restarts."""
    chunks = restarts if by_batches else -(-restarts // CHUNK)
    size = -(-restarts // chunks)

    def draw(restart: jax.Array) -> jax.Array:
        return ravel_pytree(init_params(network, key=jax.random.fold_in(key, restart), init=init))[0]

    flat = jax.lax.map(draw, jnp.arange(chunks * size)).reshape(chunks, size, -1)
    by_chunk = flat[:, 0] if size == 1 else jnp.moveaxis(flat, 1, -1)
    params = jax.vmap(partial(as_layers, network=network))(by_chunk)
    best = Best(params, jnp.full(restarts, jnp.inf, jnp.float32), jnp.zeros(restarts, jnp.int32)) if validated else None
    return State(params, jax.vmap(_over_restarts(optimizer.init, size > 1))(params), best)


@cache
def shapes_of_state(*arguments: Any) -> State:
    """The shapes and types of `initial_state`'s result for its arguments after the key, traced once for each."""
    shapes: State = jax.eval_shape(lambda: initial_state(jax.random.key(0), *arguments))
    return shapes


def _over_restarts(function: Any, several: bool) -> Any:
    """Map over the trailing axis, where there is one, so that an optimizer sees one network at a time."""
    return jax.vmap(function, in_axes=-1, out_axes=-1) if several else function


@partial(jax.jit, static_argnames=("optimizer", "schedule"))
def advance(
    state: State,
    x: Float[Array, "rows columns"],
    y: Float[Array, "rows *outputs"],
    network: Network,
    optimizer: optax.GradientTransformation,
    blocks: int | Int[Array, ""],
    block: int | Int[Array, ""],
    schedule: str = "constant",
    progress: tuple[Any, Any] = (0, 1),
) -> tuple[State, jax.Array]:
    """Take every restart through `blocks` blocks of `block` epochs. progress: epochs done so far, and all there are.

    Returns the state and the losses after each block, [chunks, CAPACITY, (restarts)], of which `blocks` are filled.
    The loop's body is kept to one update: XLA compiles a small one into a single function. The losses that an optimizer
    does not ask for are not computed in it.
    """
    general = optax.with_extra_args_support(optimizer)  # type: ignore[attr-defined]
    done, epochs = progress

    def update_one(grads: Params, opt_state: Any, params: Params, value: jax.Array) -> Any:
        value_fn = partial(loss, x=x, y=y, network=network)
        return general.update(grads, opt_state, params, value=value, grad=grads, value_fn=value_fn)

    update = _over_restarts(update_one, state.params[0].bias.ndim > 2)

    def total_loss(params: Params) -> tuple[jax.Array, jax.Array]:
        losses = loss(params, x, y, network)
        return jnp.sum(losses), losses

    def epoch(index: jax.Array, state: State) -> State:
        params, opt_state, _ = state
        grads, losses = jax.grad(total_loss, has_aux=True)(params)
        updates, opt_state = update(grads, opt_state, params, losses)
        updates = scheduled(updates, schedule, index / epochs)
        return State(optax.apply_updates(params, updates), opt_state)  # type: ignore[arg-type]

    def block_of_epochs(index: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        state, recorded = carry
        first = done + index * block if schedule != "constant" else 0
        state = jax.lax.fori_loop(first, first + block, epoch, state)
        return state, recorded.at[index].set(loss(state.params, x, y, network))

    def chunk(state: State) -> tuple[State, jax.Array]:
        recorded = jnp.zeros((CAPACITY, *state.params[0].bias.shape[1:]))
        carry: tuple[State, jax.Array] = jax.lax.fori_loop(0, blocks, block_of_epochs, (state, recorded))
        return carry

    result: tuple[State, jax.Array] = jax.lax.map(chunk, state)
    return result


@partial(jax.jit, static_argnames=("optimizer", "batch", "schedule"))
def advance_by_batches(
    state: State,
    rows: Rows,
    restarts: Int[Array, " restarts"],
    decay: Float[Array, " restarts"],
    key: Key[Array, ""],
    network: Network,
    optimizer: optax.GradientTransformation,
    batch: int,
    schedule: str,
    patience: int | Int[Array, ""],
    done: int | Int[Array, ""],
    epochs: int | Int[Array, ""],
    blocks: int | Int[Array, ""],
) -> tuple[State, jax.Array]:
    """Take every restart through `blocks` more epochs of steps of `batch` rows, after the `done` ones of `epochs`.

    restarts: the index of each. decay: by which share of itself its weights shrink a step. A restart whose validation
    loss has not fallen for `patience` epochs stays as it is. Restart i takes the rows of epoch e in an order that
    depends on key, i and e alone.

    Returns the state, and the training and the validation loss after each epoch, [restarts, CAPACITY, 2], of which
    `blocks` are filled: NaN where a restart had ended, and for validation where no rows are held out. The training loss
    is the mean over the epoch's batches, each before its own step.
    """
    general = optax.with_extra_args_support(optimizer)  # type: ignore[attr-defined]
    count = jnp.asarray(rows.learnt)
    steps = -(-count // batch)

    def step(index: jax.Array, carry: Any, order: jax.Array, epoch: jax.Array, shrink: jax.Array) -> Any:
        params, opt_state, total = carry
        taken = jax.lax.dynamic_slice(order, (jnp.minimum(index * batch, count - batch),), (batch,))
        weights = None if rows.weights is None else rows.weights[taken]
        value_fn = partial(loss, x=rows.x[taken], y=rows.y[taken], network=network, weights=weights)
        value, grads = jax.value_and_grad(value_fn)(params)
        updates: Any
        updates, opt_state = general.update(grads, opt_state, params, value=value, grad=grads, value_fn=value_fn)
        updates = scheduled(decayed(updates, params, shrink), schedule, (epoch + index / steps) / epochs)
        return optax.apply_updates(params, updates), opt_state, total + value

    def one_epoch(state: State, restart: jax.Array, shrink: jax.Array, epoch: jax.Array) -> tuple[State, jax.Array]:
        shuffle = jax.random.fold_in(jax.random.fold_in(key, restart), epoch)
        order = shuffled(rows.order, count, key=shuffle)
        start = (state.params, state.opt_state, jnp.zeros(()))
        take = partial(step, order=order, epoch=epoch, shrink=shrink)
        params, opt_state, total = jax.lax.fori_loop(0, steps, take, start)
        if rows.held is None or state.best is None:
            return State(params, opt_state), jnp.stack([total / steps, jnp.nan])
        validation = loss(params, rows.held.x, rows.held.y, network, rows.held.weights)
        better = validation < state.best.loss
        now = Best(params, validation, epoch + 1)
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), now, state.best)
        return State(params, opt_state, best), jnp.stack([total / steps, validation])

    def one_restart(carry: tuple[State, jax.Array, jax.Array]) -> tuple[State, jax.Array]:
        state, restart, shrink = carry

        def block(index: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
            state, recorded = carry
            if state.best is None:
                state, losses = one_epoch(state, restart, shrink, jnp.asarray(done + index))
            else:
                ended = done + index - state.best.epoch >= patience
                ending = (state, jnp.full(2, jnp.nan))
                state, losses = jax.lax.cond(
                    ended, lambda: ending, lambda: one_epoch(state, restart, shrink, jnp.asarray(done + index))
                )
            return state, recorded.at[index].set(losses)

        result: tuple[State, jax.Array] = jax.lax.fori_loop(0, blocks, block, (state, jnp.zeros((CAPACITY, 2))))
        return result

    mapped: tuple[State, jax.Array] = jax.lax.map(one_restart, (state, jnp.asarray(restarts), jnp.asarray(decay)))
    return mapped
