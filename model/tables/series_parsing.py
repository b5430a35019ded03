"""The values of a whole column, typed or texts, as the numbers that `encode` takes."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from model.messages import quote
from model.tables.columns import CategoricalColumn, ColumnSpec, NumericColumn, fits_float32
from model.tables.date_columns import DateColumn
from model.tables.date_spelling import DIGITS, read_date
from model.tables.parsing import (
    BLANKS,
    MISSING,
    ParseError,
    bare_text,
    category_name,
    expected_values,
    parse_text,
    spelled_number,
)

if TYPE_CHECKING:
    import polars

# Stands for a text that is not one of a column's categories.
_UNKNOWN_CATEGORY = -1.0


def parse_series(column: ColumnSpec, series: polars.Series, first: int = 0) -> Float[np.ndarray, " rows"]:
    """The values of a frame's column, which may be typed or texts.

    Args:
        column: whose values they are.
        series: the values.
        first: how many rows of the file come before the series.

    Returns:
        [rows] float64, each value as in `parse_text`.

    Raises:
        ParseError: at the first value that does not fit the column, with its row.
    """
    series = series.alias("")  # polars would take a name for a pattern, even a series' own
    if isinstance(column, DateColumn):
        values = date_seconds(series) if series.dtype.is_temporal() else _parsed_dates(column, series)
    elif isinstance(column, NumericColumn) and series.dtype.is_temporal():
        values = date_seconds(series)  # a duration
    elif isinstance(column, NumericColumn) and series.dtype.is_numeric():
        values = _numbers(series)
    else:
        values = _parsed(column, series)
    if isinstance(column, NumericColumn):
        values = column.without_sentinels(values)
    absent = np.isnan(values)
    unknown = values == _UNKNOWN_CATEGORY
    wrong = unknown if isinstance(column, CategoricalColumn) else ~(absent | fits_float32(values))
    if not (column.missing or column.is_open):
        wrong |= absent
    if wrong.any():
        index = int(wrong.argmax())
        raise _refusal(column, "" if series[index] is None else str(series[index]), first + index + 1)
    return values


def bare_series(texts: polars.Series) -> polars.Series:
    """Texts without blanks at their ends, and with each letter composed in the same way.

    Args:
        texts: without a name.

    Returns:
        Each as in `bare_text`, in a fraction of the time.

    Example:
        >>> import polars as pl
        >>> bare_series(pl.Series([" a ", None, "e\u0301"])).to_list()
        ['a', None, 'é']
    """
    bare = texts.str.strip_chars(BLANKS)
    unusual = bare.str.contains(r"[^\x00-\x7f]")
    if not unusual.any():
        return bare
    letters = bare.filter(unusual.fill_null(False)).unique().to_list()
    composed = {text: bare_text(text) for text in letters if not unicodedata.is_normalized("NFC", text)}
    return bare.replace(composed) if composed else bare


def _refusal(column: ColumnSpec, text: str, row: int) -> ParseError:
    try:
        parse_text(column, text)
    except ParseError as error:
        return ParseError(error.expected, error.found, row)
    return ParseError(expected_values(column), quote(text), row)


def _numbers(series: polars.Series) -> Float[np.ndarray, " rows"]:
    import polars as pl

    values: np.ndarray = series.cast(pl.Float64).to_numpy()
    return values


def _number_or_none(column: NumericColumn, text: str) -> float | None:
    try:
        return spelled_number(column, text)
    except ParseError:
        return None


def date_seconds(series: polars.Series) -> Float[np.ndarray, " rows"]:
    """The points in time of a typed column.

    Args:
        series: of dates, times of day, dates with times, or durations.

    Returns:
        [rows] float64: seconds since 1970, since midnight for times of day, or the seconds of a duration; NaN where a
        value is missing.
    """
    import polars as pl

    if series.dtype == pl.Time:
        nanoseconds = series.cast(pl.Int64)
    elif series.dtype == pl.Duration:
        nanoseconds = series.cast(pl.Duration("ns")).cast(pl.Int64)
    else:
        return (series.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64) / 1e6).fill_null(math.nan).to_numpy()
    return (nanoseconds.cast(pl.Float64) / 1e9).fill_null(math.nan).to_numpy()


def _parsed_dates(column: DateColumn, series: polars.Series) -> Float[np.ndarray, " rows"]:
    """The seconds of texts: NaN for a missing value, infinity for a text that is no date."""
    import polars as pl

    if column.style == DIGITS and series.dtype.is_float():
        whole = series.cast(pl.Int64, strict=False)
        series = pl.select(pl.when(whole == series).then(whole.cast(pl.String)).otherwise(series.cast(pl.String)))[""]
    bare = bare_series(series.cast(pl.String))
    texts = [text for text in bare.drop_nulls().unique().to_list() if text not in MISSING + column.absent]
    read = {text: read_date(text, column.style) for text in texts}
    seconds = {text: math.inf if each is None else each for text, each in read.items()}
    return bare.replace_strict(seconds, default=math.nan, return_dtype=pl.Float64).to_numpy()


def _parsed(column: NumericColumn | CategoricalColumn, series: polars.Series) -> Float[np.ndarray, " rows"]:
    """The values of a series of texts, or of a column whose categories are truth values or numbers.

    NaN stands for a missing value, infinity for a text that is not a number, _UNKNOWN_CATEGORY for an unknown category.
    """
    import polars as pl

    texts = series.cast(pl.String)
    if isinstance(column, CategoricalColumn):
        exact = texts.cast(pl.Enum(column.categories), strict=False)
        if exact.null_count() == texts.null_count():  # as in training
            return exact.to_physical().cast(pl.Float64).fill_null(math.nan).to_numpy()
    bare = bare_series(texts)
    absent = bare.is_in(list(MISSING)) | texts.is_null()
    if isinstance(column, NumericColumn):
        absent |= bare.str.to_lowercase().str.strip_chars_start("+-") == "nan"
        absent |= bare.is_in(list(column.spelling.absent))
        values = (bare if column.spelling.is_plain else bare.clear(len(bare))).cast(pl.Float64, strict=False)
        rest = bare.filter((values.is_null() & ~absent).fill_null(False)).unique().to_list()
        numbers = {text: number for text in rest if (number := _number_or_none(column, text)) is not None}
        values = values.fill_null(bare.replace_strict(numbers, default=math.inf, return_dtype=pl.Float64))
    else:
        absent |= bare.is_in(list(column.absent))
        absent &= ~bare.is_in(list(column.categories))
        named = bare.str.to_lowercase() if column.boolean else bare
        if column.is_folded:
            named = bare.replace({text: category_name(column, text) for text in bare.drop_nulls().unique().to_list()})
        codes = named.cast(pl.Enum(column.categories), strict=False).to_physical()
        values = codes.cast(pl.Float64)
        others = bare.filter(values.is_null() & ~absent).unique().to_list()
        found = {text: column.index_of_other(text) for text in others}
        indices = {text: index for text, index in found.items() if index is not None}
        values = values.fill_null(bare.replace_strict(indices, default=_UNKNOWN_CATEGORY, return_dtype=pl.Float64))
    return np.where(absent.fill_null(True).to_numpy(), np.nan, values.to_numpy())
