"""Sweeps: the runs of a grid of hyperparameters, of which those of one shape are trained by one program."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import msgspec
import numpy as np

from model.hyperparameters import Hyperparameters
from model.network import Network, parameter_count
from model.tables.table import Table
from model.training.ensemble_run import EnsembleRun
from model.training.joined_runs import JoinedRuns
from model.training.result import Progress, Result
from model.training.stretches import after_stretch, has_diverged, next_stretch

# Runs that are trained together: more would only delay their results.
MAX_RUNS, MAX_WORK, STEP_WORK = 64, 1e12, 1000
# Hyperparameters that may differ among runs that are trained together.
FREE = {"learning_rate": 1.0, "ensemble": 1, "threshold": 0.5}
STRETCH_SECONDS = 0.5


class Combination(NamedTuple):
    """One choice of all hyperparameters.

    Attributes:
        values: what the grid names.
        network: the description of the network.
        hyperparameters: how it is trained.
    """

    values: dict[str, Any]
    network: Network
    hyperparameters: Hyperparameters


class Trained(NamedTuple):
    """A run that has ended.

    Attributes:
        combination: the number of its combination.
        seed: of its key.
        result: as `fit` would return it; None if it diverged.
        epoch: how many epochs were done.
        seconds: how long it took: its share of the time of all runs that were trained together.
    """

    combination: int
    seed: int
    result: Result | None
    epoch: int
    seconds: float


def train_joined(runs: Sequence[EnsembleRun], show: Callable[[int], None]) -> list[Progress]:
    """Train runs of one shape together.

    Args:
        runs: as `JoinedRuns` takes them.
        show: is called after each stretch with the number of epochs done.

    Returns:
        Where each run stands at its end, as `train` would leave it.
    """
    joined = JoinedRuns(runs)
    states, epoch, seconds = joined.start(), 0, STRETCH_SECONDS
    ended = [Progress(run, ()) for run in runs]
    active = list(range(len(runs)))
    while active:
        stretch = next_stretch(ended[active[0]], max(1, int(STRETCH_SECONDS / seconds)))
        started = time.perf_counter()
        states, training, validation = joined.advance(states, epoch, stretch)
        states = jax.device_get(states)
        epoch += stretch.epochs
        for run in active:
            own, places = joined.states_of(run, states), joined.restarts_of(run)
            ended[run] = after_stretch(ended[run], stretch, own, training[:, places], validation[:, places])
        active = [run for run in active if not _has_ended(ended[run])]
        seconds = max(time.perf_counter() - started, 1e-5) / stretch.epochs
        show(epoch)
    return ended


def _has_ended(progress: Progress) -> bool:
    return has_diverged(progress) or progress.epoch >= progress.epochs or progress.ended >= progress.restarts
