"""Sweeps: every combination of some hyperparameters with every seed; runs of one shape are trained together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from model.arrays import is_count
from model.hyperparameters import replace as replace_hyperparameters
from model.tables.columns import NumericColumn
from model.tables.table import Table
from model.training.defaults import default_hyperparameters, default_network
from model.training.ensemble_run import EnsembleRun, States
from model.training.joined_runs import JoinedRuns, shape_of_run
from model.training.preparation import better_scaling, check_table, prepare_run, settled_scaling, trial_runs
from model.training.processes import agree
from model.training.result import Progress, Result
from model.training.run import Stretch
from model.training.stretches import SHORTEST_SECONDS, after_stretch, epochs_until_lost, has_diverged, next_stretch
from model.training.sweep_plan import Combination, Run, combine, plan_groups

# Seconds that a stretch of all runs together should take.
STRETCH_SECONDS = 0.5


class FinishedRun(NamedTuple):
    """A run that has ended.

    Attributes:
        run: which one.
        values: what the grid names in its combination.
        progress: where it stands at its end.
        result: what `fit` with the same arguments returns, but without the intervals of its metrics, which would take
            long; `progress.result()` has them. None if it diverged.
        seconds: its share of the time of all runs that were trained together, and the time of its result.
    """

    run: Run
    values: dict[str, Any]
    progress: Progress
    result: Result | None
    seconds: float


def sweep(
    table: Table,
    grid: Mapping[str, Sequence[Any]],
    *,
    seeds: int = 8,
    hidden: tuple[int, ...] | None = None,
    activation: str = "relu",
    **options: Any,
) -> Iterator[FinishedRun]:
    """Train every combination of a grid from every seed.

    Each run is what `fit` does with the same arguments and `jax.random.key(seed)`. Runs of the same shape are trained
    together by one program, so that it is compiled once and no processor waits.

    Args:
        table: what to learn from.
        grid: some values for each name: fields of `Hyperparameters`, hidden or activation.
        seeds: how many there are, from 1; the seeds are 0, 1, ….
        hidden: units of each hidden layer; by default as in `default_network`.
        activation: of the hidden layers.
        options: fields of `Hyperparameters` that are the same in all runs.

    Yields:
        The runs, as they end.

    Raises:
        TypeError: for an unknown name.
        ValueError: if a value is out of its range, or does not fit the table.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> runs = list(sweep(truth_table("or"), {"learning_rate": [0.1, 1.0]}, seeds=2, epochs=50, restarts=3))
        >>> [(each.values["learning_rate"], each.run.seed, each.result.epoch) for each in runs]
        [(0.1, 0, 50), (0.1, 1, 50), (1.0, 0, 50), (1.0, 1, 50)]
    """
    if not is_count(seeds):
        raise ValueError(f"seeds must be a whole number from 1, not {seeds!r:.40}")
    combinations = []
    for values in combine(grid):
        named: dict[str, Any] = {"hidden": hidden, "activation": activation, **options, **values}
        network = default_network(table, named.pop("hidden"), named.pop("activation"))
        h = replace_hyperparameters(default_hyperparameters(table), **named)
        check_table(network, table, h)
        combinations.append(Combination(values, network, h))
    for group in plan_groups(table, combinations, seeds):
        yield from train_group(table, combinations, group)


def train_group(
    table: Table,
    combinations: Sequence[Combination],
    group: Sequence[Run],
    show: Callable[[float], None] = lambda share: None,
) -> list[FinishedRun]:
    """Train the runs of a group to their ends.

    Args:
        table: what is learned from.
        combinations: all of them.
        group: of runs, as `plan_groups` gives it.
        show: is called after each stretch with the share of the epochs that is done, from 0 to 1.

    Returns:
        The runs in their order.
    """
    started = time.perf_counter()
    # By seeds, because runs of one combination end early together: then each thread has some of every combination.
    ordered = sorted(group, key=lambda run: run.seed)
    scalings = _choose_scalings(table, combinations, ordered)
    prepared = []
    for run, scaling in zip(ordered, scalings, strict=True):
        _, network, h = combinations[run.combination]
        prepared.append(prepare_run(network, table, h, jax.random.key(run.seed), scaling))
    ended = dict(zip(ordered, train_runs(prepared, show), strict=True))
    share = (time.perf_counter() - started) / len(group)
    return [_finish(run, combinations, ended[run], share) for run in group]


def _finish(run: Run, combinations: Sequence[Combination], progress: Progress, seconds: float) -> FinishedRun:
    started = time.perf_counter()
    result = None if has_diverged(progress) else progress.result(with_intervals=False)
    seconds += time.perf_counter() - started
    return FinishedRun(run, combinations[run.combination].values, progress, result, seconds)


def _choose_scalings(table: Table, combinations: Sequence[Combination], group: Sequence[Run]) -> list[NumericColumn]:
    """The scaling of each run's target. All trials that this needs are trained together."""
    found, trials = {}, {}
    for run in group:
        _, network, h = combinations[run.combination]
        scaling = settled_scaling(table, h)
        if scaling is None:
            trials[run] = trial_runs(network, table, h, jax.random.key(run.seed))
        else:
            found[run] = scaling
    ended = train_runs([trial for pair in trials.values() for trial in pair], lambda share: None)
    errors = [np.inf if has_diverged(each) else each.result(with_intervals=False).metrics["RMSE"] for each in ended]
    for index, run in enumerate(trials):
        found[run] = better_scaling(table, errors[2 * index : 2 * index + 2])
    return [found[run] for run in group]


def train_runs(runs: Sequence[EnsembleRun], show: Callable[[float], None]) -> list[Progress]:
    """Train runs, those of one shape together.

    Args:
        runs: any.
        show: as in `train_group`.

    Returns:
        Where each run stands at its end, as `train` would leave it.
    """
    shapes: dict[Any, list[int]] = {}
    for place, run in enumerate(runs):
        shapes.setdefault(shape_of_run(run), []).append(place)
    ended: dict[int, Progress] = {}
    for places in shapes.values():
        before = len(ended) / len(runs)

        def show_all(share: float, before: float = before, size: float = len(places) / len(runs)) -> None:
            show(before + share * size)

        ended |= zip(places, _train_joined(JoinedRuns([runs[place] for place in places]), show_all), strict=True)
    return [ended[place] for place in range(len(runs))]


def _train_joined(joined: JoinedRuns, show: Callable[[float], None]) -> list[Progress]:
    epochs, epoch, seconds_per_epoch = joined.hyperparameters.epochs, 0, STRETCH_SECONDS
    states = joined.start()
    standing = dict(enumerate(Progress(run, ()) for run in joined.runs))
    ended: dict[int, Progress] = {}
    while standing:
        stretch = next_stretch(next(iter(standing.values())), agree(max(1, int(STRETCH_SECONDS / seconds_per_epoch))))
        started = time.perf_counter()
        states, standing = _advance(joined, states, standing, epoch, stretch)
        epoch += stretch.epochs
        ended |= {run: progress for run, progress in standing.items() if _has_ended(progress)}
        standing = {run: progress for run, progress in standing.items() if run not in ended}
        seconds_per_epoch = max(time.perf_counter() - started, SHORTEST_SECONDS) / stretch.epochs
        show(min(epoch / epochs, 1.0))
    return [ended[run] for run in range(len(joined.runs))]


def _advance(
    joined: JoinedRuns, states: States, standing: dict[int, Progress], epoch: int, stretch: Stretch
) -> tuple[States, dict[int, Progress]]:
    """Take all runs through a stretch. standing: those that have not ended, after so many epochs."""
    after, training, validation = joined.advance(states, epoch, stretch)
    whole = joined.gather(after)
    places = {run: joined.restarts_of(run) for run in standing}
    advanced = {
        run: after_stretch(
            progress, stretch, joined.states_of(run, whole), training[:, places[run]], validation[:, places[run]]
        )
        for run, progress in standing.items()
    }
    lost = [run for run, progress in advanced.items() if has_diverged(progress)]
    if lost:
        counts = epochs_until_lost(joined, states, epoch, stretch.epochs, [places[run] for run in lost])
        advanced |= {run: replace(advanced[run], epoch=epoch + count) for run, count in zip(lost, counts, strict=True)}
    return after, advanced


def _has_ended(progress: Progress) -> bool:
    return has_diverged(progress) or progress.epoch >= progress.epochs or progress.ended >= progress.restarts
