"""What `nudge train` shows: its progress, and at the end what was learnt."""

from __future__ import annotations

import json
import math
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
from model.checkpoint import Checkpoint, CheckpointError, Training, default_checkpoint
from model.commands.check import DIRECTORY
from model.messages import aligned
from model.network import predict
from model.tables.table import Table
from model.training.fit import Progress

Show = Callable[[Progress], None]


@contextmanager
def shown_progress(as_json: bool) -> Iterator[Show]:
    """What shows progress: a bar in a terminal, lines elsewhere, nothing with --json."""
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
                task, completed=progress.epoch, total=progress.epochs, losses=_losses_text(progress)
            )


def _losses_text(progress: Progress) -> str:
    if progress.state.best is None:
        return f"loss {np.nanmin(progress.losses):.4f}"
    recent = [record.training for record in progress.records if len(record.training)]
    last = recent[-1][-1] if recent else np.full(1, math.nan)
    training_loss = math.nan if np.isnan(last).all() else np.nanmin(last)
    return f"loss {training_loss:.4f}, validation {np.nanmin(progress.losses):.4f}"


def _print_records(progress: Progress) -> None:
    lines = []
    for epoch, row, validation in zip(*progress.records[-1], strict=True):
        if np.isnan(row).all():
            continue
        line = f"Epoch {epoch}, Loss: {np.nanmin(row):.4f}"
        lines.append(line if np.isnan(validation).all() else f"{line}, Validation: {np.nanmin(validation):.4f}")
    if lines:
        click.echo("\n".join(lines))


def json_text(checkpoint: Checkpoint, data: Table, report: Report, out: Path) -> str:
    """The end of training as one JSON object."""
    summary = msgspec.to_builtins(checkpoint.training) | {
        "max_relative_error": report.max_relative_error,
        "out": str(out),
        "version": checkpoint.version,
    }
    if data.complete:
        summary["predictions"] = np.asarray(jax.jit(predict)(checkpoint.params, data.x, checkpoint.network)).tolist()
    return json.dumps(summary)


def train_text(checkpoint: Checkpoint, data: Table, report: Report, out: Path) -> str:
    """The end of training for people."""
    lines = _truth_table_lines(checkpoint, data) if data.complete else _metrics_lines(checkpoint)
    return "\n".join(
        [
            *lines,
            report.summary(),
            f"Written: {out} (version {checkpoint.version})",
            f"Serve it: {_serve_command(out)}",
        ]
    )


def _truth_table_lines(checkpoint: Checkpoint, data: Table) -> list[str]:
    record = checkpoint.training
    predictions = np.asarray(jax.jit(predict)(checkpoint.params, data.x, checkpoint.network))
    labels = (predictions >= 0.5).astype(int)
    rows = [[*data.columns, data.target, "prediction", "label", ""]]
    for x, y, prediction, label in zip(data.x, data.y, predictions, labels, strict=True):
        remark = "" if label == y else "wrong"
        rows.append([*(f"{value:g}" for value in x), f"{y:g}", f"{prediction:.4f}", str(label), remark])
    right = int(np.sum(labels == data.y))
    starts = "start" if record.restarts == 1 else "starts"
    lines = [
        aligned(rows),
        "",
        f"Loss {record.loss:.4f} after {record.epoch:,} epochs; {right} of {len(labels)} rows right.",
        f"{record.solved} of {record.restarts} {starts} solved it; the best one is kept.",
    ]
    if record.solved == 0:
        lines.append("None has every row right: try more --restarts, more --epochs, or --hidden with more units.")
    return lines


def _metrics_lines(checkpoint: Checkpoint) -> list[str]:
    record = checkpoint.training
    guess = "mean" if checkpoint.network.task == "regression" else "majority class"
    on = f"{record.held_out:,} rows held out" if record.held_out else "rows that were learnt from, none held out"
    rows = [["", "network", guess]]
    for name, value in record.metrics.items():
        rows.append([name, f"{value:.4f}", f"{record.baseline[name]:.4f}" if name in record.baseline else ""])
    dropped = f" {record.dropped:,} rows without a target were left out." if record.dropped else ""
    kept = "the best one is" if checkpoint.members == 1 else f"the best {checkpoint.members} are"
    lines = [
        aligned(rows),
        "",
        f"On {on}; {checkpoint.network.task}, {record.epoch:,} epochs.{dropped}",
        f"Of {record.restarts} starts {kept} kept.",
    ]
    if not beats_baseline(record):
        lines.append(
            f"Warning: the network does not beat the {guess}; what is in the columns may not tell {checkpoint.target}."
        )
    return lines


def beats_baseline(record: Training) -> bool:
    """Whether the network's log loss, or error, is below that of the baseline."""
    name = "log loss" if "log loss" in record.metrics else "RMSE"
    return record.metrics[name] < record.baseline[name]


def _serve_command(out: Path) -> str:
    """What serves this file: no more than differs from the defaults."""
    settings = [] if out.parent == DIRECTORY else [f"NUDGE_CHECKPOINTS={shlex.quote(str(out.parent))}"]
    try:
        named = default_checkpoint(out.parent) != out
    except CheckpointError:
        named = True
    if named:
        settings.append(f"NUDGE_MODEL={shlex.quote(out.stem)}")
    command = (
        "make serve" if os.environ.get("MAKELEVEL") else "gunicorn -c python:serve.gunicorn_conf 'serve:create_app()'"
    )
    return " ".join([*settings, command])
