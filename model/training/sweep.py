"""Sweeps: every combination of some hyperparameters with every seed; runs of one shape are trained together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import jax
import numpy as np

from model.arrays import is_count
from model.hyperparameters import Hyperparameters
from model.hyperparameters import replace as replace_hyperparameters
from model.network import Network, parameter_count
from model.tables.columns import NumericColumn
from model.tables.table import Table
from model.training.defaults import default_hyperparameters, default_network
from model.training.ensemble_run import EnsembleRun, States
from model.training.joined_runs import JoinedRuns, alike, shape_of_run
from model.training.preparation import better_scaling, check_table, prepare_run, settled_scaling, trial_runs
from model.training.processes import agree
from model.training.result import Progress, Result
from model.training.run import Stretch
from model.training.state import RECORD_CAPACITY
from model.training.stretches import after_stretch, epochs_until_lost, has_diverged, next_stretch

# At most so many runs are trained together, with about as much work and memory: more would only delay their results.
MAX_RUNS, MAX_WORK, MAX_HELD_NUMBERS = 64, 1e12, 100_000_000
# What a step costs that has nothing to compute, in multiplications.
STEP_WORK = 1000
# Seconds that a stretch of all runs together should take.
STRETCH_SECONDS = 0.5
# The least time that a stretch is taken to last.
SHORTEST_SECONDS = 1e-5


class Combination(NamedTuple):
    """One choice of all hyperparameters.

    Attributes:
        values: those that the grid names.
        network: the description of the network.
        hyperparameters: how it is trained.
    """

    values: dict[str, Any]
    network: Network
    hyperparameters: Hyperparameters


class Run(NamedTuple):
    """One combination with one seed.

    Attributes:
        combination: the number of the combination, from 0.
        seed: of the random key.
    """

    combination: int
    seed: int


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


def combine(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values of a grid.

    Args:
        grid: some values for each name.

    Returns:
        One value for each name in each combination; the last name changes fastest.

    Example:
        >>> combine({"a": [1, 2], "b": [3]})
        [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def plan_groups(table: Table, combinations: Sequence[Combination], seeds: int) -> list[tuple[Run, ...]]:
    """Which runs are trained together: those of one shape, but not too many, so that some results come early.

    Args:
        table: what is learned from.
        combinations: at least one.
        seeds: how many there are, from 1.

    Returns:
        Groups of runs, the same for the same arguments. Those of one shape are of about the same size.
    """
    shapes: dict[Any, list[Run]] = {}
    for index, (_, network, h) in enumerate(combinations):
        shapes.setdefault((network, alike(h)), []).extend(Run(index, seed) for seed in range(seeds))
    groups = []
    for runs in shapes.values():
        one = combinations[runs[0].combination]
        most = max(1, min(MAX_RUNS, int(MAX_WORK / work_of(table, one)), MAX_HELD_NUMBERS // _held_numbers(table, one)))
        parts = np.array_split(np.arange(len(runs)), -(-len(runs) // most))
        groups += [tuple(runs[place] for place in part) for part in parts]
    return groups


def work_of(table: Table, combination: Combination) -> float:
    """About how much work a run is, in multiplications.

    Args:
        table: what is learned from.
        combination: of the run.

    Returns:
        A number above 0.
    """
    h, rows = combination.hyperparameters, len(table.y)
    steps = -(-rows // min(h.batch_size or rows, rows))
    return float(h.restarts * h.epochs * (rows * parameter_count(combination.network) + steps * STEP_WORK))


def _held_numbers(table: Table, combination: Combination) -> int:
    """About how many numbers a run holds: of its restarts, and the order and the weights of its rows."""
    h = combination.hyperparameters
    by_restart = 5 * parameter_count(combination.network) + 2 * RECORD_CAPACITY
    return h.restarts * by_restart + 3 * len(h.encodings) * h.folds * len(table.y)


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
    scalings = _choose_scalings(table, combinations, group)
    prepared = []
    for run, scaling in zip(group, scalings, strict=True):
        _, network, h = combinations[run.combination]
        prepared.append(prepare_run(network, table, h, jax.random.key(run.seed), scaling))
    ended = train_runs(prepared, show)
    share = (time.perf_counter() - started) / len(group)
    return [_finish(run, combinations, progress, share) for run, progress in zip(group, ended, strict=True)]


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
    after = jax.device_get(joined.gather(after))
    places = {run: joined.restarts_of(run) for run in standing}
    advanced = {
        run: after_stretch(
            progress, stretch, joined.states_of(run, after), training[:, places[run]], validation[:, places[run]]
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
