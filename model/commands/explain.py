"""`nudge explain`: a row forwards and backwards through a network, as arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
import numpy as np

from model.checkpoint import Checkpoint
from model.commands.explanation_text import Labels, explanation_text
from model.commands.option_types import FiniteRange
from model.commands.shared import known_truth_table, load_or_default, notes_text, sheet_option
from model.ensembles import Members, bin_inputs
from model.explaining.equations import Equations
from model.explaining.names import input_symbols
from model.explaining.trace import trace
from model.messages import RefusalError, escape_unprintable, join_rows
from model.tables.columns import IDENTITY
from model.tables.encoding import encode
from model.tables.input_names import input_names, row_text
from model.tables.known_rows import Known, read_known_rows

# The row that is explained if none is named: of a truth table, the first with a 1 in it.
DEFAULT_ROW = 1
# How many rows are explained together at most, and how many columns of a row are named.
MAX_ROWS, MAX_NAMED_COLUMNS = 1000, 6


class LabelledRows(NamedTuple):
    """Rows with a target.

    Attributes:
        values: [rows, columns] float64, as `encode` takes them.
        y: [rows] float64, the index of each row's class, or the number in its own unit; NaN where it is missing.
    """

    values: np.ndarray
    y: np.ndarray


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@click.argument("files", metavar="[FILE]...", type=click.Path(path_type=Path), nargs=-1)
@click.option("--row", type=click.IntRange(0), help=f"Which row, counted from 0.  [default: {DEFAULT_ROW}]")
@click.option("--all", "all_rows", is_flag=True, help="All rows together: the loss is their mean.")
@click.option("--network", type=click.IntRange(1), default=1, show_default=True, help="Which network of an ensemble.")
@click.option(
    "--learning-rate", type=FiniteRange(0, 3e38), help="Of the step.  [default: that of the checkpoint's training]"
)
@sheet_option
@click.option("--json", "as_json", is_flag=True, help="Print every equation as JSON.")
def explain(
    checkpoint: Path | None,
    files: tuple[Path, ...],
    row: int | None,
    all_rows: bool,
    network: int,
    learning_rate: float | None,
    sheet: str | None,
    as_json: bool,
) -> None:
    """Compute the prediction, the loss, the gradient and a step for one row, and print every number's arithmetic.

    The rows are those of the checkpoint's truth table, or of a FILE with the target.
    """
    if all_rows and row is not None:
        raise click.UsageError("expected --row or --all, found both; give one of them")
    path, loaded = load_or_default(checkpoint)
    members, index = _member(loaded, network)
    rows = _labelled_rows(path, loaded, files, sheet)
    chosen = _chosen(rows, row, all_rows)
    x = np.asarray(bin_inputs(encode(loaded.column_specs, list(rows.values[chosen].T)), members.bins))
    y = rows.y[chosen] if loaded.classes else loaded.target_scaling.scaled(rows.y[chosen])
    rate = loaded.training.learning_rate if learning_rate is None else learning_rate
    traced = trace(members.member(index), x, y.astype(np.float32), members.network, rate)
    labels = _labels(loaded, members, rows, chosen)
    equations = Equations(traced, labels.symbols)
    if as_json:
        click.echo(_json(equations, labels))
    else:
        notes = _notes(loaded, network)
        click.echo(explanation_text(equations, labels) + (f"\n{notes_text(notes)}" if notes else ""))


def _member(loaded: Checkpoint, number: int) -> tuple[Members, int]:
    """The group of networks that has the one of this number, counted from 1, and its index there."""
    if number > loaded.member_count:
        count = loaded.member_count
        has = "only one network" if count == 1 else f"{count} networks"
        raise RefusalError(
            f"--network: expected 1{f' to {count}' if count > 1 else ''}, as there "
            f"{'is' if count == 1 else 'are'} {has}, found {number}; choose another"
        )
    index = number - 1
    for members in loaded.ensemble:
        if index < members.size:
            break
        index -= members.size
    return members, index


def _labelled_rows(path: Path, loaded: Checkpoint, files: Sequence[Path], sheet: str | None) -> LabelledRows:
    if files:
        known = Known(
            columns=loaded.columns,
            column_specs=loaded.column_specs,
            target=loaded.target,
            classes=loaded.classes,
            target_scaling=loaded.target_scaling,
            inputs_digest=loaded.training.inputs_digest,
        )
        found = read_known_rows(files, known, sheet)
        return LabelledRows(found.values, found.y)
    table = known_truth_table(loaded)
    if table is None:
        raise RefusalError(
            f"{path}: expected a file with rows to explain, because the checkpoint of a file does not hold them, found "
            f"none; name it: nudge explain {path} FILE"
        )
    return LabelledRows(table.x.astype(np.float64), table.y.astype(np.float64))


def _chosen(rows: LabelledRows, row: int | None, all_rows: bool) -> list[int]:
    """The indices of the rows to explain."""
    count, target = len(rows.y), np.flatnonzero(~np.isnan(rows.y)).tolist()
    if all_rows:
        if len(target) > MAX_ROWS:
            raise RefusalError(
                f"--all: expected at most {MAX_ROWS:,} rows, found {len(target):,}; choose one with --row"
            )
        return list(target)
    index = min(DEFAULT_ROW, count - 1) if row is None else row
    if index >= count:
        raise RefusalError(f"--row: expected a row from 0 to {count - 1:,}, found {index:,}; choose one of them")
    if index not in target:
        known = join_rows(target)
        raise RefusalError(f"expected a row with a target, found none in row {index:,}; choose another: {known}")
    return [index]


def _labels(loaded: Checkpoint, members: Members, rows: LabelledRows, chosen: Sequence[int]) -> Labels:
    """What the inputs, the rows and the outputs are called."""
    names = input_names(loaded.columns, loaded.column_specs, members.bins is not None)
    numbered = tuple(f"x{index + 1}" for index in range(len(names)))
    symbols = input_symbols(names) if all(spec == IDENTITY for spec in loaded.column_specs) else numbered
    return Labels(
        symbols=symbols,
        inputs=() if symbols == tuple(names) else tuple(names),
        rows=tuple(_row_label(loaded, rows, row) for row in chosen),
        outputs=tuple(map(str, loaded.classes)) if members.network.sizes[-1] > 1 else (),
    )


def _row_label(loaded: Checkpoint, rows: LabelledRows, row: int) -> str:
    values = row_text(loaded.columns, loaded.column_specs, rows.values[row], MAX_NAMED_COLUMNS)
    target = str(loaded.classes[int(rows.y[row])]) if loaded.classes else f"{rows.y[row]:.6g}"
    return escape_unprintable(f"Row {row:,}: {values}; {loaded.target} is {target}.")


def _notes(loaded: Checkpoint, number: int) -> list[str]:
    """What distinguishes the numbers from those of `nudge predict`."""
    notes = []
    if loaded.member_count > 1:
        notes.append(
            f"this is network {number} of {loaded.member_count}; the checkpoint's prediction is the mean of all, and "
            "--network chooses another"
        )
    if loaded.temperature != 1 and loaded.classes:
        notes.append(f"for predictions, the outputs z are divided by the temperature {loaded.temperature:.4g}")
    if loaded.target_scaling != IDENTITY and not loaded.classes:
        notes.append(f"y and ŷ are {loaded.target} as it is scaled for training; see it with `nudge show`")
    return notes


def _json(equations: Equations, labels: Labels) -> str:
    traced = equations.trace
    content = {
        "network": traced.network,
        "rows": labels.rows,
        "inputs": dict(zip(labels.symbols, labels.inputs or labels.symbols, strict=True)),
        "learning_rate": float(traced.learning_rate),
        "loss": float(traced.loss),
        "loss_after": float(traced.loss_after),
        "equations": list(equations),
    }
    return msgspec.json.encode(content).decode()
