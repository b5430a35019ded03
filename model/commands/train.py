"""`nudge train`: from a table's name or file to a checkpoint."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import jax
import msgspec
import numpy as np

from model.checkpoint import SUFFIX, Checkpoint, Training, check_path, load, save
from model.commands.check import DIRECTORY, check_checkpoint
from model.commands.interrupts import interrupts
from model.commands.train_output import Show, json_text, shown_progress, train_text
from model.hyperparameters import GUIDE, OPTIMIZERS, SCHEDULES, TABLES, Hyperparameters, default_network
from model.hyperparameters import defaults as defaults_of
from model.hyperparameters import replace as replace_hyperparameters
from model.messages import as_names, listed, shown
from model.metrics import baseline
from model.network import ACTIVATIONS, INITS, Network, parameter_count
from model.tables.parsing import parse_number
from model.tables.table import TRUTH_TABLES, Table, read_table, truth_table
from model.tasks import TASKS
from model.training import fit as training
from model.training.fit import Progress, Result
from model.training.stretches import CAPACITY

MOST_NUMBERS = 1_000_000_000
# What a run may have otherwise than the one that it resumes.
FREE = {"epochs", "ensemble", "log_every"}


class _Names(click.ParamType[tuple[str, ...]]):
    name = "A,B,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        try:
            return value if isinstance(value, tuple) else as_names(str(value))
        except csv.Error as error:
            self.fail(f"{shown(value)} is not a list of names such as a,b or 'a,\"b, c\"': {error}", param, ctx)


class _Hidden(click.ParamType[tuple[int, ...]]):
    name = "N,N,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        sizes = str(value).split(",") if value else []
        if not all(re.fullmatch("[1-9][0-9]{0,29}", size) for size in sizes):
            self.fail(f"{shown(value)} is not a list of layer sizes such as 2 or 8,8", param, ctx)
        return tuple(int(size) for size in sizes)


class _Decays(click.ParamType[tuple[float, ...]]):
    name = "X,X,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(parse_number(part) for part in str(value).split(","))
        except ValueError as error:
            self.fail(f"{shown(value)} is not a list of numbers such as 1 or 3,1: {error}", param, ctx)


def _hyperparameter(name: str, kind: Any, text: str = "") -> Callable[[Any], Any]:
    """An option whose default depends on the table."""
    guide, tables = getattr(GUIDE, name), getattr(TABLES, name)
    if isinstance(guide, tuple):
        guide, tables = (",".join(f"{value:g}" for value in each) for each in (guide, tables))
    more = {"weight_decay": ", less for more rows", "batch_size": ", more for more rows"}.get(name, "")
    both = f"{guide}" if guide == tables else f"{'all' if guide is None else guide}, for a file {tables}{more}"
    flag = f"--{name.replace('_', '-')}"
    return click.option(flag, type=kind, default=None, help=f"{text}  [default: {both}]".strip())


_COUNT = click.IntRange(1)


@click.command()
@click.argument("table", default="xor")
@click.option("--target", help="The column to predict, of a file.")
@click.option("--columns", type=_Names(), help="The columns to predict it from.  [default: all others]")
@click.option("--drop", type=_Names(), default=(), help="Columns to leave out.")
@click.option("--task", type=click.Choice(list(TASKS)), help="What the target is.  [default: told by its values]")
@click.option("--hidden", type=_Hidden(), help="Units of each hidden layer.  [default: 2, for a file 100]")
@click.option("--activation", type=click.Choice(list(ACTIVATIONS)), default="relu", show_default=True)
@_hyperparameter("epochs", _COUNT, "Passes over the rows, at most.")
@_hyperparameter("learning_rate", float)
@_hyperparameter("optimizer", click.Choice(OPTIMIZERS))
@_hyperparameter("schedule", click.Choice(SCHEDULES), "Of the learning rate.")
@_hyperparameter("batch_size", _COUNT, "Rows a step.")
@_hyperparameter("validation", float, "The share of rows held out.")
@_hyperparameter("patience", _COUNT, "Epochs without a smaller validation loss after which a start ends.")
@_hyperparameter("weight_decay", _Decays(), "By how much weights shrink a step; of several each start has one.")
@_hyperparameter("clip", float, "The largest norm of a gradient; 0 for any.")
@click.option("--class-weights", is_flag=True, default=None, help="Let every class count the same.")
@_hyperparameter("init", click.Choice(INITS), "Of the weights.")
@_hyperparameter("restarts", _COUNT, "Random starts.")
@_hyperparameter("ensemble", _COUNT, "How many of them are kept, the best ones.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@_hyperparameter("log_every", _COUNT, "Epochs between two lines.")
@click.option("--save-every", type=_COUNT, help="Write the checkpoint about every so many epochs too.")
@click.option(
    "--out", type=click.Path(path_type=Path), help=f"Where to write it.  [default: {DIRECTORY}/TABLE{SUFFIX}]"
)
@click.option("--resume", is_flag=True, help="Go on from what --out holds, if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end and nothing else.")
def train(
    table: str,
    target: str | None,
    columns: tuple[str, ...] | None,
    drop: tuple[str, ...],
    task: str | None,
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

    TABLE is a CSV or Parquet file, with --target; or xor (the default), and, or, nand, nor or xnor.
    """
    out = out or DIRECTORY / f"{Path(table).stem}{SUFFIX}"
    check_path(out)
    data = _read(table, target, columns, drop, task)
    try:
        named = {name: value for name, value in options.items() if value is not None}
        hyperparameters = replace_hyperparameters(defaults_of(data), **named)
        network = default_network(data, hidden, activation)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    _check_size(network, hyperparameters)
    run = _Run(table, data, network, hyperparameters, seed, out)
    interrupts.hold()
    start = run.start() if resume else None
    if start is not None and start[1] >= hyperparameters.epochs:
        raise click.UsageError(f"--resume: {out} has done {start[1]:,} epochs; ask for more with --epochs")
    stretches = run.stretches(start)
    with shown_progress(as_json) as show:
        result = _until_interrupted(stretches, show, run, save_every)
    with interrupts.whole:
        checkpoint = run.save(result)
        interrupts.release(
            f"stopped after epoch {result.epoch:,} of {hyperparameters.epochs:,}, loss {result.loss:.4f}; "
            f"{out} keeps it."
        )
    report = check_checkpoint(checkpoint)
    show_end = json_text if as_json else train_text
    click.echo(show_end(checkpoint, data, report, out))


def _read(
    table: str, target: str | None, columns: tuple[str, ...] | None, drop: tuple[str, ...], task: str | None
) -> Table:
    if table in TRUTH_TABLES:
        if target or columns is not None or drop or task:
            raise click.UsageError(f"{table} is a truth table; --target, --columns, --drop and --task are for files")
        return truth_table(table)
    if not os.path.lexists(table):
        names = ", ".join(TRUTH_TABLES)
        raise click.UsageError(f"{shown(table)} is no file, and none of the truth tables {names}; name one of them")
    if target is None:
        from model.tables.reading import read_names

        raise click.UsageError(f"{table}: expected --target with one of its columns, {listed(read_names(table))}")
    return read_table(table, target, columns=columns, drop=drop, task=task)


def _check_size(network: Network, hyperparameters: Hyperparameters) -> None:
    if (parameter_count(network) + CAPACITY) * hyperparameters.restarts > MOST_NUMBERS:
        raise click.UsageError(
            f"--hidden and --restarts ask for more than the {MOST_NUMBERS:,} parameters and losses that can be held"
        )


class _Run:
    """What is trained on what, and where to."""

    def __init__(
        self, name: str, table: Table, network: Network, hyperparameters: Hyperparameters, seed: int, out: Path
    ) -> None:
        self.name, self.table, self.network = Path(name).name, table, network
        self.hyperparameters, self.seed, self.out = hyperparameters, seed, out
        self.settings = msgspec.structs.asdict(hyperparameters)
        self.key = jax.random.key(seed)
        self.table_digest = "" if table.complete else table.digest()

    def stretches(self, start: tuple[Any, int] | None) -> Iterator[Progress]:
        try:
            return training.train(self.network, self.table, key=self.key, resume=start, **self.settings)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    def start(self) -> tuple[tuple[np.ndarray, ...], int] | None:
        """Where the run stood whose checkpoint is there; None where there is none."""
        if not os.path.lexists(self.out):
            return None
        before = load(self.out)
        self._check_same(before)
        return before.state, before.training.epoch

    def _check_same(self, before: Checkpoint) -> None:
        record = before.training
        pairs = {name: (getattr(record, name), value) for name, value in self.settings.items() if name not in FREE}
        pairs |= {"seed": (record.seed, self.seed), "network": (before.network, self.network)}
        if self.hyperparameters.schedule != "constant":
            pairs["epochs"] = (record.epochs, self.hyperparameters.epochs)
        if self.table.complete:
            pairs["table"] = (record.table, self.name)
        for name, (was, asked) in pairs.items():
            if was != asked:
                raise click.UsageError(f"--resume: {self.out} has the {name} {was}, and not {asked}; ask for the same")
        if record.table_digest != self.table_digest:
            raise click.UsageError(f"--resume: {self.out} was trained on another table; train anew without --resume")
        if not before.state:
            raise click.UsageError(f"--resume: {self.out} has no state to go on from; train anew without --resume")

    def save(self, result: Result) -> Checkpoint:
        table = self.table
        record = Training(
            **self.settings,
            table=self.name,
            epoch=result.epoch,
            loss=result.loss,
            seed=self.seed,
            solved=result.solved,
            rows=len(table.y),
            held_out=len(result.held),
            dropped=table.dropped,
            table_digest=self.table_digest,
            metrics=result.metrics,
            baseline=_baseline(table, result.held),
        )
        return save(
            self.out,
            Checkpoint(
                self.network,
                result.params,
                table.columns,
                table.target,
                table.classes,
                record,
                table.scaling,
                table.unit,
                result.temperature,
                tuple(np.asarray(leaf) for leaf in jax.tree.leaves(result.state)),
            ),
        )


def _baseline(table: Table, held: np.ndarray) -> dict[str, float]:
    if table.complete:
        return {}
    y = table.unit.restored(table.y) if table.task == "regression" else table.y
    learnt = np.delete(y, held)
    measured = held if len(held) else training.spread_out(len(y))
    return baseline(table.task, learnt, y[measured], len(table.classes))


def _until_interrupted(stretches: Iterator[Progress], show: Show, run: _Run, save_every: int | None) -> Result:
    """Train to the end, or to the end of the stretch during which Ctrl-C is pressed."""
    saved: int | None = None
    for progress in stretches:
        show(progress)
        if interrupts.pressed:
            break
        saved = progress.epoch if saved is None else saved
        if save_every is not None and progress.epoch - saved >= save_every:
            with interrupts.whole:
                run.save(progress.result())
            saved = progress.epoch
    return progress.result()
