"""Training: Optax updates under jit, in stretches on the device, from many starts of which the best are kept."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import Mesh
from jaxtyping import Key

from model.arrays import Array
from model.hyperparameters import Hyperparameters
from model.hyperparameters import replace as replace_hyperparameters
from model.network import Network
from model.tables.columns import NumericColumn
from model.tables.table import Table
from model.training.defaults import default_hyperparameters
from model.training.ensemble_run import EnsembleRun
from model.training.mesh import DATA, make_mesh
from model.training.preparation import better_scaling, check_table, prepare_run, settled_scaling, trial_runs
from model.training.processes import agree
from model.training.result import DivergedError, Progress, Result
from model.training.run import Stretch
from model.training.streamed_run import StreamedRun
from model.training.stretches import (
    SHORTEST_SECONDS,
    advance_windows,
    after_stretch,
    epochs_until_lost,
    expected_seconds,
    has_diverged,
    next_stretch,
)

# Seconds that a stretch should take: between two, training can be watched and stopped.
STRETCH_SECONDS = 0.1


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
    mesh: Mesh | None = None,
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
        mesh: the devices that share the restarts, and the rows of each step, as `make_mesh` makes it; by default the
            restarts are shared among all devices.
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
    check_table(network, table, hyperparameters)
    mesh = make_mesh() if mesh is None else mesh
    if isinstance(optimizer, str):
        optimizer = None
    elif optimizer is not None and mesh.shape[DATA] > 1:
        raise ValueError("the optimizer must be a name where devices share the rows, because it may ask for all rows")
    leaves, epoch = resume or (None, 0)
    if resume and epoch >= hyperparameters.epochs:
        raise ValueError(f"epochs must be more than the {epoch:,} that are done, not {hyperparameters.epochs:,}")
    if target_scaling is None:
        target_scaling = _choose_scaling(network, table, hyperparameters, key, mesh)
    run = prepare_run(network, table, hyperparameters, key, target_scaling, optimizer, mesh)
    state = run.start() if leaves is None else run.restore(jax.tree.leaves(leaves))
    first_epoch = expected_seconds(run) if optimizer is None else math.inf
    return _stretches(Progress(run, state, epoch), stretch_seconds, first_epoch)


def _choose_scaling(
    network: Network, table: Table, hyperparameters: Hyperparameters, key: Key[Array, ""], mesh: Mesh
) -> NumericColumn:
    """The scaling of the target that the hyperparameters ask for."""
    scaling = settled_scaling(table, hyperparameters)
    if scaling is not None:
        return scaling
    return better_scaling(table, [_error_of(run) for run in trial_runs(network, table, hyperparameters, key, mesh)])


def _error_of(run: EnsembleRun) -> float:
    """The RMSE of a trial on the rows held out."""
    try:
        *_, last = _stretches(Progress(run, run.start()), STRETCH_SECONDS)
        return last.result(with_intervals=False).metrics["RMSE"]
    except DivergedError:
        return math.inf


def _stretches(progress: Progress, stretch_seconds: float, seconds_per_epoch: float = math.inf) -> Iterator[Progress]:
    """Train in stretches. seconds_per_epoch: what is known of it before the first; infinity if nothing is."""
    while progress.epoch < progress.epochs and progress.ended < progress.restarts:
        if isinstance(progress.run, StreamedRun):
            progress = advance_windows(progress, progress.run, stretch_seconds)
            yield progress
            continue
        stretch = next_stretch(progress, agree(max(1, int(stretch_seconds / seconds_per_epoch))))
        started = time.perf_counter()
        progress = _advance(progress, stretch)
        seconds_per_epoch = max(time.perf_counter() - started, SHORTEST_SECONDS) / stretch.epochs
        yield progress


def _advance(progress: Progress, stretch: Stretch) -> Progress:
    """The progress after a stretch. Raises DivergedError if no restart has a finite loss after it."""
    after = after_stretch(progress, stretch, *progress.run.advance(progress.placed, progress.epoch, stretch))
    if has_diverged(after):
        everyone = [np.arange(progress.restarts)]
        (epochs,) = epochs_until_lost(progress.run, progress.placed, progress.epoch, stretch.epochs, everyone)
        raise DivergedError(progress.epoch + epochs)
    return after
