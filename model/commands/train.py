"""`nudge train`: from the name of a truth table or a file to a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import jax
import msgspec
import numpy as np

from model.checkpoint import SUFFIX, Checkpoint, check_path, load, save
from model.commands.check import check_checkpoint
from model.commands.column_table import MAX_LISTED_COLUMNS, table_text
from model.commands.interrupts import interrupts
from model.commands.shared import DIRECTORY, notes_text
from model.commands.table_options import TableOptions, read_named_table, reading_options
from model.commands.train_output import ShowProgress, json_text, shown_progress, train_text
from model.commands.training_options import COUNT, chosen_settings, training_options
from model.diagnosing.findings import Diagnosis
from model.diagnosing.why_stuck import why_stuck
from model.hyperparameters import Hyperparameters
from model.hyperparameters import replace as replace_hyperparameters
from model.network import Network
from model.tables.columns import NumericColumn
from model.tables.file_patterns import describe_paths, stem_of_paths
from model.tables.table import Table
from model.training.fit import train as train_snapshots
from model.training.result import Progress, Result, make_checkpoint
from model.training.split_text import split_notes

# A run that goes on from another may have other values of these.
MAY_CHANGE = {"epochs", "ensemble", "log_every", "threshold"}


@click.command()
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@reading_options
@training_options
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--save-every", type=COUNT, help="Write the checkpoint during training too, after about so many epochs.")
@click.option(
    "--out", type=click.Path(path_type=Path), help=f"Where to write it.  [default: {DIRECTORY}/TABLE{SUFFIX}]"
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint that --out names, if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end and nothing else.")
def train(
    tables: tuple[str, ...],
    table_options: TableOptions,
    fast: bool,
    hidden: tuple[int, ...] | None,
    activation: str,
    seed: int,
    save_every: int | None,
    out: Path | None,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train on TABLE from many starts at once and keep the best.

    TABLE is a CSV, Parquet or .xlsx file, with --target; or xor (the default), and, or, nand, nor or xnor. Several
    files with the same columns are one table; a pattern in quotes, such as 'part-*.csv', names them too. The checkpoint
    has the name of the first file, or the part of the pattern before its first special character: part.
    """
    tables = tables or ("xor",)
    out = out or DIRECTORY / f"{stem_of_paths(tables)}{SUFFIX}"
    check_path(out)
    files = options.pop("validation") if isinstance(options["validation"], str) else None
    data = read_named_table(tables, table_options, files)
    if not (data.complete or as_json):
        click.echo(table_text(data, MAX_LISTED_COLUMNS))
        click.echo(f"{notes_text(data.notes)}\n" if data.notes else "")
    network, hyperparameters = chosen_settings(data, fast, hidden, activation, options)
    job = TrainingJob(describe_paths([Path(each).name for each in tables]), data, network, hyperparameters, seed, out)
    interrupts.hold()
    start = job.resume_point() if resume else None
    with shown_progress(as_json) as show:
        result = _until_interrupted(job, start, show, save_every)
    with interrupts.lock:
        checkpoint = job.save(result)
        interrupts.release(
            f"stopped after epoch {result.epoch:,} of {hyperparameters.epochs:,}, loss {result.loss:.4f}; "
            f"{out} keeps it."
        )
    show_end = json_text if as_json else train_text
    notes = split_notes(data, result.held_out, result.folds)
    click.echo(show_end(checkpoint, data, check_checkpoint(checkpoint), out, notes, _diagnosis(result, data)))


def _diagnosis(result: Result, data: Table) -> Diagnosis | None:
    """Why the best start has not solved a truth table; None if it has, or if there is nothing to solve."""
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


class ResumePoint(NamedTuple):
    """Where an earlier run stands: the arguments of `train` to go on from it.

    Attributes:
        resume: the leaves of its state, and its epoch.
        target_scaling: of its target.
    """

    resume: tuple[tuple[np.ndarray, ...], int]
    target_scaling: NumericColumn


@dataclass(frozen=True)
class TrainingJob:
    """What is trained on what, and where it is written.

    Attributes:
        table_name: the table's, for people.
        table: what is learned from.
        network: the description of the network.
        hyperparameters: how.
        seed: of the random key.
        out: the checkpoint's file.
    """

    table_name: str
    table: Table
    network: Network
    hyperparameters: Hyperparameters
    seed: int
    out: Path

    def train(self, resume: ResumePoint | None) -> Iterator[Progress]:
        """The snapshots of training. Raises click.UsageError if it cannot be done."""
        options = msgspec.structs.asdict(self.hyperparameters)
        try:
            before = {} if resume is None else resume._asdict()
            return train_snapshots(self.network, self.table, key=jax.random.key(self.seed), **before, **options)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    def resume_point(self) -> ResumePoint | None:
        """Where the checkpoint that is there stands; None if there is none.

        Raises CheckpointError or click.UsageError if training cannot go on from it.
        """
        if not os.path.lexists(self.out):
            return None
        before = load(self.out)
        self._check_same(before)
        epoch = before.training.epoch
        if epoch >= self.hyperparameters.epochs:
            raise click.UsageError(f"--resume: {self.out} has done {epoch:,} epochs; ask for more with --epochs")
        return ResumePoint((before.state, epoch), before.target_scaling)

    def _check_same(self, before: Checkpoint) -> None:
        record, settings = before.training, msgspec.structs.asdict(self.hyperparameters)
        pairs = {name: (getattr(record, name), value) for name, value in settings.items() if name not in MAY_CHANGE}
        # A network that sees bins has more inputs than the table.
        found = Network((self.network.sizes[0], *before.network.sizes[1:]), before.network.activation, before.task)
        pairs |= {"seed": (record.seed, self.seed), "network": (found, self.network)}
        if self.hyperparameters.schedule != "constant":
            pairs["epochs"] = (record.epochs, self.hyperparameters.epochs)
        if self.table.complete:
            pairs["table"] = (record.table, self.table_name)
        for name, (was, asked) in pairs.items():
            if was != asked:
                raise click.UsageError(f"--resume: {self.out} has the {name} {was}, and not {asked}; ask for the same")
        if record.table_digest != ("" if self.table.complete else self.table.digest):
            was = "was trained on another table, or with other rows held out"
            raise click.UsageError(f"--resume: {self.out} {was}; train anew without --resume")
        if not before.state:
            raise click.UsageError(f"--resume: {self.out} has no state to go on from; train anew without --resume")

    def save(self, result: Result) -> Checkpoint:
        """Write the checkpoint of a result."""
        checkpoint = make_checkpoint(result, self.table, table_name=self.table_name, seed=self.seed)
        return save(self.out, checkpoint)


def _until_interrupted(
    job: TrainingJob, start: ResumePoint | None, show: ShowProgress, save_every: int | None
) -> Result:
    """Train to the end, or to the end of the stretch in which Ctrl-C is pressed."""
    saved: int | None = None
    for progress in job.train(start):
        show(progress)
        if interrupts.pressed:
            break
        saved = progress.epoch if saved is None else saved
        if save_every is not None and progress.epoch - saved >= save_every:
            with interrupts.lock:
                job.save(progress.result())
            saved = progress.epoch
    return progress.result()
