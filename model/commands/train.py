"""`nudge train`: from the name of a truth table or a file to a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from model.activations import ACTIVATIONS
from model.checkpoint import SUFFIX, check_path
from model.commands.check import check_checkpoint
from model.commands.column_table import MAX_LISTED_COLUMNS, table_text
from model.commands.interrupts import interrupts
from model.commands.jax_setup import check_platform
from model.commands.many_processes import ProcessOptions, joined, mesh_of, process_options
from model.commands.option_types import LayerSizes, MeshShape, NameList, NumberList, ShareOrFile, ThresholdRule
from model.commands.shared import DIRECTORY, notes_text
from model.commands.table_options import TableOptions, read_named_table, reading_options
from model.commands.train_output import ShowProgress, json_text, shown_progress, train_text
from model.commands.training_job import ResumePoint, TrainingJob
from model.commands.watchdog import Watch
from model.diagnosing.findings import Diagnosis
from model.diagnosing.why_stuck import why_stuck
from model.evaluation.thresholds import check_two_classes
from model.hyperparameters import INITS, OPTIMIZERS, SCHEDULES, TARGET_SCALES, Hyperparameters
from model.hyperparameters import replace as replace_hyperparameters
from model.network import Network, parameter_count
from model.tables.file_patterns import describe_paths, stem_of_paths
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
from model.training.processes import agree, is_first
from model.training.result import Result
from model.training.split_text import split_notes
from model.training.state import RECORD_CAPACITY

MAX_HELD_NUMBERS = 1_000_000_000
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
@click.option(
    "--mesh", type=MeshShape(), help="How the devices share restarts and rows.  [default: all share restarts]"
)
@process_options
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
    mesh: dict[str, int] | None,
    process_options: ProcessOptions,
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
    with joined(process_options) as watch:
        check_platform()
        shape, shows = mesh_of(mesh), is_first() and not as_json
        files = options.pop("validation") if isinstance(options["validation"], str) else None
        data = read_named_table(tables, table_options, files)
        if not data.complete and shows:
            click.echo(table_text(data, MAX_LISTED_COLUMNS))
            click.echo(f"{notes_text(data.notes)}\n" if data.notes else "")
        settings = _settings(data, fast, hidden, activation, options)
        name = describe_paths([Path(each).name for each in tables])
        job = TrainingJob(name, data, *settings, seed, out, shape)
        interrupts.hold()
        start = job.resume_point() if resume else None
        if watch is not None:
            watch.check_same(job.digest(start))
        with shown_progress(not shows) as show:
            result = _until_interrupted(job, start, show, save_every, watch)
        if is_first():
            _show_end(job, result, as_json)


def _show_end(job: TrainingJob, result: Result, as_json: bool) -> None:
    """Write the checkpoint, and show what was learned."""
    with interrupts.lock:
        checkpoint = job.save(result)
        interrupts.release(
            f"stopped after epoch {result.epoch:,} of {job.hyperparameters.epochs:,}, loss {result.loss:.4f}; "
            f"{job.out} keeps it."
        )
    show_end = json_text if as_json else train_text
    notes = split_notes(job.table, result.held_out, result.folds)
    report, diagnosis = check_checkpoint(checkpoint), _diagnosis(result, job.table)
    click.echo(show_end(checkpoint, job.table, report, job.out, notes, diagnosis))


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


def _until_interrupted(
    job: TrainingJob, start: ResumePoint | None, show: ShowProgress, save_every: int | None, watch: Watch | None
) -> Result:
    """Train to the end, or to the end of the stretch in which Ctrl-C is pressed in one of the processes."""
    saved: int | None = None
    for progress in job.train(start):
        show(progress)
        if agree(interrupts.pressed if watch is None else watch.any_interrupted()):
            break
        saved = progress.epoch if saved is None else saved
        if save_every is not None and progress.epoch - saved >= save_every:
            result = progress.result()
            if is_first():
                with interrupts.lock:
                    job.save(result)
            saved = progress.epoch
    return progress.result()
