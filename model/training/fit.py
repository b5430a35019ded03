"""Training: Optax updates under jit, whole stretches on the device, from many starts of which the best are kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Key

from model.ensembles import fit_temperature, predict_rows
from model.hyperparameters import Hyperparameters, defaults, replace
from model.metrics import Metrics, metrics
from model.network import Layer, Network, Params, logits, shape_of
from model.tables.table import Table
from model.tasks import Array
from model.training.optimizers import make_optimizer
from model.training.run import Run
from model.training.stretches import CAPACITY, State
from model.training.validation_split import MOST_HELD_OUT

# How long one call of `advance` should take, in seconds: between two, training can be watched and stopped.
STRETCH = 0.1


@dataclass(frozen=True)
class History:
    """The losses along the way, after so many epochs. epochs: [records]. losses: of training, [records, restarts].
    validation: the same of the rows held out, NaN where there are none or a restart has ended.
    """

    epochs: np.ndarray
    losses: np.ndarray
    validation: np.ndarray


@dataclass(frozen=True)
class Result:
    """What training has found.

    params: the best restart's, the one with the smallest loss; of an ensemble, every leaf has its members on a leading
    axis, the best first. loss: the best one's, of validation where rows were held out. best: its index.
    epoch: how many were done. history: the losses of every restart, every `log_every` epochs. losses: [restarts], what
    they are chosen by. solved: how many restarts have every row of a truth table right; 0 of another table.
    temperature: by which logits are divided. metrics: of the rows held out, or of at most 10,000 others. held: the
    indices of those rows. state: where every restart stands, to resume from.
    """

    params: Params
    loss: float
    best: int
    epoch: int
    history: History
    losses: Float[np.ndarray, " restarts"]
    solved: int
    temperature: float
    metrics: Metrics
    held: np.ndarray
    state: State

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


def fit(network: Network, table: Table, *, key: Key[Array, ""], **options: Any) -> Result:
    """Train from `restarts` random starts at once and keep the best. The options are those of `train`.

    Raises ValueError for options out of range, DivergedError where no restart has a finite loss any more.

    >>> from model.tables.table import truth_table
    >>> result = fit(Network((2, 2, 1)), truth_table("or"), key=jax.random.key(0), epochs=2_000, restarts=8)
    >>> result.epoch, result.solved > 0, result.history.losses.shape
    (2000, True, (20, 8))
    """
    *_, last = train(network, table, key=key, **options)
    return last.result()


class Losses(NamedTuple):
    """Losses after some epochs. epochs: [records]. training, validation: [records, restarts]."""

    epochs: np.ndarray
    training: np.ndarray
    validation: np.ndarray


@dataclass
class Progress:
    """Where training stands after a stretch. epoch of epochs are done; losses [restarts] are the current ones: of
    training, or where rows are held out each restart's smallest of validation. held: the indices of those rows. ended:
    how many restarts have no epoch to go. records: the losses of each stretch, every log_every epochs.
    """

    network: Network
    table: Table
    hyperparameters: Hyperparameters
    state: State
    held: np.ndarray
    epoch: int = 0
    ended: int = 0
    losses: np.ndarray = field(default_factory=lambda: np.zeros(0))
    records: list[Losses] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """How many there are to do."""
        return self.hyperparameters.epochs

    @property
    def restarts(self) -> int:
        """How many starts are trained."""
        return self.hyperparameters.restarts

    def result(self) -> Result:
        """The best restarts as they stand now."""
        finite = np.where(np.isfinite(self.losses), self.losses, np.inf)
        kept = np.argsort(finite, kind="stable")[: self.hyperparameters.ensemble]
        trained = self.state.params if self.state.best is None else self.state.best.params
        params = [Layer(_pick(layer.weight, 2, kept), _pick(layer.bias, 1, kept)) for layer in jax.device_get(trained)]
        empty = Losses(np.zeros(0, int), *(np.zeros((0, self.restarts), np.float32),) * 2)
        history = History(*(np.concatenate(parts) for parts in zip(empty, *self.records, strict=True)))
        measured = self.held if len(self.held) else spread_out(len(self.table.y))
        x, y = self.table.x[measured], self.table.y[measured]
        temperature = fit_temperature(params, x, y, self.network) if len(self.held) else 1.0
        return Result(
            params,
            float(self.losses[kept[0]]),
            int(kept[0]),
            self.epoch,
            history,
            self.losses,
            self._solved(),
            temperature,
            {} if self.table.complete else self._metrics(params, x, y, temperature),
            self.held,
            self.state,
        )

    def _metrics(self, params: Params, x: np.ndarray, y: np.ndarray, temperature: float) -> Metrics:
        mean = np.asarray(predict_rows(params, x, self.network, temperature).mean)
        unit = self.table.unit
        if self.table.task == "regression":
            mean, y = unit.restored(mean), unit.restored(y)
        return metrics(self.table.task, mean, y)

    def _solved(self) -> int:
        if not self.table.complete:
            return 0
        solved = _solved(self.state.params, self.table.x, self.table.y, self.network)
        return int(np.sum(jax.device_get(solved)[: self.restarts]))


def spread_out(rows: int) -> np.ndarray:
    """The indices of all rows, or of 10,000 of them at equal distances.

    >>> spread_out(3).tolist(), len(spread_out(10**6))
    ([0, 1, 2], 10000)
    """
    return np.linspace(0, rows - 1, min(rows, MOST_HELD_OUT)).round().astype(int)


def _pick(leaf: np.ndarray, axes: int, kept: np.ndarray) -> jax.Array:
    """[chunks, …, (restarts of a chunk)] -> [kept, …], or […] of a single one. axes: its own."""
    by_restart = leaf if leaf.ndim == axes + 1 else np.moveaxis(leaf, -1, 1).reshape(-1, *leaf.shape[1:-1])
    picked: jax.Array = jax.device_put(by_restart[kept] if len(kept) > 1 else by_restart[kept[0]])
    return picked


def train(
    network: Network,
    table: Table,
    *,
    key: Key[Array, ""],
    optimizer: str | optax.GradientTransformation | None = None,
    resume: tuple[Any, int] | None = None,
    **options: Any,
) -> Iterator[Progress]:
    """Train in stretches of about a tenth of a second, and yield after each.

    How the epochs fall into stretches changes nothing in the result. Restart i starts from
    `init_params(network, key=jax.random.fold_in(key, i))`.

    options: fields of `Hyperparameters`; those not named are the defaults of the table. optimizer: one of their names,
    or an `optax.GradientTransformation`, which has its own learning rate, and may ask for the value, the gradient and
    the function itself (L-BFGS with its line search). resume: where an earlier run of the same arguments stood, its
    progress's state (or the leaves of it) and epoch; what follows has the same bits as had it gone on.

    Raises TypeError for an unknown option, ValueError for one out of range and a table without rows or that is not of
    the network's task, DivergedError where no restart has a finite loss any more.
    """
    if isinstance(optimizer, str):
        options["optimizer"] = optimizer
    hyperparameters = replace(defaults(table), **options)
    if 0 in (shape_of("x", table.x)[0], shape_of("y", table.y)[0]):
        raise ValueError("the table must have at least one row, and it has none")
    if network.task != table.task:
        raise ValueError(f"the network's task must be the table's, {table.task}, not {network.task}")
    if hyperparameters.class_weights and table.task == "regression":
        raise ValueError("class_weights must be left out of a regression, which has no classes")
    if optimizer is None or isinstance(optimizer, str):
        optimizer = make_optimizer(hyperparameters)
    run = Run(network, table, hyperparameters, optimizer, key)
    leaves, epoch = resume or (None, 0)
    if resume and epoch >= hyperparameters.epochs:
        raise ValueError(f"epochs must be more than the {epoch:,} that are done, not {hyperparameters.epochs:,}")
    state = run.start() if leaves is None else run.restored(jax.tree.leaves(leaves))
    progress = Progress(network, table, hyperparameters, state, run.held, epoch)
    return _stretches(progress, run)


def _stretches(progress: Progress, run: Run) -> Iterator[Progress]:
    epochs, log_every = progress.epochs, progress.hyperparameters.log_every
    seconds_per_epoch = STRETCH
    while progress.epoch < epochs and progress.ended < progress.restarts:
        affordable = max(1, int(STRETCH / seconds_per_epoch))
        blocks, block = _plan(progress.epoch, epochs, 1 if run.by_batches else log_every, affordable)
        started = time.perf_counter()
        state, recorded = run(progress.state, progress.epoch, blocks, block)
        training, validation = run.losses(recorded, blocks)
        seconds_per_epoch = max(time.perf_counter() - started, 1e-5) / (blocks * block)
        losses = training[-1] if state.best is None else jax.device_get(state.best.loss)
        if not np.isfinite(losses).any():
            raise DivergedError(progress.epoch + _first_without_finite_loss(run, progress, blocks * block))
        epochs_done = progress.epoch + block * np.arange(1, blocks + 1)
        end = max(_end(progress, state), progress.epoch)
        progress.state, progress.losses, progress.epoch = state, losses, min(int(epochs_done[-1]), end)
        progress.ended = _ended(progress)
        logged = (epochs_done % log_every == 0) & (epochs_done <= end)
        progress.records.append(Losses(epochs_done[logged], training[logged], validation[logged]))
        yield progress


def _end(progress: Progress, state: State) -> int:
    """The epoch after which no restart changes any more, wherever the stretch ends."""
    if state.best is None:
        return progress.epochs
    return int(jax.device_get(state.best.epoch).max()) + progress.hyperparameters.patience


def _ended(progress: Progress) -> int:
    if progress.state.best is None:
        return 0
    waited = progress.epoch - jax.device_get(progress.state.best.epoch)
    return int(np.sum(waited >= progress.hyperparameters.patience))


def _plan(epoch: int, epochs: int, log_every: int, affordable: int) -> tuple[int, int]:
    """How many blocks of how many epochs to run next: whole blocks up to a record each, or part of one."""
    to_record = min(log_every - epoch % log_every, epochs - epoch)
    if to_record < log_every or affordable < log_every:
        return 1, min(to_record, affordable)
    return min(affordable // log_every, (epochs - epoch) // log_every, CAPACITY), log_every


def _first_without_finite_loss(run: Run, progress: Progress, epochs: int) -> int:
    """Go over a stretch again, a record an epoch, and count the epochs up to the one at which no loss is finite."""
    state, done = progress.state, 0
    while done < epochs:
        blocks = min(CAPACITY, epochs - done)
        state, recorded = run(state, progress.epoch + done, blocks, 1)
        lost = ~np.isfinite(run.losses(recorded, blocks)[0]).any(axis=1)
        if lost.any():
            return done + int(np.argmax(lost)) + 1
        done += blocks
    return epochs


@jax.jit
def _solved(
    params: Params, x: Float[Array, "rows columns"], y: Float[Array, "rows *outputs"], network: Network
) -> jax.Array:
    """For each restart whether every row is on its target's side."""

    def right(params: Params) -> jax.Array:
        z = logits(params, x, network)
        labels = y.reshape(y.shape + (1,) * (z.ndim - y.ndim))
        return jnp.all((z > 0) == (labels > 0.5), axis=tuple(range(y.ndim)))

    by_chunk: jax.Array = jax.lax.map(right, params)
    return by_chunk.reshape(-1)
