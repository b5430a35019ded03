"""The results of a sweep: a row for each run, and how good each combination is over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from model.commands.grid import value_text
from model.network import parameter_count
from model.tasks import TASKS
from model.training.sweep import FinishedRun
from model.training.sweep_plan import Combination

# A row of the file of results: numbers and texts by the names of the columns; None for what is not there.
Row = dict[str, Any]


class Summary(NamedTuple):
    """One combination over all its seeds.

    Attributes:
        combination: its number.
        mean: of the score over the seeds; smaller is better. Infinite if a run diverged.
        spread: the standard deviation of the score over the seeds; NaN of a single run.
        rows: of its runs, the best first.
    """

    combination: int
    mean: float
    spread: float
    rows: list[Row]


def row_of(finished: FinishedRun, combination: Combination) -> Row:
    """The row of a run.

    Args:
        finished: the run.
        combination: its combination.

    Returns:
        The number of the combination, what the grid names, the seed, the epochs, the losses of the best restart, each
        metric, how many restarts solve a truth table, the parameters of one network, and the seconds.
    """
    result = finished.result
    row: Row = {"combination": finished.run.combination}
    row |= {name: _cell(value) for name, value in finished.values.items()}
    row |= {"seed": finished.run.seed, "epoch": finished.progress.epoch}
    row |= {"loss": None, "validation_loss": None}
    if result is not None:
        training = result.history.losses[:, result.best]
        recorded = training[np.isfinite(training)]
        row["loss"] = float(recorded[-1]) if len(recorded) else None
        row["loss" if not len(result.held_out) else "validation_loss"] = result.loss
        row |= result.metrics
        if finished.progress.run.table.complete:
            row["solved"] = result.solved
    row |= {"parameters": parameter_count(combination.network), "seconds": finished.seconds}
    return row


def _cell(value: Any) -> Any:
    """A value as a column of Parquet can hold it."""
    return value_text(value) if isinstance(value, tuple) else value


def score_name(task: str, complete: bool) -> str:
    """By which column runs are compared; smaller is better.

    Args:
        task: of the table.
        complete: whether it is a truth table, which has no metrics.

    Returns:
        The name of the column.

    Example:
        >>> score_name("binary", complete=False), score_name("binary", complete=True)
        ('log loss', 'loss')
    """
    return "loss" if complete else TASKS[task].score


def summarize(rows: Sequence[Row], score: str) -> list[Summary]:
    """The combinations, the best first.

    Args:
        rows: of the runs that have ended.
        score: by which column they are compared.

    Returns:
        A summary of each combination that has a row. Those with a run that diverged come last.

    Example:
        >>> rows = [{"combination": index, "seed": seed, "loss": index + seed} for index in (1, 0) for seed in (0, 2)]
        >>> [(each.combination, each.mean, round(each.spread, 4)) for each in summarize(rows, "loss")]
        [(0, 1.0, 1.4142), (1, 2.0, 1.4142)]
    """
    by_combination: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["combination"], row["seed"])):
        by_combination.setdefault(row["combination"], []).append(row)
    summaries = []
    for combination, own in by_combination.items():
        scores = np.array([score_of(row, score) for row in own])
        is_finite = bool(np.isfinite(scores).all())
        spread = float(scores.std(ddof=1)) if is_finite and len(scores) > 1 else math.nan
        mean = float(scores.mean()) if is_finite else math.inf
        summaries.append(Summary(combination, mean, spread, sorted(own, key=lambda row: score_of(row, score))))
    return sorted(summaries, key=lambda each: (each.mean, score_of(each.rows[0], score)))


def score_of(row: Row, score: str) -> float:
    """The score of a run; smaller is better.

    Args:
        row: of the run.
        score: the name of the column.

    Returns:
        The score; infinite if the run diverged.
    """
    value = row.get(score)
    return math.inf if value is None or not math.isfinite(value) else float(value)
