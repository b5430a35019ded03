"""Notes on columns of numbers that may be ids, and on numbers that may stand for a missing value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.messages import quote_names
from model.tables.errors import OptionNote

if TYPE_CHECKING:
    import polars

# A column of ids has at least this many rows. The first rows are tried before all rows are.
MIN_ID_ROWS, SAMPLED_ROWS = 10, 100
# Numbers that people write for a missing value.
SENTINELS = (
    -1.0,
    *(sign * float(str(digit) * count) for digit in (9, 8, 7) for count in range(2, 8) for sign in (1, -1)),
    -9.0,
    99.99,
    -99.99,
    999.99,
    -999.99,
    999.9,
    -999.9,
)
# A sentinel occurs in at least this many cells, beside at least this many different other numbers. Its distance from
# them is more than this share of their range.
MIN_CELLS, MIN_OTHERS, MIN_GAP_SHARE = 3, 10, 0.1


def number_hints(series: polars.Series, name: str) -> tuple[str, ...]:
    """What to say about a column of numbers.

    Args:
        series: Int64 or Float64, null where a value is missing.
        name: of the column.

    Returns:
        The notes; one sentence each.

    Example:
        >>> import polars as pl
        >>> number_hints(pl.Series(range(1, 40)), "id")
        ('id has whole numbers that rise from row to row, as ids and row numbers do; --drop id leaves it out',)
        >>> number_hints(pl.Series([-999.0] * 3 + [index / 2 for index in range(40)]), "age")
        ('-999 in age, in 3 rows, may stand for a missing value; --missing age=-999 reads it as missing',)
    """
    hints = []
    if _looks_like_id(series):
        why = "has whole numbers that rise from row to row, as ids and row numbers do"
        hints.append(OptionNote(f"{name} {why}", f"--drop {quote_names([name])} leaves it out"))
    return (*hints, *sentinel_hints(series, name))


def sentinel_hints(series: polars.Series, name: str) -> tuple[str, ...]:
    """What to say about numbers of a column that may stand for a missing value.

    Args:
        series: as in `number_hints`.
        name: of the column.

    Returns:
        The notes; one sentence each.
    """
    if not series.count():
        return ()
    hints = []
    for value in {float(series.min()), float(series.max())} & {*SENTINELS}:  # type: ignore[arg-type]
        cells = _sentinel_cells(series, value)
        if cells:
            option = quote_names([f"{name}={value:g}"])
            why = f"in {cells:,} rows, may stand for a missing value"
            hints.append(OptionNote(f"{value:g} in {name}, {why}", f"--missing {option} reads it as missing"))
    return tuple(sorted(hints))


def _looks_like_id(series: polars.Series) -> bool:
    if not series.dtype.is_integer() or len(series) < MIN_ID_ROWS or series.null_count():
        return False
    return all(bool((part.diff().slice(1) > 0).all()) for part in (series.head(SAMPLED_ROWS), series))


def _sentinel_cells(series: polars.Series, value: float) -> int:
    """How many cells hold a number that may stand for a missing value; 0 if it is unlikely to."""
    cells = int((series == value).sum())
    others = series.filter(series != value)
    if cells < MIN_CELLS or others.n_unique() < MIN_OTHERS:
        return 0
    low, high = float(others.min()), float(others.max())  # type: ignore[arg-type]
    gap = max(low - value, value - high)
    is_only_negative = value < 0 <= low
    return cells if is_only_negative or gap > MIN_GAP_SHARE * (high - low) else 0
