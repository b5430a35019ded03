"""Training: Optax updates under jit, in stretches on the device, from many starts of which the best are kept."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import msgspec
import numpy as np
import optax
from jaxtyping import Key

from model.arrays import Array, shape_of
from model.evaluation.thresholds import check_two_classes
from model.hyperparameters import Hyperparameters
from model.hyperparameters import replace as replace_hyperparameters
from model.network import Network
from model.tables.columns import NumericColumn
from model.tables.streamed_table import StreamedTable
from model.tables.table import Table, rows_of, with_target_scaling
from model.tables.target_scaling import draw_together, has_long_tail
from model.tasks import DEFAULT_THRESHOLD, TASKS
from model.training.defaults import default_hyperparameters
from model.training.ensemble_run import EnsembleRun, States, best_epochs, best_losses
from model.training.measuring import evenly_spaced
from model.training.optimizers import make_optimizer
from model.training.result import DivergedError, History, Progress, Result
from model.training.run import Stretch
from model.training.state import RECORD_CAPACITY
from model.training.streamed_run import StreamedRun, mean_losses

# Seconds that a stretch should take: between two, training can be watched and stopped.
STRETCH_SECONDS = 0.1
# The least time that a stretch is taken to last, so that the next one does not grow without bound.
SHORTEST_SECONDS = 1e-5


def fit(network: Network, table: Table, *, key: Key[Array, ""], **options: Any) -> Result:
    """Train from several random starts and keep the best.

    Args:
        network: the description of the network.
        table: what to learn from.
        key: of all random draws.
        options: those of `train`.

    Returns:
        What training has found after its last epoch.

    Raises:
        TypeError: for an unknown option.
        ValueError: if an option is out of its range, or if network and table do not fit.
        DivergedError: if no restart has a finite loss any more.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> result = fit(Network((2, 2, 1)), truth_table("or"), key=jax.random.key(0), epochs=2_000, restarts=8)
        >>> result.epoch, result.solved > 0, result.history.losses.shape
        (2000, True, (20, 8))
    """
    *_, last = train(network, table, key=key, **options)
    return last.result()


def train(
    network: Network,
    table: Table,
    *,
    key: Key[Array, ""],
    optimizer: str | optax.GradientTransformation | None = None,
    resume: tuple[Any, int] | None = None,
    target_scaling: NumericColumn | None = None,
    stretch_seconds: float = STRETCH_SECONDS,
    **options: Any,
) -> Iterator[Progress]:
    """Train in stretches, and yield after each.

    How the epochs fall into stretches changes nothing in the result. Restart i starts from
    `init_params(network, key=jax.random.fold_in(key, i))`.

    Args:
        network: the description of the network.
        table: what to learn from, at least one row.
        key: of all random draws.
        optimizer: one of the names in `Hyperparameters`; or an `optax.GradientTransformation`, which has its own
            learning rate and may ask for the value, the gradient and the function itself, as L-BFGS does.
        resume: where an earlier run with the same arguments stood: its progress's state, or the leaves of it, and its
            epoch. What follows has the same bits as if that run had gone on.
        target_scaling: of the target in the run that is resumed; by default, it is chosen as in that run.
        stretch_seconds: about how long a stretch takes, above 0.
        options: fields of `Hyperparameters`; the others are the defaults for the table.

    Returns:
        An iterator of snapshots, one after each stretch.

    Raises:
        TypeError: for an unknown option.
        ValueError: if an option is out of its range, or if network and table do not fit.
        DivergedError: while iterating, if no restart has a finite loss any more.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> for progress in train(Network((2, 1)), truth_table("or"), key=jax.random.key(0), epochs=100):
        ...     pass
        >>> progress.epoch, progress.result().params[0].weight.shape
        (100, (2, 1))
    """
    if isinstance(optimizer, str):
        options["optimizer"] = optimizer
    hyperparameters = replace_hyperparameters(default_hyperparameters(table), **options)
    _check_table(network, table, hyperparameters)
    if isinstance(table, StreamedTable) and hyperparameters.window is None:
        raise ValueError("window must be a number of rows for a table in a file, not None")
    if optimizer is None or isinstance(optimizer, str):
        optimizer = make_optimizer(hyperparameters)
    leaves, epoch = resume or (None, 0)
    if resume and epoch >= hyperparameters.epochs:
        raise ValueError(f"epochs must be more than the {epoch:,} that are done, not {hyperparameters.epochs:,}")
    if target_scaling is None:
        target_scaling = _choose_scaling(network, table, hyperparameters, key)
    table = with_target_scaling(table, target_scaling)
    kind = EnsembleRun if hyperparameters.window is None else StreamedRun
    run = kind(network, table, hyperparameters, optimizer, key)
    state = run.start() if leaves is None else run.restore(jax.tree.leaves(leaves))
    return _stretches(Progress(run, state, epoch), stretch_seconds)


def _choose_scaling(
    network: Network, table: Table, hyperparameters: Hyperparameters, key: Key[Array, ""]
) -> NumericColumn:
    """The scaling of the target that the hyperparameters ask for."""
    scale, scaling = hyperparameters.target_scale, table.target_scaling
    is_regression = not TASKS[table.task].has_classes and not table.complete
    holds_out = hyperparameters.validation > 0 or hyperparameters.folds > 1
    if not is_regression or scale == "linear" or not scaling.scale or (scale == "auto" and not holds_out):
        return scaling
    if scale == "auto":
        if not has_long_tail(scaling, table.y):
            return scaling
        errors = [_error_with(network, table, hyperparameters, key, each) for each in ("linear", "asinh")]
        if errors[0] <= errors[1]:
            return scaling
    return draw_together(scaling.unscale(table.y), scaling, table.weights)


def _error_with(
    network: Network, table: Table, hyperparameters: Hyperparameters, key: Key[Array, ""], scale: str
) -> float:
    """The RMSE of networks that see numbers, one for each fold, on the rows held out.

    Of more than 10,000 rows, as many count.
    """
    h, rows = hyperparameters, evenly_spaced(len(table.y))
    options = msgspec.structs.asdict(h) | {
        "encodings": ("numbers",),
        "restarts": h.folds,
        "ensemble": h.folds,
        "target_scale": scale,
        "window": None,
    }
    try:
        return fit(network, rows_of(table, rows), key=key, **options).metrics["RMSE"]
    except DivergedError:
        return math.inf


def _check_table(network: Network, table: Table, hyperparameters: Hyperparameters) -> None:
    x_rows = len(table.y) if isinstance(table, StreamedTable) else shape_of("x", table.x)[0]
    if 0 in (x_rows, shape_of("y", table.y)[0]):
        raise ValueError("the table must have at least one row, and it has none")
    if network.task != table.task:
        raise ValueError(f"the network's task must be the table's, {table.task}, not {network.task}")
    if table.has_own_split and not hyperparameters.validation:
        raise ValueError("validation must be above 0 for a table that says which rows are held out")
    if hyperparameters.class_weights and not TASKS[table.task].has_classes:
        raise ValueError("class_weights must be left out of a regression, which has no classes")
    if hyperparameters.threshold != DEFAULT_THRESHOLD:
        check_two_classes(table.task, table.complete)


def _stretches(progress: Progress, stretch_seconds: float) -> Iterator[Progress]:
    seconds_per_epoch = stretch_seconds
    while progress.epoch < progress.epochs and progress.ended < progress.restarts:
        if isinstance(progress.run, StreamedRun):
            progress = _advance_windows(progress, progress.run, stretch_seconds)
            yield progress
            continue
        stretch = _next_stretch(progress, max(1, int(stretch_seconds / seconds_per_epoch)))
        started = time.perf_counter()
        progress = _advance(progress, stretch)
        seconds_per_epoch = max(time.perf_counter() - started, SHORTEST_SECONDS) / stretch.epochs
        yield progress


def _next_stretch(progress: Progress, affordable: int) -> Stretch:
    """What to do next: whole intervals of log_every epochs, or a part of one.

    affordable: how many epochs the time allows.
    """
    epoch, epochs, h = progress.epoch, progress.epochs, progress.run.hyperparameters
    log_every = 1 if h.uses_minibatches else h.log_every
    to_record = min(log_every - epoch % log_every, epochs - epoch)
    if to_record < log_every or affordable < log_every:
        return Stretch(1, min(to_record, affordable))
    return Stretch(min(affordable // log_every, (epochs - epoch) // log_every, RECORD_CAPACITY), log_every)


def _advance(progress: Progress, stretch: Stretch) -> Progress:
    """The progress after a stretch. Raises DivergedError if no restart has a finite loss after it."""
    run = progress.run
    state, training, validation = run.advance(progress.state, progress.epoch, stretch)
    if not np.isfinite(_choosing_losses(state, training)).any():
        raise DivergedError(progress.epoch + _first_without_finite_loss(progress, stretch.epochs))
    epochs_done = progress.epoch + stretch.epochs_per_record * np.arange(1, stretch.records + 1)
    return _progress_after(progress, state, epochs_done, training, validation)


def _advance_windows(progress: Progress, run: StreamedRun, seconds: float) -> Progress:
    """The progress after some windows. Raises DivergedError if no restart has a finite loss after an epoch."""
    state, losses = run.advance_windows(progress.state, progress.epoch, seconds)
    if losses is not None:
        training, validation = losses.T[:, None]
        if not np.isfinite(_choosing_losses(state, training)).any():
            raise DivergedError(progress.epoch + 1)
        return _progress_after(progress, state, np.array([progress.epoch + 1]), training, validation)
    so_far = progress.losses
    if so_far is None:  # no epoch has ended in this run
        smallest, means = best_losses(state), mean_losses(state)
        so_far = means if smallest is None else np.where(np.isfinite(smallest), smallest, means)
        if not np.isfinite(so_far).any():
            raise DivergedError(1 + progress.epoch)
    nothing = np.zeros((0, progress.restarts), np.float32)
    record = History(np.zeros(0, int), nothing, nothing)
    return replace(progress, state=state, losses=so_far, records=(*progress.records, record))


def _choosing_losses(state: States, training: np.ndarray) -> np.ndarray:
    """[restarts], by which the best ones are chosen. training: [records, restarts], the training losses."""
    smallest = best_losses(state)
    losses: np.ndarray = training[-1] if smallest is None else smallest
    return losses


def _progress_after(
    progress: Progress, state: States, epochs_done: np.ndarray, training: np.ndarray, validation: np.ndarray
) -> Progress:
    """The progress after whole epochs. epochs_done: [records], how many epochs were done at each record."""
    run = progress.run
    end = max(_last_epoch(run, state), progress.epoch)
    epoch = min(int(epochs_done[-1]), end)
    is_logged = (epochs_done % run.hyperparameters.log_every == 0) & (epochs_done <= end)
    record = History(epochs_done[is_logged], training[is_logged], validation[is_logged])
    return replace(
        progress,
        state=state,
        epoch=epoch,
        ended=_count_ended(run, state, epoch),
        losses=_choosing_losses(state, training),
        records=(*progress.records, record),
    )


def _last_epoch(run: EnsembleRun, states: States) -> int:
    """The epoch after which no restart changes any more, however the epochs fall into stretches."""
    epochs = best_epochs(states)
    return run.hyperparameters.epochs if epochs is None else int(epochs.max()) + run.hyperparameters.patience


def _count_ended(run: EnsembleRun, states: States, epoch: int) -> int:
    epochs = best_epochs(states)
    return 0 if epochs is None else int(np.sum(epoch - epochs >= run.hyperparameters.patience))


def _first_without_finite_loss(progress: Progress, epochs: int) -> int:
    """Repeat a stretch with a record after each epoch, and count the epochs up to the first without a finite loss."""
    state, done = progress.state, 0
    while done < epochs:
        stretch = Stretch(min(RECORD_CAPACITY, epochs - done), 1)
        state, training, _ = progress.run.advance(state, progress.epoch + done, stretch)
        is_lost = ~np.isfinite(training).any(axis=1)
        if is_lost.any():
            return done + int(np.argmax(is_lost)) + 1
        done += stretch.records
    return epochs
