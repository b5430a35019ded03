"""The state of training: what an epoch changes, for every restart."""

from __future__ import annotations

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Int, Key

from model.arrays import Array
from model.network import Network, Params, as_layers
from model.training.compilation import jit_quickly
from model.training.initial_params import init_params

# Restarts in a chunk: its parameters, gradients and updates fit the first-level cache.
CHUNK_RESTARTS = 32
# Losses that one call of a training program can record.
RECORD_CAPACITY = 1024


class Best(NamedTuple):
    """Where the validation loss of a restart was smallest.

    Attributes:
        params: the parameters there.
        loss: the validation loss.
        epoch: after which epoch that was, from 1; 0 before the first epoch.
    """

    params: Params
    loss: Array
    epoch: Array


class PartialEpoch(NamedTuple):
    """What is done of an epoch that takes the rows in windows.

    Attributes:
        windows: [restarts], how many windows are done.
        steps: [restarts], how many steps are done.
        total: [restarts], the sum of the losses of their batches.
    """

    windows: Array
    steps: Array
    total: Array


class State(NamedTuple):
    """What an epoch changes.

    Every leaf is [chunks, …, restarts of a chunk]; in chunks of a single restart, [restarts, …].

    Attributes:
        params: the parameters.
        opt_state: the optimizer's state.
        best: where the validation loss was smallest; None if no rows are held out.
        partial: of the epoch that has begun; None if the rows are not taken in windows.
    """

    params: Params
    opt_state: Any
    best: Best | None = None
    partial: PartialEpoch | None = None


def chunk_count(restarts: int, uses_minibatches: bool) -> int:
    """How many chunks restarts are cut into, whatever devices there are.

    Args:
        restarts: how many there are, from 1.
        uses_minibatches: whether every chunk has a single restart.

    Returns:
        The number of chunks, from 1.

    Example:
        >>> chunk_count(64, True), chunk_count(64, False)
        (64, 2)
    """
    return restarts if uses_minibatches else -(-restarts // CHUNK_RESTARTS)


def draw_state(
    key: Key[Array, ""],
    network: Network,
    optimizer: optax.GradientTransformation,
    restarts: int,
    init: str = "normal",
    uses_minibatches: bool = False,
    validates: bool = False,
    first: int | Int[Array, ""] = 0,
    inputs: int | Int[Array, ""] | None = None,
) -> State:
    """The state before the first epoch.

    Args:
        key: restart i starts from `init_params` with `jax.random.fold_in(key, first + i)`.
        network: the description of the network.
        optimizer: whose state is made.
        restarts: how many, from 1.
        init: normal or he.
        uses_minibatches: whether every chunk has a single restart.
        validates: whether rows are held out.
        first: the number of the first restart.
        inputs: how many of the network's inputs are not padding; None if all are. The weights of padding are 0.

    Returns:
        The state. A last chunk that is not full is filled with further restarts.
    """
    chunks = chunk_count(restarts, uses_minibatches)
    size = -(-restarts // chunks)

    def draw(restart: jax.Array) -> jax.Array:
        key_of_restart = jax.random.fold_in(key, first + restart)
        return ravel_pytree(init_params(network, key=key_of_restart, init=init, inputs=inputs))[0]

    flat = jax.lax.map(draw, jnp.arange(chunks * size)).reshape(chunks, size, -1)
    by_chunk = flat[:, 0] if size == 1 else jnp.moveaxis(flat, 1, -1)
    params = jax.vmap(partial(as_layers, network=network))(by_chunk)
    best = Best(params, jnp.full(restarts, jnp.inf, jnp.float32), jnp.zeros(restarts, jnp.int32)) if validates else None
    return State(params, jax.vmap(map_restarts(optimizer.init, size > 1))(params), best)


# The same program, compiled.
initial_state = jit_quickly(draw_state, "optimizer", "restarts", "init", "uses_minibatches", "validates")


@cache
def state_shapes(*arguments: Any) -> State:
    """The shapes and dtypes of `initial_state`'s result, traced once for each set of arguments.

    Args:
        arguments: those of `initial_state` after the key, from the network on.

    Returns:
        A State whose leaves are `jax.ShapeDtypeStruct`s.
    """
    shapes: State = jax.eval_shape(lambda: draw_state(jax.random.key(0), *arguments))
    return shapes


def map_restarts(function: Any, has_axis: bool) -> Any:
    """Map a function over the trailing axis of restarts, so that it sees one network at a time.

    Args:
        function: of pytrees of one network.
        has_axis: whether there is such an axis.

    Returns:
        The mapped function, or the function itself if there is no axis.
    """
    return jax.vmap(function, in_axes=-1, out_axes=-1) if has_axis else function
