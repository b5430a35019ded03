"""Training: Optax updates under jit, whole stretches on the device, many restarts side by side.

Restarts share one program. They lie on the trailing axis of every array, in chunks that fit the processor's cache;
`advance` takes each chunk through a stretch of epochs before the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, Int, Key

from model.network import Array, Network, Params, as_layers, init_params, is_count, logits, loss, shape_of
from model.tables import Table

LEARNING_RATE = 0.01
EPOCHS = 100_000
RESTARTS = 64
LOG_EVERY = 100

# The numbers above 0 that float32 holds in full.
SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)

# Restarts in a chunk: its parameters, gradients and updates stay in the first-level cache.
CHUNK = 64
# Losses that one call of `advance` can record.
CAPACITY = 1024
# How long one call of `advance` should take, in seconds: between two, training can be watched and stopped.
STRETCH = 0.1


class State(NamedTuple):
    """What an epoch changes; every leaf is [chunks, …, restarts of a chunk], or [1, …] for a single start."""

    params: Params
    opt_state: Any


@dataclass(frozen=True)
class History:
    """The losses along the way. epochs: [records]. losses: [records, restarts], after that many epochs."""

    epochs: np.ndarray
    losses: np.ndarray


@dataclass(frozen=True)
class Result:
    """What training has found.

    params: the best restart's, the one with the smallest loss. loss: its loss. best: its index.
    epoch: how many were done. history: the loss of every restart, every `log_every` epochs.
    losses: [restarts], the last ones. solved: how many restarts have every row of the table right.
    """

    params: Params
    loss: float
    best: int
    epoch: int
    history: History
    losses: Float[np.ndarray, " restarts"]
    solved: int

    @property
    def restarts(self) -> int:
        """How many starts were trained."""
        return len(self.losses)


class DivergedError(ArithmeticError):
    """Training left the finite numbers. epoch: the first after which no restart had a finite loss."""

    def __init__(self, epoch: int) -> None:
        super().__init__(
            f"training diverged: after epoch {epoch:,} the loss of every restart is no longer a finite number; "
            "try a smaller learning rate, or columns of a smaller scale"
        )
        self.epoch = epoch


@cache
def make_optimizer(name: str, learning_rate: float) -> optax.GradientTransformation:
    """The optimizer of a name: sgd, momentum (0.9), or adam. Raises ValueError for another name, or a learning rate
    that is not a finite number above 0 in float32.

    The same arguments give the same object, so that programs compiled with it are found again.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"the optimizer must be one of {', '.join(OPTIMIZERS)}, not {name!r}")
    if not SMALLEST <= learning_rate <= LARGEST:
        raise ValueError(f"the learning rate must be a finite number above 0 in float32, not {learning_rate}")
    return OPTIMIZERS[name](learning_rate)


OPTIMIZERS: dict[str, Callable[[float], optax.GradientTransformation]] = {
    "sgd": optax.sgd,
    "momentum": partial(optax.sgd, momentum=0.9),
    "adam": optax.adam,
}


def fit(network: Network, table: Table, **options: Any) -> Result:
    """Train from `restarts` random starts at once and keep the best. The options are those of `train`.

    Raises ValueError for options out of range, DivergedError where no restart has a finite loss any more.

    >>> from model.tables import truth_table
    >>> result = fit(Network((2, 2, 1)), truth_table("or"), key=jax.random.key(0), epochs=2_000, restarts=8)
    >>> result.epoch, result.solved > 0, result.history.losses.shape
    (2000, True, (20, 8))
    """
    *_, last = train(network, table, **options)
    return last.result()


@dataclass
class Progress:
    """Where training stands after a stretch. epoch of epochs are done; losses [restarts] are the current ones."""

    network: Network
    table: Table
    epochs: int
    restarts: int
    state: State
    epoch: int = 0
    losses: np.ndarray = field(default_factory=lambda: np.zeros(0))
    records: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    """(epochs, losses) of each stretch that reached a multiple of log_every."""

    def result(self) -> Result:
        """The best restart as it stands now."""
        finite = np.where(np.isfinite(self.losses), self.losses, np.inf)
        best = int(np.argmin(finite))
        params, solved = jax.device_get(_pick(self.state.params, best, self.table.x, self.table.y, self.network))
        history = History(
            np.concatenate([epochs for epochs, _ in self.records] or [np.zeros(0, int)]),
            np.concatenate([losses for _, losses in self.records] or [np.zeros((0, self.restarts), np.float32)]),
        )
        solved = int(np.sum(solved[: self.restarts]))
        return Result(params, float(self.losses[best]), best, self.epoch, history, self.losses, solved)


def train(
    network: Network,
    table: Table,
    *,
    key: Key[Array, ""],
    epochs: int = EPOCHS,
    restarts: int = RESTARTS,
    learning_rate: float = LEARNING_RATE,
    optimizer: str | optax.GradientTransformation = "sgd",
    log_every: int = LOG_EVERY,
) -> Iterator[Progress]:
    """Train in stretches of about a tenth of a second, and yield after each.

    How the epochs fall into stretches changes nothing in the result. Restart i starts from
    `init_params(network, key=jax.random.fold_in(key, i))`.

    epochs: passes over the table, from 1. restarts: random starts, from 1. learning_rate: for an optimizer by name
    (sgd, momentum, adam); an `optax.GradientTransformation` has its own, and may ask for the value, the gradient and
    the function itself (L-BFGS with its line search). log_every: epochs between recorded losses.

    Raises ValueError for options out of range and a table without rows, DivergedError where no restart has a finite
    loss any more.
    """
    for name, value in (("epochs", epochs), ("restarts", restarts), ("log_every", log_every)):
        if not (is_count(value) and value < 2**63):
            raise ValueError(f"{name} must be a whole number from 1 to 2^63 - 1, not {value!r}")
    if 0 in (shape_of("x", table.x)[0], shape_of("y", table.y)[0]):
        raise ValueError("the table must have at least one row, and it has none")
    if isinstance(optimizer, str):
        optimizer = make_optimizer(optimizer, learning_rate)
    progress = Progress(network, table, epochs, restarts, initial_state(key, network, optimizer, restarts))
    return _stretches(progress, optimizer, log_every)


def _stretches(progress: Progress, optimizer: optax.GradientTransformation, log_every: int) -> Iterator[Progress]:
    table, epochs, restarts = progress.table, progress.epochs, progress.restarts
    x, y = jnp.asarray(table.x), jnp.asarray(table.y)
    run = partial(advance, x=x, y=y, network=progress.network, optimizer=optimizer)
    run(progress.state, blocks=0, block=0)  # compiles
    seconds_per_epoch = STRETCH
    while progress.epoch < epochs:
        affordable = max(1, int(STRETCH / seconds_per_epoch))
        blocks, block = _plan(progress.epoch, epochs, log_every, affordable)
        started = time.perf_counter()
        state, recorded = run(progress.state, blocks=blocks, block=block)
        losses = _by_restart(jax.device_get(recorded), blocks)[:, :restarts]
        seconds_per_epoch = max(time.perf_counter() - started, 1e-5) / (blocks * block)
        if not np.isfinite(losses[-1]).any():
            raise DivergedError(progress.epoch + _first_without_finite_loss(run, progress.state, blocks * block))
        epochs_done = progress.epoch + block * np.arange(1, blocks + 1)
        progress.state, progress.losses, progress.epoch = state, losses[-1], int(epochs_done[-1])
        logged = epochs_done % log_every == 0
        progress.records.append((epochs_done[logged], losses[logged]))
        yield progress


def _plan(epoch: int, epochs: int, log_every: int, affordable: int) -> tuple[int, int]:
    """How many blocks of how many epochs to run next: whole blocks up to a record each, or part of one."""
    to_record = min(log_every - epoch % log_every, epochs - epoch)
    if to_record < log_every or affordable < log_every:
        return 1, min(to_record, affordable)
    return min(affordable // log_every, (epochs - epoch) // log_every, CAPACITY), log_every


def _first_without_finite_loss(run: Any, state: State, epochs: int) -> int:
    """Go over a stretch again, a record an epoch, and count the epochs up to the one at which no loss is finite."""
    done = 0
    while done < epochs:
        blocks = min(CAPACITY, epochs - done)
        state, recorded = run(state, blocks=blocks, block=1)
        lost = ~np.isfinite(_by_restart(jax.device_get(recorded), blocks)).any(axis=1)
        if lost.any():
            return done + int(np.argmax(lost)) + 1
        done += blocks
    return epochs


def _by_restart(recorded: np.ndarray, blocks: int) -> np.ndarray:
    """[chunks, CAPACITY, (restarts of a chunk)] -> [blocks, restarts]."""
    return np.moveaxis(recorded[:, :blocks].reshape(len(recorded), blocks, -1), 0, 1).reshape(blocks, -1)


@partial(jax.jit, static_argnames=("optimizer", "restarts"))
def initial_state(
    key: Key[Array, ""], network: Network, optimizer: optax.GradientTransformation, restarts: int
) -> State:
    """The state before the first epoch. A last chunk that is not full is filled up with further restarts."""
    chunks = -(-restarts // CHUNK)
    size = -(-restarts // chunks)

    def draw(restart: jax.Array) -> jax.Array:
        return ravel_pytree(init_params(network, key=jax.random.fold_in(key, restart)))[0]

    flat = jax.lax.map(draw, jnp.arange(chunks * size)).reshape(chunks, size, -1)
    by_chunk = flat[:, 0] if restarts == 1 else jnp.moveaxis(flat, 1, -1)
    params = jax.vmap(partial(as_layers, network=network))(by_chunk)
    return State(params, jax.vmap(_over_restarts(optimizer.init, restarts > 1))(params))


def _over_restarts(function: Any, several: bool) -> Any:
    """Map over the trailing axis, where there is one, so that an optimizer sees one network at a time."""
    return jax.vmap(function, in_axes=-1, out_axes=-1) if several else function


@partial(jax.jit, static_argnames=("optimizer",))
def advance(
    state: State,
    x: Float[Array, "rows columns"],
    y: Float[Array, "rows *outputs"],
    network: Network,
    optimizer: optax.GradientTransformation,
    blocks: int | Int[Array, ""],
    block: int | Int[Array, ""],
) -> tuple[State, jax.Array]:
    """Take every restart through `blocks` blocks of `block` epochs.

    Returns the state and the losses after each block, [chunks, CAPACITY, (restarts)], of which `blocks` are filled.
    The loop's body is kept to one update: XLA compiles a small one into a single function. The losses that an optimizer
    does not ask for are not computed in it.
    """
    general = optax.with_extra_args_support(optimizer)  # type: ignore[attr-defined]

    def update_one(grads: Params, opt_state: Any, params: Params, value: jax.Array) -> Any:
        value_fn = partial(loss, x=x, y=y, network=network)
        return general.update(grads, opt_state, params, value=value, grad=grads, value_fn=value_fn)

    update = _over_restarts(update_one, state.params[0].bias.ndim > 2)

    def total_loss(params: Params) -> tuple[jax.Array, jax.Array]:
        losses = loss(params, x, y, network)
        return jnp.sum(losses), losses

    def epoch(_: jax.Array, state: State) -> State:
        params, opt_state = state
        grads, losses = jax.grad(total_loss, has_aux=True)(params)
        updates, opt_state = update(grads, opt_state, params, losses)
        return State(optax.apply_updates(params, updates), opt_state)  # type: ignore[arg-type]

    def block_of_epochs(index: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        state, recorded = carry
        state = jax.lax.fori_loop(0, block, epoch, state)
        return state, recorded.at[index].set(loss(state.params, x, y, network))

    def chunk(state: State) -> tuple[State, jax.Array]:
        recorded = jnp.zeros((CAPACITY, *state.params[0].bias.shape[1:]))
        carry: tuple[State, jax.Array] = jax.lax.fori_loop(0, blocks, block_of_epochs, (state, recorded))
        return carry

    result: tuple[State, jax.Array] = jax.lax.map(chunk, state)
    return result


@jax.jit
def _pick(
    params: Params,
    best: int | Int[Array, ""],
    x: Float[Array, "rows columns"],
    y: Float[Array, "rows *outputs"],
    network: Network,
) -> tuple[Params, jax.Array]:
    """The parameters of one restart, and for each restart whether every row is on its target's side."""

    def right(params: Params) -> jax.Array:
        z = logits(params, x, network)
        labels = y.reshape(y.shape + (1,) * (z.ndim - y.ndim))
        return jnp.all((z > 0) == (labels > 0.5), axis=tuple(range(y.ndim)))

    several = params[0].bias.ndim > 2
    size = params[0].bias.shape[-1] if several else 1
    chosen = jax.tree.map(lambda leaf: leaf[best // size], params)
    if several:
        chosen = jax.tree.map(lambda leaf: leaf[..., best % size], chosen)
    return chosen, jax.lax.map(right, params).reshape(-1)
