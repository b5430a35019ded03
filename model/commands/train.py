"""`nudge train`: from the name of a truth table or a file to a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import jax
import msgspec
import numpy as np

from model.activations import ACTIVATIONS
from model.checkpoint import SUFFIX, Checkpoint, check_path, load, save
from model.commands.check import check_checkpoint
from model.commands.column_table import MAX_LISTED_COLUMNS, table_text
from model.commands.interrupts import interrupts
from model.commands.option_types import LayerSizes, NameList, NumberList, ShareOrFile, ThresholdRule
from model.commands.shared import DIRECTORY, notes_text
from model.commands.table_options import TableOptions, read_named_table, reading_options
from model.commands.train_output import ShowProgress, diagnose, json_text, shown_progress, train_text
from model.evaluation.thresholds import check_two_classes
from model.hyperparameters import INITS, OPTIMIZERS, SCHEDULES, TARGET_SCALES, Hyperparameters
from model.hyperparameters import replace as replace_hyperparameters
from model.network import Network, parameter_count
from model.tables.columns import NumericColumn
from model.tables.file_patterns import describe_paths, stem_of_paths
from model.tables.streamed_table import Streaming
from model.tables.table import Table
from model.training.defaults import (
    FAST_DEFAULTS,
    FAST_HIDDEN,
    FILE_DEFAULTS,
    FILE_HIDDEN,
    TRUTH_TABLE_DEFAULTS,
    TRUTH_TABLE_HIDDEN,
    default_hyperparameters,
    default_network,
)
from model.training.fit import train as train_snapshots
from model.training.result import Progress, Result, make_checkpoint
from model.training.split_text import split_notes
from model.training.state import RECORD_CAPACITY

MAX_HELD_NUMBERS = 1_000_000_000
# A run that goes on from another may have other values of these.
MAY_CHANGE = {"epochs", "ensemble", "log_every", "threshold"}
THRESHOLD_HELP = (
    "The probability from which the label is the second of two classes: a number; f1, which maximizes F1 on the rows "
    "held out; or cost:FP,FN, which minimizes there what mistakes cost: FP for each row of the first class that gets "
    "the second as its label, FN for the reverse."
)
VARIES_WITH_ROWS = {"weight_decay": ", less for more rows", "batch_size": ", more for more rows"}


def _hyperparameter(name: str, kind: Any, text: str = "") -> Callable[[Any], Any]:
    """An option whose default depends on the table."""
    defaults = [_default_text(getattr(each, name)) for each in (TRUTH_TABLE_DEFAULTS, FILE_DEFAULTS)]
    default = defaults[0]
    if defaults[0] != defaults[1]:
        default += f", for a file {defaults[1]}{VARIES_WITH_ROWS.get(name, '')}"
    flag = f"--{name.replace('_', '-')}"
    return click.option(flag, type=kind, default=None, help=f"{text}  [default: {default}]".strip())


def _default_text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(each if isinstance(each, str) else f"{each:g}" for each in value)
    return "all" if value is None else str(value)


def _sizes_text(sizes: tuple[int, ...]) -> str:
    return ",".join(map(str, sizes))


_COUNT = click.IntRange(1)
STREAM_HELP = (
    "Read the rows from a temporary file in each epoch, so that they need not fit into memory. This is done anyway if "
    "they do not fit."
)
FAST_HELP = (
    "Train a file in less time, with somewhat worse predictions: "
    f"{FAST_DEFAULTS.ensemble} networks with {_sizes_text(FAST_HIDDEN)} units that see numbers without bins."
)
_HIDDEN_DEFAULT = f"{_sizes_text(TRUTH_TABLE_HIDDEN)}, for a file {_sizes_text(FILE_HIDDEN)}"


@click.command()
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@reading_options
@click.option("--fast", is_flag=True, help=FAST_HELP)
@click.option("--hidden", type=LayerSizes(), help=f"Units of each hidden layer.  [default: {_HIDDEN_DEFAULT}]")
@click.option("--activation", type=click.Choice(list(ACTIVATIONS)), default="relu", show_default=True)
@_hyperparameter("epochs", _COUNT, "Passes over the rows, at most.")
@_hyperparameter("learning_rate", float)
@_hyperparameter("optimizer", click.Choice(OPTIMIZERS))
@_hyperparameter("schedule", click.Choice(SCHEDULES), "Of the learning rate.")
@_hyperparameter("batch_size", _COUNT, "Rows in a step.")
@click.option("--stream", is_flag=True, help=STREAM_HELP)
@_hyperparameter("window", _COUNT, "Rows that are in memory, and shuffled, at a time; implies --stream.")
@_hyperparameter(
    "validation",
    ShareOrFile(),
    "The share of rows held out, from 0 to 0.5; or a file with the same columns, or a pattern: its rows are held out.",
)
@_hyperparameter("folds", _COUNT, "Parts of the rows, each held out by some restarts; 1: all hold out the same share.")
@_hyperparameter("patience", _COUNT, "A restart ends after so many epochs without a smaller validation loss.")
@_hyperparameter("mask", float, "The share of the rows in a step in which one value is hidden.")
@_hyperparameter("weight_decay", NumberList(), "How much weights shrink in a step; restarts take several in turn.")
@_hyperparameter("clip", float, "The largest norm of a gradient; 0 for no limit.")
@_hyperparameter("target_scale", click.Choice(TARGET_SCALES), "Of the numbers to predict.")
@click.option("--class-weights", is_flag=True, default=None, help="Let all classes count the same.")
@_hyperparameter("init", click.Choice(INITS), "Of the weights.")
@_hyperparameter("restarts", _COUNT, "Random starts.")
@_hyperparameter("ensemble", _COUNT, "How many of them are kept, the best ones.")
@_hyperparameter("encodings", NameList(), "How restarts see columns of numbers: some of numbers,bins.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@_hyperparameter("log_every", _COUNT, "Epochs between two lines.")
@_hyperparameter("threshold", ThresholdRule(), THRESHOLD_HELP)
@click.option("--save-every", type=_COUNT, help="Write the checkpoint during training too, after about so many epochs.")
@click.option(
    "--out", type=click.Path(path_type=Path), help=f"Where to write it.  [default: {DIRECTORY}/TABLE{SUFFIX}]"
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint that --out names, if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end and nothing else.")
def train(
    tables: tuple[str, ...],
    table_options: TableOptions,
    fast: bool,
    stream: bool,
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
    data = read_named_table(tables, table_options, files, Streaming(stream or options["window"] is not None, _say))
    if not (data.complete or as_json):
        click.echo(table_text(data, MAX_LISTED_COLUMNS))
        click.echo(f"{notes_text(data.notes)}\n" if data.notes else "")
    network, hyperparameters = _settings(data, fast, hidden, activation, options)
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
    click.echo(show_end(checkpoint, data, check_checkpoint(checkpoint), out, notes, diagnose(result, data)))


def _say(note: str) -> None:
    click.echo(notes_text([note]), err=True)


def _settings(
    data: Table, fast: bool, hidden: tuple[int, ...] | None, activation: str, options: dict[str, Any]
) -> tuple[Network, Hyperparameters]:
    """The network and the hyperparameters that the options ask for. Raises click.UsageError if they cannot be."""
    if fast and data.complete:
        raise click.UsageError("--fast is for files, and this is a truth table; leave it out")
    try:
        named = {name: value for name, value in options.items() if value is not None}
        hyperparameters = replace_hyperparameters(default_hyperparameters(data, fast=fast), **named)
        network = default_network(data, hidden, activation, fast=fast)
        if "threshold" in named:
            check_two_classes(data.task, data.complete)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if (parameter_count(network) + RECORD_CAPACITY) * hyperparameters.restarts > MAX_HELD_NUMBERS:
        raise click.UsageError(
            f"--hidden and --restarts ask for more than the {MAX_HELD_NUMBERS:,} parameters and losses that can be held"
        )
    return network, hyperparameters


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
