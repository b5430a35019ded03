"""`nudge show`: what is in a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import jax
import numpy as np

from model.checkpoint import Checkpoint
from model.commands.shared import load_or_default, optional_checkpoint
from model.messages import align_columns
from model.network import parameter_count
from model.pytrees import entry_names
from model.tables.columns import CategoricalColumn, ColumnSpec, NumericColumn
from model.tables.date_columns import DateColumn
from model.tables.date_spelling import describe_date
from model.tables.targets import Class

# Parameters are listed if there are at most so many; so are the categories of a column.
MAX_LISTED_PARAMETERS, MAX_LISTED_CATEGORIES = 100, 5

Rows = list[list[str]]
HEADER = ["column", "type", "range or categories", "scaling", "missing"]


@click.command()
@optional_checkpoint
def show(checkpoint: Path | None) -> None:
    """Show what is in a checkpoint."""
    path, loaded = load_or_default(checkpoint)
    tables = [_summary(path, loaded)]
    if loaded.training.table_digest:
        tables += [_columns(loaded), _metrics(loaded)]
    if sum(leaf.size for leaf in jax.tree.leaves(loaded.params)) <= MAX_LISTED_PARAMETERS:
        tables.append(_parameters(loaded))
    click.echo("\n\n".join(map(align_columns, tables)))


def _summary(path: Path, loaded: Checkpoint) -> Rows:
    record = loaded.training
    is_file = bool(record.table_digest)
    rows = [
        ["file", str(path)],
        ["version", loaded.version],
        ["columns", ", ".join(loaded.columns)],
        ["target", f"{loaded.target} ({', '.join(map(str, loaded.classes)) or 'a number'})"],
        ["network", _network_text(loaded)],
        ["table", record.table],
        *(_row_counts(loaded) if is_file else []),
        ["epochs", f"{record.epoch:,} of {record.epochs:,}"],
        ["optimizer", f"{record.optimizer}, learning rate {record.learning_rate:g}, {record.schedule}"],
        *(_limits(loaded) if is_file else []),
        ["restarts", _restarts_text(loaded)],
        ["loss", f"{record.loss:.6f}"],
        *([["temperature", f"{loaded.temperature:.4f}"]] if is_file else []),
    ]
    return rows


def _network_text(loaded: Checkpoint) -> str:
    network = loaded.network
    sizes = "-".join(map(str, network.sizes))
    copies = f", {loaded.members} of them" if loaded.members > 1 else ""
    return f"{sizes}, {network.activation}, {network.task}, {parameter_count(network):,} parameters{copies}"


def _restarts_text(loaded: Checkpoint) -> str:
    record = loaded.training
    solved = "" if record.table_digest else f", of which {record.solved} solved it"
    return f"{record.restarts}{solved}; seed {record.seed}"


def _row_counts(loaded: Checkpoint) -> Rows:
    record = loaded.training
    dropped = f"; {record.dropped:,} had no target" if record.dropped else ""
    return [["rows", f"{record.rows:,}, of which {record.held_out:,} were held out{dropped}"]]


def _limits(loaded: Checkpoint) -> Rows:
    record = loaded.training
    decays = ", ".join(f"{decay:.3g}" for decay in record.weight_decay)
    limits = f"weight decay {decays}; clip {record.clip:g}; patience {record.patience}"
    return [["batches", f"{record.batch_size or 'all'} rows"], ["limits", limits]]


def _columns(loaded: Checkpoint) -> Rows:
    named = zip(loaded.columns, loaded.column_specs, strict=True)
    rows = [HEADER, *(column_row(name, column) for name, column in named)]
    if not loaded.classes:
        rows.append(target_row(loaded.target, "regression", (), loaded.target_scaling))
    return rows


def target_row(name: str, task: str, classes: Sequence[Class], scaling: NumericColumn) -> list[str]:
    """The target in words.

    Args:
        name: of the target.
        task: binary, multiclass or regression.
        classes: what it may be; none for a regression.
        scaling: of the numbers of a regression.

    Returns:
        A cell for each of HEADER.
    """
    if not classes:
        return [name, "target", _range_text(scaling), _scaling_text("y", scaling), ""]
    rest = "" if len(classes) <= MAX_LISTED_CATEGORIES else f", … ({len(classes):,})"
    return [name, f"target, {task}", ", ".join(map(str, classes[:MAX_LISTED_CATEGORIES])) + rest, "", ""]


def column_row(name: str, column: ColumnSpec) -> list[str]:
    """A column in words.

    Args:
        name: of the column.
        column: what it is.

    Returns:
        A cell for each of HEADER.
    """
    missing = "allowed" if column.missing else "refused"
    if isinstance(column, CategoricalColumn):
        count = len(column.categories)
        rest = "" if count <= MAX_LISTED_CATEGORIES else f", … ({count:,})"
        categories = ", ".join(column.categories[:MAX_LISTED_CATEGORIES]) + rest
        categories += ", and others" if column.is_pooled else ""
        return [name, "boolean" if column.boolean else "text", categories, "one-hot", missing]
    if isinstance(column, DateColumn):
        ends = [describe_date(end, column.style) for end in (column.minimum, column.maximum) if end is not None]
        inputs = ", ".join(["scaled time", *column.parts])
        return [name, "time" if column.style == "time" else "date", " to ".join(ends), inputs, missing]
    return [name, "number", _range_text(column), _scaling_text("x", column), missing]


def _range_text(column: NumericColumn) -> str:
    return "" if column.minimum is None else f"{column.minimum:.6g} to {column.maximum:.6g}"


def _scaling_text(variable: str, column: NumericColumn) -> str:
    return f"({variable} - {column.mean:.6g}) / {column.scale:.6g}" if column.scale else "constant, not used"


def _metrics(loaded: Checkpoint) -> Rows:
    record = loaded.training
    rows = [["metric", "network", "baseline"]]
    for name, value in record.metrics.items():
        rows.append([name, f"{value:.4f}", f"{record.baseline[name]:.4f}" if name in record.baseline else ""])
    return rows


def _parameters(loaded: Checkpoint) -> Rows:
    values = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(loaded.params)])
    named = zip(entry_names(loaded.params), values, strict=True)
    return [["parameter", "value"], *([name, f"{value:+.6f}"] for name, value in named)]
