"""`nudge predict` and `nudge importance`: a checkpoint and a whole file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from model.atomic_write import beside
from model.checkpoint import Checkpoint, load
from model.commands.check import write_picture
from model.inference import Predictor
from model.messages import aligned, listed
from model.tables.columns import Number, TableError
from model.tables.parsing import from_series
from model.tables.targets import targets

if TYPE_CHECKING:
    import polars

# Rows that importance is measured on, the first of a file.
MOST_ROWS = 10_000

_checkpoint = click.argument("checkpoint", type=click.Path(path_type=Path))
_file = click.argument("file", type=click.Path(path_type=Path))


@click.command()
@_checkpoint
@_file
@click.option("--out", type=click.Path(path_type=Path), help="A .csv or .parquet file.  [default: CSV to stdout]")
def predict(checkpoint: Path, file: Path, out: Path | None) -> None:
    """Score a CSV or Parquet FILE: its rows, with a prediction for each."""
    predictor = Predictor(load(checkpoint))
    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise click.UsageError(f"--out: expected a name that ends in .csv or .parquet, found {out.name!r}")
    typed = out is not None and out.suffix == ".parquet"
    with _scored(predictor, file, typed) as frames:
        if out is None:
            for index, frame in enumerate(frames):
                sys.stdout.write(frame.write_csv(include_header=index == 0))
        else:
            rows = _write(frames, out)
            click.echo(f"Written: {out} ({rows:,} rows)")


@contextmanager
def _scored(predictor: Predictor, file: Path, typed: bool) -> Iterator[Iterator[polars.DataFrame]]:
    """The file's frames with predictions. A bar shows how far they are, where somebody looks."""
    from rich.console import Console
    from rich.progress import Progress

    from model.tables.reading import frame_batches

    _, batches = frame_batches(file)
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("Scoring", total=batches.total)

        def frames() -> Iterator[polars.DataFrame]:
            first = 0
            for frame in batches:
                yield _with_predictions(predictor, frame, file, first, typed)
                first += len(frame)
                bar.update(task, completed=batches.done)

        yield frames()


def _with_predictions(
    predictor: Predictor, frame: polars.DataFrame, file: Path, first: int, typed: bool
) -> polars.DataFrame:
    import polars as pl

    checkpoint = predictor.checkpoint
    values = columns_of(checkpoint, frame, file, first)
    try:
        mean, spread = (np.asarray(part) for part in predictor.predict(values))
    except ValueError as error:
        raise TableError(f"{file}: after row {first:,}: {error}; mend it or leave the row out") from None
    added: dict[str, Any] = {"prediction": mean if mean.ndim == 1 else mean.max(axis=1)}
    if checkpoint.classes:
        added["label"] = pl.Series(predictor.labels(mean))
    if mean.ndim > 1:
        added |= {f"prediction_{name}": mean[:, index] for index, name in enumerate(checkpoint.classes)}
    if checkpoint.members > 1:
        added["spread"] = spread
    if not typed:
        for name in frame.columns:
            if frame[name].dtype.is_nested() or frame[name].dtype == pl.Binary:
                raise TableError(
                    f"{file}: expected what CSV can hold in {name}, found {frame[name].dtype}; use .parquet"
                )
    for name in added:
        if name in frame.columns:
            raise TableError(f"{file}: expected no column {name}, which is to be added, and found one; rename it")
    if typed:
        named = zip(checkpoint.columns, checkpoint.scaling, values.T, strict=True)
        numbers = {name: given for name, column, given in named if isinstance(column, Number)}
    else:
        numbers = {}
    columns = {name: frame[name] for name in frame.columns}
    columns |= {name: pl.Series(given).fill_nan(None) for name, given in numbers.items()}
    return pl.DataFrame(columns | {name: pl.Series(column) for name, column in added.items()})


def columns_of(checkpoint: Checkpoint, frame: polars.DataFrame, file: Path, first: int = 0) -> np.ndarray:
    """The checkpoint's columns in a frame, [rows, columns] float64. first: the place of its first row in the file."""
    import polars as pl

    for name in checkpoint.columns:
        if name not in frame.columns:
            columns = listed(checkpoint.columns)
            raise TableError(f"{file}: expected the columns {columns}, found no {name}; name a file that has it")
        if frame[name].dtype.is_nested() or frame[name].dtype.is_temporal() or frame[name].dtype == pl.Binary:
            raise TableError(f"{file}: expected numbers or texts in {name}, found {frame[name].dtype}; mend the file")
    values = np.empty((len(frame), len(checkpoint.columns)))
    for index, (name, column) in enumerate(zip(checkpoint.columns, checkpoint.scaling, strict=True)):
        try:
            values[:, index] = from_series(column, frame[name], first)
        except ValueError as error:
            raise TableError(f"{file}: column {name}, {error}; mend it or leave the row out") from None
    return values


def _write(frames: Iterator[polars.DataFrame], out: Path) -> int:
    """Write all frames, whole or not at all, and return how many rows they have."""
    rows = 0

    def counted() -> Iterator[polars.DataFrame]:
        nonlocal rows
        for frame in frames:
            rows += len(frame)
            yield frame

    with beside(out, "name another with --out") as (file, finish):
        if out.suffix == ".csv":
            for index, frame in enumerate(counted()):
                frame.write_csv(file, include_header=index == 0)
        else:
            write_parquet(counted(), file)
        finish()
    return rows


def write_parquet(frames: Iterator[polars.DataFrame], file: Any) -> None:
    """Write frames of one schema as a Parquet file, each as it comes."""
    from polars.io.plugins import register_io_source

    head = next(frames)
    failure: list[Exception] = []

    def source(*_: Any) -> Iterator[polars.DataFrame]:
        try:
            yield head
            yield from frames
        except Exception as error:  # which polars would wrap
            failure.append(error)
            raise

    try:
        register_io_source(source, schema=head.schema, is_pure=False).sink_parquet(file.name)
    except Exception:
        if failure:
            raise failure[0] from None
        raise


@click.command()
@_checkpoint
@_file
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it, as SVG.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the shuffles.")
def importance(checkpoint: Path, file: Path, plot: Path | None, seed: int) -> None:
    """What predictions hang on, column by column, on a FILE with the target."""
    from model.commands.importance_chart import importance_picture
    from model.importance import importances
    from model.tables.reading import frame_batches

    loaded = load(checkpoint)
    frame = next(frame_batches(file, rows=MOST_ROWS)[1])
    if loaded.target not in frame.columns:
        raise TableError(f"{file}: expected the target {loaded.target}, found no such column; name a file that has it")
    y = targets(frame[loaded.target], loaded.classes, file)
    there = ~np.isnan(y)
    if not there.any():
        raise TableError(f"{file}: expected a value of {loaded.target} in some row, found none; name another file")
    values = columns_of(loaded, frame, file)
    found = importances(loaded, values[there], y[there], seed=seed)
    unit = "RMSE" if loaded.network.task == "regression" else "log loss"
    head = ["column", f"{unit} when shuffled", "±", "mean |gradient|"]
    rows = [[one.name, f"{one.rise:+.4g}", f"{one.spread:.2g}", f"{one.gradient:.4g}"] for one in found]
    click.echo(aligned([head, *rows]))
    if plot is not None:
        write_picture(plot, importance_picture(found, f"{file.name}: columns", unit, loaded.target))
        click.echo(f"Written: {plot}")
