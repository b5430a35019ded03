"""Columns of numbers that are dates, and those that only look like dates."""

from __future__ import annotations

import re

from model.tables.date_spelling import describe_date
from model.tables.frames import pl
from model.tables.text_columns import ReadTexts, read_digit_dates

# How many numbers are tried before all are, and the ranges of dates without a time and with one.
_SAMPLED_ROWS = 100
_DIGITS = ((19_000_101, 99_991_231), (190_001_010_000, 999_912_312_359), (19_000_101_000_000, 99_991_231_235_959))
# Words in the names of columns of days, and of columns of points in time.
_DAY_WORDS = {"date", "dates", "datetime", "datum", "fecha", "day", "when"}
_TIME_WORDS = _DAY_WORDS | {
    "time",
    "timestamp",
    "ts",
    "epoch",
    "unix",
    "zeit",
    "at",
    "created",
    "updated",
    "modified",
}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
# The units in which points in time are counted since 1970, and how many of each are a second.
_UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
# With such a name, points in time from 1973 to 2100 count, because smaller numbers of seconds may be anything. Without
# it, points in time from 2004 to 2033 count.
_NAMED, _UNNAMED = (1e8, 4_102_444_800.0), (1.1e9, 2e9)
# Spreadsheets count days from 1899-12-30. The range of days is from 1970 to 2100.
_FIRST_DAY, _DAYS = -25_569, (25_569, 73_050)


def read_numbers(column: pl.Series) -> ReadTexts:
    """What the numbers of a column stand for.

    Args:
        column: of Int64 or Float64, null where a value is missing.

    Returns:
        The seconds of dates if the numbers are dates such as 20240131. Otherwise the same column, with a note if its
        numbers look like points in time or days.

    Example:
        >>> read_numbers(pl.Series("day", [20240131, 20240201])).notes
        ("'20240131' in day is read as 2024-01-31",)
        >>> read_numbers(pl.Series("created_at", [1700000040, 1700086440])).notes
        ('created_at looks like seconds since 1970, from 2023-11-14 22:14 to 2023-11-15 22:14; it is read as numbers',)
        >>> read_numbers(pl.Series("price", [20231301, 20240101])).notes
        ()
    """
    name, series = column.name, column.alias("")
    if _have_digits_of_dates(series):
        dates = read_digit_dates(name, series.cast(pl.Int64).cast(pl.String))
        if dates is not None:
            return dates
    note = _time_note(name, series)
    return ReadTexts(column, notes=() if note is None else (note,))


def _have_digits_of_dates(numbers: pl.Series) -> bool:
    """Whether most of the first numbers have as many digits as dates, and all numbers are whole."""
    first = [number for number in numbers.head(_SAMPLED_ROWS).to_list() if number is not None]
    within = sum(low <= number <= high for number in first for low, high in _DIGITS)
    return 2 * within > len(first) and _are_whole(numbers)


def _are_whole(numbers: pl.Series) -> bool:
    return numbers.dtype == pl.Int64 or bool((numbers == numbers.round()).all())


def _time_note(name: str, numbers: pl.Series) -> str | None:
    """A note on numbers that look like points in time or days; None if they do not."""
    low, high = (float(end) if end is not None else 0.0 for end in (numbers.min(), numbers.max()))  # type: ignore[arg-type]
    if not 0 < low < high:
        return None
    words = {word.lower() for word in _WORDS.findall(name)}
    for unit, count in _UNITS.items():
        first, last = _NAMED if words & _TIME_WORDS else _UNNAMED
        if first <= low / count and high / count < last and (words & _TIME_WORDS or _are_whole(numbers)):
            return _note(name, f"{unit} since 1970", low / count, high / count)
    if words & _DAY_WORDS and _DAYS[0] <= low and high <= _DAYS[1]:
        low, high = (86_400.0 * (end + _FIRST_DAY) for end in (low, high))
        return _note(name, "days of a spreadsheet", low, high)
    return None


def _note(name: str, kind: str, low: float, high: float) -> str:
    ends = " to ".join(describe_date(float(round(seconds)), "ymd") for seconds in (low, high))
    return f"{name} looks like {kind}, from {ends}; it is read as numbers"
