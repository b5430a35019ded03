"""What `nudge sweep` shows: its progress, and at the end a line for each combination."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from model.checkpoint import Checkpoint
from model.commands.grid import combination_text, value_text
from model.commands.sweep_results import Summary
from model.messages import align_columns, count_text
from model.training.sweep_plan import Combination

MAX_LISTED_COMBINATIONS = 50


class Standing(NamedTuple):
    """Where a sweep stands.

    Attributes:
        runs: how many have ended.
        all_runs: how many there are.
        share: of the work that is done, from 0 to 1.
        best: the best combination so far, in words; empty if there is none.
        is_group_done: whether a group of runs has just ended.
    """

    runs: int
    all_runs: int
    share: float
    best: str
    is_group_done: bool


ShowStanding = Callable[[Standing], None]


@contextmanager
def shown_standing(as_json: bool) -> Iterator[ShowStanding]:
    """How progress is shown: as a bar with the time left in a terminal, as lines elsewhere, not at all with --json.

    Args:
        as_json: whether --json was given.

    Yields:
        A function that shows where the sweep stands.
    """
    if as_json or sys.stdout is None:
        yield lambda standing: None
    elif not sys.stdout.isatty():
        yield _line_printer()
    else:
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.fields[runs]}"), BarColumn(), TextColumn("{task.fields[best]}"))
        with Bar(*columns, TimeRemainingColumn()) as bar:
            task = bar.add_task("sweep", total=1.0, runs="", best="")
            yield lambda standing: bar.update(
                task, completed=standing.share, runs=_runs_text(standing), best=standing.best
            )


def _line_printer() -> ShowStanding:
    """Prints a line after each group, with the time left if the rest goes on at the same rate."""
    first: list[tuple[float, float]] = []

    def show(standing: Standing) -> None:
        now = time.monotonic()
        if not first:
            first.append((now, standing.share))
        if standing.is_group_done:
            done = standing.share - first[0][1]
            left = (now - first[0][0]) * (1 - standing.share) / done if done > 0 else math.nan
            parts = [_runs_text(standing), standing.best]
            parts += [f"about {_duration_text(left)} left"] if left > 0 else []
            click.echo("; ".join(filter(None, parts)))

    return show


def _runs_text(standing: Standing) -> str:
    return f"{standing.runs:,} of {count_text(standing.all_runs, 'run')}"


def _duration_text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def best_text(summaries: Sequence[Summary], combinations: Sequence[Combination], score: str) -> str:
    """The best combination so far, in words.

    Args:
        summaries: the best first.
        combinations: all.
        score: by which they are compared.

    Returns:
        One line; empty if no run has ended.
    """
    if not summaries or not math.isfinite(summaries[0].mean):
        return ""
    named = combination_text(combinations[summaries[0].combination].values)
    return f"best {score} {summaries[0].mean:.4f}" + (f" with {named}" if named else "")


class SweepEnd(NamedTuple):
    """What a sweep has led to.

    Attributes:
        summaries: of the combinations, the best first.
        combinations: all, in the order of the grid.
        score: by which they are compared.
        checkpoint: of the best run.
        out: where it was written.
        results: where the results of all runs were written.
        notes: how the table was read.
    """

    summaries: Sequence[Summary]
    combinations: Sequence[Combination]
    score: str
    checkpoint: Checkpoint
    out: Path
    results: Path
    notes: Sequence[str]


def sweep_text(end: SweepEnd) -> str:
    """The end of a sweep for people.

    Args:
        end: what it has led to.

    Returns:
        A line for each combination, the best first, and where things are.
    """
    summaries, score = end.summaries, end.score
    shown = summaries[:MAX_LISTED_COMBINATIONS]
    others = [name for name in ("AUC", "accuracy", "R²", "solved") if any(name in row for row in summaries[0].rows)]
    names = list(end.combinations[0].values)
    table = [[*names, score, "spread", *others, "epochs", "parameters", "seconds", ""]]
    table += [_cells(each, end.combinations, others) for each in shown]
    more = len(summaries) - len(shown)
    best = summaries[0].rows[0]
    count = len(summaries[0].rows)
    lines = [
        align_columns(
            [list(row) for row in zip(*(_align(column) for column in zip(*table, strict=True)), strict=True)]
        ),
        *([f"{count_text(more, 'more combination')} in {end.results}."] if more else []),
        "",
        f"Means over {count_text(count, 'seed')}, and the standard deviation of the {score} as its spread.",
        f"Kept: the best run of the best combination, seed {best['seed']}, {score} {best[score]:.4f}.",
        f"Written: {end.out} (version {end.checkpoint.version})",
        f"Results: {end.results}",
    ]
    return "\n".join(lines)


def _align(column: Sequence[str]) -> list[str]:
    """A column with its cells to the right, if they are numbers."""
    width = max(map(len, column))
    are_numbers = all(cell.replace(",", "").replace(".", "").lstrip("-").isdigit() for cell in column[1:] if cell)
    return [cell.rjust(width) if are_numbers else cell for cell in column]


def _cells(summary: Summary, combinations: Sequence[Combination], others: Sequence[str]) -> list[str]:
    def mean(name: str) -> float:
        values = [row[name] for row in summary.rows if row.get(name) is not None]
        return float(np.mean(values)) if values else math.nan

    diverged = sum(row["loss"] is None and row["validation_loss"] is None for row in summary.rows)
    return [
        *map(value_text, combinations[summary.combination].values.values()),
        _number_text(summary.mean),
        _number_text(summary.spread),
        *(_number_text(mean(name)) for name in others),
        f"{mean('epoch'):.0f}",
        f"{summary.rows[0]['parameters']:,}",
        f"{mean('seconds'):.2f}",
        f"{diverged} of {count_text(len(summary.rows), 'run')} diverged" if diverged else "",
    ]


def _number_text(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else ""


def json_of_sweep(end: SweepEnd) -> str:
    """The end of a sweep as one JSON object.

    Args:
        end: what it has led to.

    Returns:
        A line of JSON.
    """

    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    described: list[dict[str, Any]] = [
        {"values": end.combinations[each.combination].values, "mean": finite(each.mean), "spread": finite(each.spread)}
        | {"runs": len(each.rows), "best_seed": each.rows[0]["seed"]}
        for each in end.summaries
    ]
    return json.dumps(
        {
            "score": end.score,
            "best": end.summaries[0].rows[0],
            "combinations": described,
            "runs": sum(len(each.rows) for each in end.summaries),
            "out": str(end.out),
            "results": str(end.results),
            "version": end.checkpoint.version,
            "notes": list(end.notes),
        }
    )
