"""`nudge train`: from the name of a truth table or a file to a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from model.checkpoint import SUFFIX, check_path
from model.commands.check import check_checkpoint
from model.commands.column_table import MAX_LISTED_COLUMNS, table_text
from model.commands.connection import ProcessOptions
from model.commands.interrupts import interrupts
from model.commands.jax_setup import check_platform
from model.commands.many_processes import joined, mesh_of, process_options
from model.commands.option_types import MeshShape
from model.commands.shared import DIRECTORY, notes_text
from model.commands.table_options import TableOptions, read_named_table, reading_options
from model.commands.train_output import ShowProgress, diagnose, json_text, shown_progress, train_text
from model.commands.training_job import ResumePoint, TrainingJob, chosen_batch, recorded_batch_size
from model.commands.training_options import COUNT, chosen_settings, training_options
from model.commands.watchdog import Watch
from model.tables.file_patterns import describe_paths, stem_of_paths
from model.tables.streamed_table import Streaming
from model.training.processes import agree, is_first
from model.training.result import Result
from model.training.split_text import split_notes

STREAM_HELP = (
    "Read the rows from a temporary file in each epoch, so that they need not fit into memory. This is done anyway if "
    "they do not fit."
)


@click.command()
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@reading_options
@training_options
@click.option("--stream", is_flag=True, help=STREAM_HELP)
@click.option("--window", type=COUNT, help="Rows that are in memory, and shuffled, at a time; implies --stream.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--save-every", type=COUNT, help="Write the checkpoint during training too, after about so many epochs.")
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
    stream: bool,
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
        in_windows = stream or options["window"] is not None
        data = read_named_table(tables, table_options, files, Streaming(in_windows, _say))
        if not data.complete and shows:
            click.echo(table_text(data, MAX_LISTED_COLUMNS))
            click.echo(f"{notes_text(data.notes)}\n" if data.notes else "")
        network, hyperparameters = chosen_settings(data, fast, hidden, activation, options)
        if options["batch_size"] is None:
            before = recorded_batch_size(out) if resume else None
            hyperparameters = chosen_batch(hyperparameters, network, len(data.y), shape, before)
        job = TrainingJob(_name_of(tables), data, network, hyperparameters, seed, out, shape)
        interrupts.hold()
        start = job.resume_point() if resume else None
        if watch is not None:
            watch.check_same(f"{job.digest(start)} {save_every}")
        if start is not None and start.resume[1] == job.hyperparameters.epochs:
            click.echo(f"{out} has done all {start.resume[1]:,} epochs; ask for more with --epochs to go on.", err=True)
            return
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
    report, diagnosis = check_checkpoint(checkpoint), diagnose(result, job.table)
    click.echo(show_end(checkpoint, job.table, report, job.out, notes, diagnosis))


def _name_of(tables: tuple[str, ...]) -> str:
    return describe_paths([Path(each).name for each in tables])


def _say(note: str) -> None:
    if is_first():
        click.echo(notes_text([note]), err=True)


def _until_interrupted(
    job: TrainingJob, start: ResumePoint | None, show: ShowProgress, save_every: int | None, watch: Watch | None
) -> Result:
    """Train to the end, or to the end of the stretch in which Ctrl-C is pressed in one of the processes."""
    saved = 0 if start is None else start.resume[1]
    for progress in job.train(start):
        show(progress)
        if agree(interrupts.pressed if watch is None else watch.any_interrupted()):
            interrupts.press()  # in every process
            break
        if save_every is not None and progress.epoch - saved >= save_every:
            result = progress.result()
            if is_first():
                with interrupts.lock:
                    job.save(result)
            saved = progress.epoch
            interrupts.words = f"stopped; {job.out} keeps epoch {saved:,}."
    return progress.result()
