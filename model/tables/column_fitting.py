"""What is learned about each column of a frame, and the inputs that the network gets from it."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float

from model.messages import quote_names
from model.tables.column_hints import number_hints
from model.tables.columns import FLOAT32_NUMBERS, ColumnSpec, NumericColumn, count_inputs
from model.tables.date_columns import DateColumn, fit_date
from model.tables.date_spelling import DateSpelling
from model.tables.encoding import aligned_empty, encode
from model.tables.errors import OptionNote, TableError
from model.tables.memory import available_memory, check_memory
from model.tables.numeric_scaling import fit_numeric
from model.tables.series_parsing import parse_series
from model.tables.spelling import NumberSpelling
from model.tables.text_categories import fit_categories

if TYPE_CHECKING:
    import polars

    from model.tables.stored_frame import StoredFrame

# How many threads work at a time, each on a column or on a piece of rows. Each thread has copies of its data.
THREADS = 2
FLOAT32_BYTES = 4


class TextOptions(NamedTuple):
    """How columns of texts are learned from.

    Attributes:
        spellings: how numbers are written, by the names of the columns whose numbers were texts.
        dates: how dates are written, by the names of the columns that hold their seconds.
        folded: the columns in which texts that differ only in case are the same.
        kept: the columns that are learned from even if nearly all of their texts differ.
        strict: whether values of a kind that training never saw are refused in predictions.
        absent: texts and numbers that stand for a missing value, by the names of the columns.
    """

    spellings: Mapping[str, NumberSpelling] = MappingProxyType({})
    dates: Mapping[str, DateSpelling] = MappingProxyType({})
    folded: Container[str] = ()
    kept: Container[str] = ()
    strict: bool = False
    absent: Mapping[str, tuple[str, ...]] = MappingProxyType({})


DEFAULT_TEXTS = TextOptions()


class LearnedColumns(NamedTuple):
    """What is learned about the columns of a frame.

    Attributes:
        specs: of the columns that are learned from, by their names.
        notes: what is to be said about the columns, such as why one is left out; one sentence each.
    """

    specs: dict[str, ColumnSpec]
    notes: tuple[str, ...]


def learn_columns(
    frame: StoredFrame,
    names: Sequence[str],
    texts: TextOptions,
    weights: Float[np.ndarray, " rows"] | None = None,
) -> LearnedColumns:
    """What each column is. It is an error if all columns are left out.

    Args:
        frame: as in `fit_columns`.
        names: of the columns.
        texts: as in `fit_columns`.
        weights: as in `fit_columns`.

    Returns:
        The columns.

    Raises:
        TableError: if no column is left, or if float32 cannot hold the numbers of a column.
    """
    found = fit_columns(frame, names, texts, weights)
    if not found.specs:
        raise TableError("a column to learn from", f"none ({'; '.join(found.notes)})", "name a file with others")
    return found


def fit_columns(
    frame: StoredFrame,
    names: Sequence[str],
    texts: TextOptions,
    weights: Float[np.ndarray, " rows"] | None = None,
) -> LearnedColumns:
    """What each column is.

    Args:
        frame: with columns of the types that `infer_type` gives.
        names: of the columns.
        texts: how columns of texts are learned from, and how texts were read as numbers or dates.
        weights: [rows], how often each row counts in a mean and a standard deviation; by default all count once.

    Returns:
        The columns, without those that are left out.

    Raises:
        TableError: if float32 cannot hold the numbers of a column.
    """

    def fit(name: str) -> tuple[ColumnSpec | None, tuple[str, ...]]:
        series = frame.load(name).alias("")  # polars would take a name for a pattern, even a series' own
        if not series.count() and name not in texts.kept:
            keep = f"--keep {quote_names([name])} takes it anyway"
            return None, (OptionNote(f"left out {name}: it has no value in any row", keep),)
        if name in texts.dates:
            style, absent = texts.dates[name]
            dates = fit_date(series.fill_null(np.nan).to_numpy(), style, weights)
            return msgspec.structs.replace(dates, absent=absent), ()
        if series.dtype.is_numeric():
            column = spelled(_fit_numeric(series, name, weights), texts.spellings.get(name))
            return column, number_hints(series, name)
        fitted = fit_categories(series, name, name in texts.folded, name in texts.kept)
        return fitted.column, () if fitted.note is None else (fitted.note,)

    with ThreadPoolExecutor(THREADS) as pool:
        found = dict(zip(names, pool.map(fit, names), strict=True))
    specs = {
        name: msgspec.structs.replace(_with_absent(column, texts.absent.get(name, ())), is_open=not texts.strict)
        for name, (column, _) in found.items()
        if column is not None
    }
    return LearnedColumns(specs, tuple(note for _, notes in found.values() for note in notes))


def _with_absent(column: ColumnSpec, absent: tuple[str, ...]) -> ColumnSpec:
    """The column, in which these texts also stand for a missing value."""
    if not absent:
        return column
    if isinstance(column, NumericColumn):
        known = (*column.spelling.absent, *absent)
        return msgspec.structs.replace(column, spelling=msgspec.structs.replace(column.spelling, absent=known))
    return msgspec.structs.replace(column, absent=(*column.absent, *absent))


def _as_floats(series: polars.Series) -> Float[np.ndarray, " rows"]:
    """The numbers of a column, with NaN for null, and with as few copies as possible."""
    import polars as pl

    series = series if series.dtype == pl.Float64 else series.cast(pl.Float64)
    values: np.ndarray = (series.fill_null(np.nan) if series.null_count() else series).to_numpy()
    return values


def _fit_numeric(series: polars.Series, name: str, weights: np.ndarray | None) -> NumericColumn:
    try:
        return fit_numeric(_as_floats(series), weights)
    except ValueError:
        found = f"{series.min()!r} to {series.max()!r}"
        remedy = f"leave it out: --drop {quote_names([name])}"
        raise TableError(
            f"{FLOAT32_NUMBERS} in {name}", found, remedy, without_options="leave that column out of the file"
        ) from None


def spelled(column: NumericColumn, spelling: NumberSpelling | None) -> NumericColumn:
    """A column of numbers that are written in some way.

    Args:
        column: the column.
        spelling: how its numbers are written; None if they were not texts.

    Returns:
        The column with the spelling.
    """
    return column if spelling is None else msgspec.structs.replace(column, spelling=spelling)


def encode_frame(frame: StoredFrame, specs: Mapping[str, ColumnSpec]) -> Float[np.ndarray, "rows inputs"]:
    """The inputs of the network for all rows.

    Args:
        frame: with these columns. Each piece is forgotten when it is encoded, so that its memory is free.
        specs: of the columns, by their names.

    Returns:
        [rows, inputs] float32.

    Raises:
        TableError: if the inputs do not fit into memory.
    """
    column_specs = tuple(specs.values())
    rows, inputs = len(frame), count_inputs(column_specs)
    check_memory(rows * inputs * FLOAT32_BYTES, f"{rows:,} rows of {inputs:,} inputs", available_memory())
    x = aligned_empty(rows, inputs)
    ends = frame.ends()

    def fill(index: int) -> None:
        inputs = encode_piece(frame, specs, index)
        x[ends[index] - len(inputs) : ends[index]] = inputs

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(fill, range(len(ends))):
            pass
    return x


def encode_piece(frame: StoredFrame, specs: Mapping[str, ColumnSpec], index: int) -> Float[np.ndarray, "rows inputs"]:
    """The inputs of the network for one piece of a frame. The piece is forgotten.

    Args:
        frame: with these columns.
        specs: of the columns, by their names.
        index: of the piece, from 0.

    Returns:
        [rows of the piece that count, inputs] float32.
    """
    piece = frame.piece(index, specs)
    frame.forget(index)
    values = [
        piece[name].fill_null(np.nan).to_numpy()
        if isinstance(column, DateColumn)
        else parse_series(column, piece[name])
        for name, column in specs.items()
    ]
    return encode(tuple(specs.values()), values)
