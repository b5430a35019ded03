"""Stretches of training: how long the next one is, and the progress after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from model.network import parameter_count
from model.training.ensemble_run import EnsembleRun, States
from model.training.mesh import DATA
from model.training.result import DivergedError, History, Progress
from model.training.run import Stretch
from model.training.state import RECORD_CAPACITY
from model.training.streamed_run import StreamedRun

# The least time that a stretch is taken to last, so that the next one does not grow without bound.
SHORTEST_SECONDS = 1e-5

# Products that a processor computes in a second at least, and the least time of a step. They are on the safe side: the
# first stretch may be too short, and not too long.
PRODUCTS_PER_SECOND, STEP_SECONDS = 1e8, 1e-6


def expected_seconds(run: EnsembleRun) -> float:
    """How long an epoch will take at most, before one has been measured.

    Args:
        run: what is trained, with one of the optimizers that have names.

    Returns:
        Seconds, above 0; infinity if that cannot be known: with minibatches, with rows that devices share, and on other
        devices than processors.
    """
    mesh, rows = run.parts[0].placement.mesh, len(run.table.y)
    if run.hyperparameters.uses_minibatches or mesh.shape[DATA] > 1 or mesh.devices.flat[0].platform != "cpu":
        return math.inf
    parameters = sum(part.share.size * parameter_count(part.share.network) for part in run.parts)
    return max(STEP_SECONDS, rows * parameters / PRODUCTS_PER_SECOND)


def next_stretch(progress: Progress, affordable: int) -> Stretch:
    """What to do next: whole intervals of log_every epochs, or a part of one.

    Args:
        progress: where training stands.
        affordable: how many epochs the time allows, from 1.

    Returns:
        The stretch, which ends with the last epoch at the latest.
    """
    epoch, epochs, h = progress.epoch, progress.epochs, progress.run.hyperparameters
    log_every = 1 if h.uses_minibatches else h.log_every
    to_record = min(log_every - epoch % log_every, epochs - epoch)
    if to_record < log_every or affordable < log_every:
        return Stretch(1, min(to_record, affordable))
    return Stretch(min(affordable // log_every, (epochs - epoch) // log_every, RECORD_CAPACITY), log_every)


def after_stretch(
    progress: Progress,
    stretch: Stretch,
    state: States,
    training: Float[np.ndarray, "records restarts"],
    validation: Float[np.ndarray, "records restarts"],
) -> Progress:
    """The progress after a stretch.

    Args:
        progress: before it.
        stretch: what was done.
        state: of every restart after it.
        training: [records, restarts], the training losses.
        validation: [records, restarts], the validation losses.

    Returns:
        The new progress. Its epoch is at most the one after which no restart changes any more.
    """
    run = progress.run
    smallest = run.best_losses(state)
    epochs_done = progress.epoch + stretch.epochs_per_record * np.arange(1, stretch.records + 1)
    end = max(_last_epoch(run, state), progress.epoch)
    epoch = min(int(epochs_done[-1]), end)
    is_logged = (epochs_done % run.hyperparameters.log_every == 0) & (epochs_done <= end)
    record = History(epochs_done[is_logged], training[is_logged], validation[is_logged])
    return replace(
        progress,
        placed=state,
        epoch=epoch,
        ended=_count_ended(run, state, epoch),
        losses=training[-1] if smallest is None else smallest,
        records=(*progress.records, record),
    )


def advance_windows(progress: Progress, run: StreamedRun, seconds: float) -> Progress:
    """The progress after some windows of rows.

    Args:
        progress: before them.
        run: what is trained.
        seconds: after about how many it returns; at the end of an epoch at the latest.

    Returns:
        The new progress.

    Raises:
        DivergedError: if no restart has a finite loss after an epoch.
    """
    state, losses = run.advance_windows(progress.placed, progress.epoch, seconds)
    if losses is not None:
        training, validation = losses.T[:, None]
        after = after_stretch(progress, Stretch(1, 1), state, training, validation)
    else:
        so_far = progress.losses
        if so_far is None:  # no epoch has ended in this run
            smallest, means = run.best_losses(state), run.mean_losses(state)
            so_far = means if smallest is None else np.where(np.isfinite(smallest), smallest, means)
        nothing = np.zeros((0, progress.restarts), np.float32)
        record = History(np.zeros(0, int), nothing, nothing)
        after = replace(progress, placed=state, losses=so_far, records=(*progress.records, record))
    if has_diverged(after):
        raise DivergedError(progress.epoch + 1)
    return after


def has_diverged(progress: Progress) -> bool:
    """Whether no restart has a finite loss any more.

    Args:
        progress: after a stretch.

    Returns:
        True if training has left the finite numbers.
    """
    return progress.losses is not None and not np.isfinite(progress.losses).any()


def epochs_until_lost(
    run: EnsembleRun, states: States, epochs_done: int, epochs: int, groups: Sequence[Int[np.ndarray, " own"]]
) -> list[int]:
    """Repeat a stretch with a record after each epoch, and count the epochs up to the first without a finite loss.

    Args:
        run: what is trained.
        states: before the stretch.
        epochs_done: how many epochs were done before it.
        epochs: how many it has, from 1.
        groups: the places of some restarts among all, once or several times.

    Returns:
        For each group, after how many epochs of the stretch none of its restarts has a finite loss; all of them if one
        still has.
    """
    found, done = [epochs] * len(groups), 0
    while done < epochs:
        stretch = Stretch(min(RECORD_CAPACITY, epochs - done), 1)
        states, training, _ = run.advance(states, epochs_done + done, stretch)
        for group, places in enumerate(groups):
            is_lost = ~np.isfinite(training[:, places]).any(axis=1)
            if is_lost.any():
                found[group] = min(found[group], done + int(np.argmax(is_lost)) + 1)
        done += stretch.records
    return found


def _last_epoch(run: EnsembleRun, states: States) -> int:
    """The epoch after which no restart changes any more, however the epochs fall into stretches."""
    epochs = run.best_epochs(states)
    return run.hyperparameters.epochs if epochs is None else int(epochs.max()) + run.hyperparameters.patience


def _count_ended(run: EnsembleRun, states: States, epoch: int) -> int:
    epochs = run.best_epochs(states)
    return 0 if epochs is None else int(np.sum(epoch - epochs >= run.hyperparameters.patience))
