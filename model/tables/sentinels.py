"""Texts and numbers that stand for a missing value because the user says so."""

from __future__ import annotations

from collections.abc import Sequence

from model.messages import quote
from model.tables.frames import pl
from model.tables.parsing import BLANKS
from model.tables.spelling import PLAIN_NUMBER

# How many sentinels of a column have a note each.
MAX_TOLD = 5


def without_sentinels(column: pl.Series, sentinels: Sequence[str]) -> tuple[pl.Series, tuple[str, ...]]:
    """A column in which some texts or numbers are missing values.

    Args:
        column: typed or of texts.
        sentinels: the texts. A text that is a number stands for that number in any spelling.

    Returns:
        The column, null where a value is one of the sentinels, and a note for each sentinel that occurs.

    Example:
        >>> column, notes = without_sentinels(pl.Series("age", [-999, 31, -999]), ["-999", "none"])
        >>> column.to_list(), notes
        ([None, 31, None], ("'-999' in age is read as missing, in 2 rows",))
    """
    series, notes = column.alias(""), []
    for sentinel in sentinels:
        is_sentinel = _equals(series, sentinel)
        cells = int(is_sentinel.sum())
        if cells:
            series = series.set(is_sentinel, None)
            notes.append(f"{quote(sentinel)} in {column.name} is read as missing, in {cells:,} row{'s' * (cells > 1)}")
    if len(notes) > MAX_TOLD:
        notes[MAX_TOLD:] = [f"{len(notes) - MAX_TOLD:,} more texts in {column.name} are read as missing"]
    return series.alias(column.name), tuple(notes)


def _equals(series: pl.Series, sentinel: str) -> pl.Series:
    """Which values are the sentinel, or the same number in another spelling."""
    number = float(sentinel) if PLAIN_NUMBER.fullmatch(sentinel) else None
    nowhere = pl.Series([False]).new_from_index(0, len(series))
    if series.dtype.is_numeric():
        return nowhere if number is None else (series.cast(pl.Float64) == number).fill_null(False)
    if series.dtype != pl.String:
        return (series.cast(pl.String, strict=False) == sentinel).fill_null(False) if _has_texts(series) else nowhere
    bare = series.str.strip_chars(BLANKS)
    is_equal = bare == sentinel
    return (is_equal if number is None else is_equal | (bare.cast(pl.Float64, strict=False) == number)).fill_null(False)


def _has_texts(series: pl.Series) -> bool:
    return series.dtype in (pl.Categorical, pl.Enum, pl.Boolean)
