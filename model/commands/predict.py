"""`nudge predict`: score a whole file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from model.atomic_write import atomic_write
from model.checkpoint import load
from model.commands.shared import files_argument, no_header_option, notes_text, required_checkpoint, sheet_option
from model.inference import OverflowingRowError, Predictor
from model.tables.column_names import numbered_name
from model.tables.columns import NumericColumn
from model.tables.errors import TableError, naming_file
from model.tables.further_rows import MEND, values_of_frame
from model.tables.unseen import UnseenValues, closed

if TYPE_CHECKING:
    import polars

    from model.tables.batches import Batches

SUFFIXES = (".csv", ".parquet")


@click.command()
@required_checkpoint
@files_argument
@click.option("--out", type=click.Path(path_type=Path), help="A .csv or .parquet file.  [default: CSV to stdout]")
@no_header_option
@sheet_option
@click.option(
    "--strict", is_flag=True, help="Refuse texts that training never saw, and missing values where it had none."
)
def predict(
    checkpoint: Path, files: tuple[Path, ...], out: Path | None, no_header: bool, sheet: str | None, strict: bool
) -> None:
    """Score a CSV, Parquet or .xlsx FILE: its rows, with a prediction for each.

    Values that training never saw are named in a column `notes`. Several files with the same columns are scored one
    after the other; a pattern in quotes, such as 'part-*.csv', names them too.
    """
    from model.tables.batches import read_batches

    loaded = load(checkpoint)
    if strict:
        loaded = replace(loaded, column_specs=closed(loaded.column_specs))
    scorer = _Scorer(Predictor(loaded), UnseenValues(loaded.columns, loaded.column_specs))
    if out is not None and out.suffix not in SUFFIXES:
        raise click.UsageError(f"--out: expected a name that ends in .csv or .parquet, found {out.name!r}")
    to_parquet = out is not None and out.suffix == ".parquet"
    batches = read_batches(files, has_header=not no_header, sheet=sheet)
    with _scored_frames(scorer, batches, to_parquet) as frames:
        if out is None:
            for index, frame in enumerate(frames):
                sys.stdout.write(_for_csv(frame).write_csv(include_header=index == 0))
        else:
            click.echo(f"Written: {out} ({_write(frames, out):,} rows)")
    if scorer.summary():
        click.echo(notes_text(scorer.summary()), err=True)


@dataclass
class _Scorer:
    """What scores a file.

    Attributes:
        predictor: of the checkpoint.
        unseen: finds values that training never saw.
        counts: how many of these values there were so far, by the names of the columns.
        renamed: the new names of added columns whose names the file has already.
    """

    predictor: Predictor
    unseen: UnseenValues
    counts: Counter[str] = field(default_factory=Counter)
    renamed: dict[str, str] = field(default_factory=dict)

    def summary(self) -> list[str]:
        """The notes at the end: one sentence for each column."""
        renamed = [
            f"the added column {name} is called {other}, because the file has a column {name}"
            for name, other in self.renamed.items()
        ]
        return renamed + [
            f"{count:,} {'row has a value' if count == 1 else 'rows have values'} of {name} that training never saw"
            for name, count in self.counts.items()
        ]


@contextmanager
def _scored_frames(scorer: _Scorer, batches: Batches, to_parquet: bool) -> Iterator[Iterator[polars.DataFrame]]:
    """The frames of the files with predictions. In a terminal, a bar shows the progress."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("Scoring", total=batches.total)

        def frames() -> Iterator[polars.DataFrame]:
            told = 0
            for frame in batches:
                if batches.notes[told:]:
                    bar.console.out(notes_text(batches.notes[told:]), highlight=False)
                    told = len(batches.notes)
                with naming_file(batches.path):
                    scored = _with_predictions(scorer, frame, batches.first, to_parquet)
                yield scored
                bar.update(task, completed=batches.done)

        yield frames()


def _with_predictions(scorer: _Scorer, frame: polars.DataFrame, first: int, to_parquet: bool) -> polars.DataFrame:
    """A frame with the columns of the predictions. first: how many rows of the file come before it."""
    import polars as pl

    predictor = scorer.predictor
    values = values_of_frame(predictor.checkpoint.columns, predictor.checkpoint.column_specs, frame, first)
    added = _prediction_columns(predictor, values, first) | _notes_column(scorer, frame, values)
    _check_columns(frame, to_parquet)
    if not first:
        scorer.renamed = {name: numbered_name(name, frame.columns)[0] for name in added if name in frame.columns}
    columns: dict[str, Any] = {name: frame[name] for name in frame.columns}
    if to_parquet:  # Parquet has types, so numbers are written as numbers
        named = zip(predictor.checkpoint.columns, predictor.checkpoint.column_specs, values.T, strict=True)
        columns |= {
            name: pl.Series(given).fill_nan(None) for name, column, given in named if isinstance(column, NumericColumn)
        }
    return pl.DataFrame(columns | {scorer.renamed.get(name, name): pl.Series(column) for name, column in added.items()})


def _notes_column(scorer: _Scorer, frame: polars.DataFrame, values: np.ndarray) -> dict[str, Any]:
    """A column with notes on values that training never saw; no column if such values are refused."""
    import polars as pl

    checkpoint = scorer.predictor.checkpoint
    if not any(column.is_open for column in checkpoint.column_specs):
        return {}
    unseen = scorer.unseen.find(values, lambda row, column: frame[checkpoint.columns[column]][row])
    scorer.counts.update(unseen.counts)
    notes = ["; ".join(unseen.notes.get(row, ())) or None for row in range(len(frame))]
    return {"notes": pl.Series(notes, dtype=pl.String)}


def _prediction_columns(predictor: Predictor, values: np.ndarray, first: int) -> dict[str, Any]:
    import polars as pl

    checkpoint = predictor.checkpoint
    try:
        mean, spread, interval = predictor.predict(values)
    except OverflowingRowError as error:
        raise TableError("values within the network's range", f"after row {first:,} {error.row}", MEND) from None
    added: dict[str, Any] = {"prediction": mean if mean.ndim == 1 else mean.max(axis=1)}
    if checkpoint.classes:
        added["label"] = pl.Series(predictor.labels(mean))
    if mean.ndim > 1:
        added |= {f"prediction_{name}": mean[:, index] for index, name in enumerate(checkpoint.classes)}
    if checkpoint.member_count > 1:
        added["spread"] = spread
    if interval is not None:
        added |= {"lower": interval[:, 0], "upper": interval[:, 1]}
    return added


def _check_columns(frame: polars.DataFrame, to_parquet: bool) -> None:
    """Check that a frame can be written."""
    import polars as pl

    for name, dtype in frame.schema.items():
        if not to_parquet and (dtype.is_nested() or dtype == pl.Binary):
            raise TableError(f"what CSV can hold in {name}", str(dtype), "use .parquet")


def _for_csv(frame: polars.DataFrame) -> polars.DataFrame:
    """The frame with durations as in ISO 8601, which CSV has no type for."""
    import polars as pl

    return frame.with_columns(pl.selectors.duration().dt.to_string("iso"))


def _write(frames: Iterator[polars.DataFrame], out: Path) -> int:
    """Write all frames, whole or not at all, and return how many rows they have."""
    rows = 0

    def counted() -> Iterator[polars.DataFrame]:
        nonlocal rows
        for frame in frames:
            rows += len(frame)
            yield frame

    with atomic_write(out, "name another with --out") as (file, finish):
        if out.suffix == ".csv":
            for index, frame in enumerate(counted()):
                _for_csv(frame).write_csv(file, include_header=index == 0)
        else:
            write_parquet(counted(), file)
        finish()
    return rows


def write_parquet(frames: Iterator[polars.DataFrame], file: Any) -> None:
    """Write frames as a Parquet file, each as it comes.

    Args:
        frames: of one schema, at least one.
        file: open for writing.
    """
    from polars.io.plugins import register_io_source

    head = next(frames)
    failure: list[Exception] = []

    def source(*_: Any) -> Iterator[polars.DataFrame]:
        try:
            yield head
            yield from frames
        except Exception as error:  # polars would wrap it
            failure.append(error)
            raise

    try:
        register_io_source(source, schema=head.schema, is_pure=False).sink_parquet(file.name)
    except Exception:
        if failure:
            raise failure[0] from None
        raise
