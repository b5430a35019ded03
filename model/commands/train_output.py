"""What `nudge train` shows: its progress, and at the end what was learned."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import jax
import msgspec
import numpy as np

from model.checking.report import Report
from model.checkpoint import Checkpoint, CheckpointError, TrainingRecord, default_checkpoint
from model.commands.evaluation_text import evaluation_text
from model.commands.shared import DIRECTORY, notes_text
from model.diagnosing.findings import Diagnosis
from model.diagnosing.why_stuck import why_stuck
from model.hyperparameters import replace as replace_hyperparameters
from model.messages import align_columns, count_text, escape_unprintable
from model.network import predict
from model.tables.table import Table
from model.tasks import TASKS
from model.training.result import Progress, Result
from model.training.streamed_run import StreamedRun, windows_done

ShowProgress = Callable[[Progress], None]


@contextmanager
def shown_progress(as_json: bool) -> Iterator[ShowProgress]:
    """How progress is shown: as a bar in a terminal, as lines elsewhere, and not at all with --json.

    Args:
        as_json: whether --json was given.

    Yields:
        A function that shows a snapshot.
    """
    if as_json or sys.stdout is None:
        yield lambda progress: None
    elif not sys.stdout.isatty():
        yield _print_records
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[losses]}"), TimeRemainingColumn())
        with Bar(TextColumn("Epoch"), *columns) as bar:
            task = bar.add_task("training", total=None, losses="")
            yield lambda progress: bar.update(
                task,
                completed=progress.epoch,
                total=progress.epochs,
                losses=_losses_text(progress) + _windows_text(progress),
            )


def _losses_text(progress: Progress) -> str:
    smallest = np.nan if progress.losses is None else np.nanmin(progress.losses)
    if progress.placed[0].best is None:
        return f"loss {smallest:.4f}"
    recorded = [record.losses[-1] for record in progress.records if len(record.losses)]
    training = np.nanmin(recorded[-1]) if recorded and not np.isnan(recorded[-1]).all() else np.nan
    return f"loss {training:.4f}, validation {smallest:.4f}"


def _windows_text(progress: Progress) -> str:
    """How far the epoch is, if it takes the rows in windows."""
    if not isinstance(progress.run, StreamedRun):
        return ""
    return f", window {windows_done(progress.placed[0]):,} of {progress.run.reader.plan.windows:,}"


def _print_records(progress: Progress) -> None:
    lines = []
    for epoch, losses, validation in zip(*progress.records[-1], strict=True):
        if np.isnan(losses).all():
            continue
        line = f"Epoch {epoch}, Loss: {np.nanmin(losses):.4f}"
        lines.append(line if np.isnan(validation).all() else f"{line}, Validation: {np.nanmin(validation):.4f}")
    if lines:
        click.echo("\n".join(lines))


def diagnose(result: Result, data: Table) -> Diagnosis | None:
    """Why the best start has not solved a truth table.

    Args:
        result: what training has found.
        data: what was learned from.

    Returns:
        The reasons; None if it has solved it, or if there is nothing to solve.
    """
    best = result.ensemble[0]
    if not data.complete or result.solved or best.bins is not None:
        return None
    return why_stuck(
        best.member(0),
        data,
        best.network,
        hyperparameters=replace_hyperparameters(result.hyperparameters, epochs=result.epoch),
        losses=result.history.losses[:, result.best],
    )


def json_text(
    checkpoint: Checkpoint,
    data: Table,
    report: Report,
    out: Path,
    notes: tuple[str, ...],
    diagnosis: Diagnosis | None,
) -> str:
    """The end of training as one JSON object.

    Args:
        checkpoint: what was learned.
        data: what it was learned from.
        report: of the check of its gradients.
        out: where it was written.
        notes: what is wrong with the split, one sentence each.
        diagnosis: why a truth table is not solved; None if it is, and for any other table.

    Returns:
        A line of JSON.
    """
    summary = msgspec.to_builtins(checkpoint.training) | {
        "threshold": checkpoint.threshold,
        "threshold_rule": checkpoint.training.threshold,
        "max_relative_error": report.max_relative_error,
        "out": str(out),
        "version": checkpoint.version,
        "notes": [*data.notes, *notes],
    }
    if data.complete:
        summary["predictions"] = np.asarray(jax.jit(predict)(checkpoint.params, data.x, checkpoint.network)).tolist()
        summary["why_stuck"] = None if diagnosis is None else diagnosis.as_data()
    return json.dumps(summary)


def train_text(
    checkpoint: Checkpoint,
    data: Table,
    report: Report,
    out: Path,
    notes: tuple[str, ...],
    diagnosis: Diagnosis | None,
) -> str:
    """The end of training for people.

    Args:
        checkpoint: what was learned.
        data: what it was learned from.
        report: of the check of its gradients.
        out: where it was written.
        notes: what is wrong with the split, one sentence each.
        diagnosis: why a truth table is not solved; None if it is, and for any other table.

    Returns:
        Several lines. After how to serve the checkpoint comes why it is stuck, if it is.
    """
    lines = _truth_table_lines(checkpoint, data) if data.complete else _metrics_lines(checkpoint)
    return "\n".join(
        [
            *lines,
            *([notes_text(notes)] if notes else []),
            report.summary(),
            f"Written: {out} (version {checkpoint.version})",
            f"Serve it: {_serve_command(out)}",
            *([] if diagnosis is None else ["", str(diagnosis)]),
        ]
    )


def _truth_table_lines(checkpoint: Checkpoint, data: Table) -> list[str]:
    record = checkpoint.training
    predictions = np.asarray(jax.jit(predict)(checkpoint.params, data.x, checkpoint.network))
    labels = TASKS[data.task].class_indices(predictions)
    rows = [[*data.columns, data.target, "prediction", "label", ""]]
    for x, y, prediction, label in zip(data.x, data.y, predictions, labels, strict=True):
        remark = "" if label == y else "wrong"
        rows.append([*(f"{value:g}" for value in x), f"{y:g}", f"{prediction:.4f}", str(label), remark])
    right = int(np.sum(labels == data.y))
    starts = "start" if record.restarts == 1 else "starts"
    lines = [
        align_columns(rows),
        "",
        f"Loss {record.loss:.4f} after {count_text(record.epoch, 'epoch')}; {right} of {len(labels)} rows right.",
        f"{record.solved} of {record.restarts} {starts} solved it; the best one is kept.",
    ]
    if record.solved == 0:
        lines.append("None has every row right: try more --restarts, more --epochs, or --hidden with more units.")
    return lines


def _metrics_lines(checkpoint: Checkpoint) -> list[str]:
    record, task = checkpoint.training, TASKS[checkpoint.task]
    held_out = f"{record.held_out:,} rows held out"
    measured = held_out if record.held_out else "rows that were learned from, none held out"
    dropped = f" {record.dropped:,} rows without a target to learn from were left out." if record.dropped else ""
    lines = [
        evaluation_text(checkpoint, task.baseline),
        "",
        f"On {measured}; {task.name}, {count_text(record.epoch, 'epoch')}.{dropped}",
        *([f"Held out: {escape_unprintable(record.split)}."] if record.held_out else []),
        _kept_text(checkpoint),
    ]
    if not beats_baseline(record, task.score):
        lines.append(
            f"Warning: the network does not beat the {task.baseline}; the columns may not tell {checkpoint.target}."
        )
    return lines


def _kept_text(checkpoint: Checkpoint) -> str:
    """Which networks are kept."""
    started, kept = checkpoint.training.restarts, checkpoint.member_count
    if kept == started:
        return "The network is kept." if kept == 1 else f"All {kept} networks are kept."
    if len(checkpoint.training.encodings) > len(checkpoint.ensemble):
        seen = "numbers" if checkpoint.ensemble[0].bins is None else "bins"
        return f"Of {started} networks the {kept} that see {seen} are kept."
    return f"Of {started} starts the best {'one is' if kept == 1 else f'{kept} are'} kept."


def beats_baseline(record: TrainingRecord, score: str) -> bool:
    """Whether a network is better than its baseline.

    Args:
        record: of the training, with metrics.
        score: the metric that counts; smaller is better.

    Returns:
        True if the network's score is the smaller one.
    """
    return record.metrics[score] < record.baseline[score]


def _serve_command(out: Path) -> str:
    """The command that serves this file, with no more settings than it needs."""
    settings = [] if out.parent == DIRECTORY else [f"NUDGE_CHECKPOINTS={shlex.quote(str(out.parent))}"]
    try:
        is_default = default_checkpoint(out.parent) == out
    except CheckpointError:
        is_default = False
    if not is_default:
        settings.append(f"NUDGE_MODEL={shlex.quote(out.stem)}")
    return " ".join([*settings, "make serve" if os.environ.get("MAKELEVEL") else "nudge serve"])
