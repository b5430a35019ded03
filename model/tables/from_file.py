"""From a file to a table: which columns to learn from, and what each of them is."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float

from model.messages import quote_names
from model.tables.columns import (
    FLOAT32_NUMBERS,
    ColumnSpec,
    ColumnSpecs,
    NumericColumn,
    aligned_empty,
    count_inputs,
    encode,
    fit_numeric,
)
from model.tables.date_columns import DateColumn, fit_date
from model.tables.errors import PathLike, TableError, naming_file
from model.tables.series_parsing import parse_series
from model.tables.spelling import NumberSpelling
from model.tables.table import Table
from model.tables.targets import fit_target
from model.tables.text_categories import fit_categories
from model.tasks import TASKS

if TYPE_CHECKING:
    import polars

# Rows that a thread encodes at a time, and how many threads do so; each has copies of the rows that it works on.
ENCODED_ROWS, THREADS = 16_384, 2


class TextOptions(NamedTuple):
    """How columns of texts are learned from.

    Attributes:
        spellings: how numbers are written, by the names of the columns in which they are not typed.
        date_styles: how dates are written, by the names of the columns that hold their seconds.
        folded: the columns in which texts that differ in case alone are the same.
        kept: the columns that are learned from even if nearly every row has a text of its own.
        strict: whether values of a kind that training never saw are refused in predictions.
    """

    spellings: Mapping[str, NumberSpelling] = MappingProxyType({})
    date_styles: Mapping[str, str] = MappingProxyType({})
    folded: Container[str] = ()
    kept: Container[str] = ()
    strict: bool = False


DEFAULT_TEXTS = TextOptions()


def read_table(
    path: PathLike,
    target: str,
    *,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    task: str | None = None,
    has_header: bool = True,
    keep: Sequence[str] = (),
    dates: str | None = None,
    strict: bool = False,
) -> Table:
    r"""The table in a CSV or Parquet file.

    Args:
        path: the file.
        target: the column to predict. Rows without it are left out and counted.
        columns: the columns to predict it from, in this order; by default all others.
        drop: columns to leave out.
        task: binary, multiclass or regression; by default binary if the target has two values, multiclass if it has
            texts, booleans or few whole numbers, and regression otherwise.
        has_header: whether a CSV file begins with the names of its columns; otherwise they are c1, c2, ….
        keep: columns of texts that are learned from even if nearly every row has a text of its own.
        dates: the order of year, month and day in dates: ymd, dmy or mdy; by default told from each column.
        strict: whether predictions refuse a missing value where none was, and texts that training never saw.

    Returns:
        The table, with its columns scaled and encoded.

    Raises:
        TableError: if a network cannot learn from the file; the message says why and what to do.
        ValueError: for another task.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        ...     _ = file.write("size,color,price\n1,red,10\n2,blue,20\n3,red,35\n")
        ...     file.flush()
        ...     table = read_table(file.name, "price")
        >>> table.columns, table.task, table.x.shape, table.target_scaling.mean
        (('size', 'color'), 'regression', (3, 3), 21.666666666666668)
    """
    from model.tables.reading import read_frame

    if task is not None and task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, not {task!r}")
    with naming_file(path):
        if columns is not None and not columns:
            raise TableError("columns to learn from", "none", "name some, or leave --columns out")
        if target in (*(columns or ()), *drop):
            raise TableError(f"{target} as the target alone", "it among --columns or --drop", "name it once")
        found = read_frame(path, columns, target=target, drop=drop, has_header=has_header, dates=dates)
        frames, notes = [found.frame], found.notes
        texts = TextOptions(found.spellings, found.date_styles, found.folded, keep, strict)
        del found  # so that only table_from_frame holds the frame
        table = table_from_frame(frames.pop(), target, task, texts)
        return replace(table, notes=notes + table.notes)


def read_columns(
    path: PathLike,
    *,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    has_header: bool = True,
    keep: Sequence[str] = (),
    dates: str | None = None,
    strict: bool = False,
) -> tuple[dict[str, ColumnSpec], tuple[str, ...]]:
    """What would be learned from the columns of a file, whatever the target is.

    Args:
        path: the file.
        columns: as of `read_table`.
        drop: as of `read_table`.
        has_header: as of `read_table`.
        keep: as of `read_table`.
        dates: as of `read_table`.
        strict: as of `read_table`.

    Returns:
        The columns that are learned from, by their names, and how the file was read.

    Raises:
        TableError: if the file is not a table.
    """
    from model.tables.reading import read_frame

    with naming_file(path):
        found = read_frame(path, columns, drop=drop, has_header=has_header, dates=dates)
        texts = TextOptions(found.spellings, found.date_styles, found.folded, keep, strict)
        fitted = fit_columns(found.frame, found.frame.columns, texts)
    notes = tuple(note for _, note in fitted.values() if note)
    return {name: column for name, (column, _) in fitted.items() if column is not None}, found.notes + notes


def table_from_frame(
    frame: polars.DataFrame,
    target: str,
    task: str | None = None,
    texts: TextOptions = DEFAULT_TEXTS,
) -> Table:
    """The table of a frame.

    Args:
        frame: with columns of the types that `infer_type` gives; all but the target are learned from.
        target: the column to predict.
        task: as of `read_table`.
        texts: how columns of texts are learned from, and what was read from texts.

    Returns:
        The table, with its columns scaled and encoded.

    Raises:
        TableError: if a network cannot learn from the frame.
    """
    rows = len(frame)
    if target in texts.date_styles:
        raise TableError(f"numbers or classes in {target}", "dates or times", "name another --target")
    if frame[target].null_count():
        frame = frame.filter(frame[target].is_not_null())
    if not len(frame):
        raise TableError(f"a value of {target} in some row", "none", "name another --target")
    fitted = fit_target(frame[target], task)
    names = tuple(name for name in frame.columns if name != target)
    if not names:
        raise TableError("a column beside the target", "none", "name a file with more, or other --columns")
    fitted_columns = fit_columns(frame, names, texts)
    notes = tuple(note for _, note in fitted_columns.values() if note)
    specs = {name: column for name, (column, _) in fitted_columns.items() if column is not None}
    if not specs:
        raise TableError("a column to learn from", f"none ({'; '.join(notes)})", "name a file with others")
    names, column_specs = tuple(specs), tuple(specs.values())
    dropped = rows - len(frame)
    parts = type(frame)([frame[name] for name in names]).iter_slices(ENCODED_ROWS)  # select() would take patterns
    del frame  # so that the memory of each part is free once it is encoded
    x = _encode_parts(parts, len(fitted.y), names, column_specs)
    return Table(
        x=x,
        y=fitted.y,
        columns=names,
        target=target,
        classes=fitted.classes,
        task=fitted.task,
        column_specs=column_specs,
        target_scaling=_spelled(fitted.scaling, texts.spellings.get(target)),
        dropped=dropped,
        complete=False,
        notes=notes,
    )


def _encode_parts(
    parts: Any, rows: int, names: Sequence[str], column_specs: ColumnSpecs
) -> Float[np.ndarray, "rows inputs"]:
    x = aligned_empty(rows, count_inputs(column_specs))

    def fill(first: int, part: polars.DataFrame) -> None:
        values = [
            part[name].fill_null(np.nan).to_numpy()
            if isinstance(column, DateColumn)
            else parse_series(column, part[name])
            for name, column in zip(names, column_specs, strict=True)
        ]
        x[first : first + len(part)] = encode(column_specs, values)

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(fill, ENCODED_ROWS * index, part) for index, part in enumerate(parts)]:
            done.result()
    return x


def _spelled(column: NumericColumn, spelling: NumberSpelling | None) -> NumericColumn:
    return column if spelling is None else msgspec.structs.replace(column, spelling=spelling)


def fit_columns(
    frame: polars.DataFrame, names: Sequence[str], texts: TextOptions
) -> dict[str, tuple[ColumnSpec | None, str | None]]:
    """What each column is.

    Args:
        frame: with columns of the types that `infer_type` gives.
        names: of the columns.
        texts: how columns of texts are learned from, and what was read from texts.

    Returns:
        For each name its spec, or None if it is left out, and a note or None.

    Raises:
        TableError: if float32 cannot hold the numbers of a column.
    """

    def fit(name: str) -> tuple[ColumnSpec | None, str | None]:
        column, note = fit_closed(name)
        return None if column is None else msgspec.structs.replace(column, is_open=not texts.strict), note

    def fit_closed(name: str) -> tuple[ColumnSpec | None, str | None]:
        series = frame[name].alias("")  # polars would take a name for a pattern, even a series' own
        if name in texts.date_styles:
            return fit_date(series.fill_null(np.nan).to_numpy(), texts.date_styles[name]), None
        if series.dtype.is_numeric():
            return _spelled(_fit_numeric(series, name), texts.spellings.get(name)), None
        return fit_categories(series, name, name in texts.folded, name in texts.kept)

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(names, pool.map(fit, names), strict=True))


def _fit_numeric(series: polars.Series, name: str) -> NumericColumn:
    import polars as pl

    try:
        return fit_numeric(series.cast(pl.Float64).fill_null(np.nan).to_numpy())
    except ValueError:
        found = f"{series.min()!r} to {series.max()!r}"
        remedy = f"leave it out: --drop {quote_names([name])}"
        raise TableError(f"{FLOAT32_NUMBERS} in {name}", found, remedy) from None
