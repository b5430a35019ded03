"""The plan of a sweep: its combinations, its runs, and which of them are trained together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from model.hyperparameters import Hyperparameters
from model.network import Network, parameter_count
from model.tables.table import Table
from model.training.joined_runs import alike
from model.training.state import RECORD_CAPACITY

# At most so many runs are trained together, with about as much work and memory: more would only delay their results.
MAX_RUNS, MAX_WORK, MAX_HELD_NUMBERS = 64, 1e12, 100_000_000
# What a step costs that has nothing to compute, in multiplications.
STEP_WORK = 1000


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
