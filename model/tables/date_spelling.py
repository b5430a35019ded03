"""How dates and times are written in a column, and what they stand for: seconds since 1970, or since midnight."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from model.messages import quote
from model.tables.errors import TableError
from model.tables.spelling import are_few_strays

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# The order of year, month and day; ym has no day, and time is a time of day without a date.
STYLES = ("ymd", "dmy", "mdy", "ym", "time")
# A year of two digits above this one is of the last century, as strptime takes it (POSIX).
LAST_SHORT_YEAR = 68
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(:(?P<second>\d{2})([.,](?P<fraction>\d{1,9}))?)?\s*(?P<half>[ap]\.?m\.?)?"
)
_AT = rf"([T ]\s*{_CLOCK}\s*(?P<zone>Z|UTC|GMT|[+-]\d{{2}}:?\d{{2}})?)?"
_MONTH, _DAY, _YEAR, _GAP = (
    r"(?P<month>\d{1,2}|[A-Za-z]{3,9}\.?)",
    r"(?P<day>\d{1,2})",
    r"(?P<year>\d{4}|\d{2})",
    r"[-/. ,]{1,2}",
)
_PATTERNS = {
    "ymd": re.compile(rf"(?P<year>\d{{4}})[-/. ]{_MONTH}[-/. ]{_DAY}{_AT}", re.ASCII | re.IGNORECASE),
    "dmy": re.compile(rf"{_DAY}[-/. ]\s?{_MONTH}{_GAP}{_YEAR}{_AT}", re.ASCII | re.IGNORECASE),
    "mdy": re.compile(rf"{_MONTH}[-/. ]\s?{_DAY}{_GAP}{_YEAR}{_AT}", re.ASCII | re.IGNORECASE),
    "ym": re.compile(r"(?P<year>\d{4})[-/](?P<month>\d{1,2})", re.ASCII),
    "time": re.compile(_CLOCK, re.ASCII | re.IGNORECASE),
}


class SpelledDates(NamedTuple):
    """What the texts of a column of dates are.

    Attributes:
        style: how they are written, one of STYLES.
        seconds: what each text stands for; None for a text that is taken for missing.
        strays: the texts that are no dates.
    """

    style: str
    seconds: Mapping[str, float | None]
    strays: tuple[str, ...]


def read_date(text: str, style: str) -> float | None:
    """The point in time that a text spells.

    Args:
        text: without blanks around it. Dates may always be written as in ISO 8601, too.
        style: one of STYLES.

    Returns:
        Seconds since 1970 in UTC, or since midnight for the style time; None if the text is no such date.

    Example:
        >>> read_date("31.12.1969 23:00", "dmy"), read_date("Jan 2, 1970", "mdy"), read_date("01:30", "time")
        (-3600.0, 86400.0, 5400.0)
        >>> read_date("31.02.2024", "dmy") is None
        True
    """
    for each in (style, "ymd") if style in ("dmy", "mdy", "ym") else (style,):
        found = _PATTERNS[each].fullmatch(text)
        if found is not None:
            return _seconds(found.groupdict())
    return None


def _seconds(parts: Mapping[str, str | None]) -> float | None:
    clock = _clock(parts)
    if clock is None or "year" not in parts:
        return clock
    year, month = int(parts["year"] or 0), _month(parts["month"] or "")
    if len(parts["year"] or "") == 2:
        year += 1900 if year > LAST_SHORT_YEAR else 2000
    try:
        date = datetime(year, month, int(parts.get("day") or 1), tzinfo=UTC)
    except ValueError:
        return None
    return (date - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() + clock - _zone(parts.get("zone"))


def _clock(parts: Mapping[str, str | None]) -> float | None:
    """The seconds since midnight, 0 if no time is given; None if there is no such time."""
    if parts.get("hour") is None:
        return 0.0
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    if parts.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if (parts["half"] or "").lower().startswith("p") else 0)
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        return None
    return 3600.0 * hour + 60.0 * minute + second + float(f"0.{parts.get('fraction') or 0}")


def _month(text: str) -> int:
    """The number of a month; 0 if there is none of this name."""
    name = text.rstrip(".").lower()
    return int(name) if name.isdigit() else MONTHS.index(name[:3]) + 1 if name[:3] in MONTHS else 0


def _zone(text: str | None) -> float:
    """How many seconds a zone is ahead of UTC."""
    if not text or text.upper() in ("Z", "UTC", "GMT"):
        return 0.0
    digits = text[1:].replace(":", "")
    return (-1 if text[0] == "-" else 1) * (3600.0 * int(digits[:2]) + 60.0 * int(digits[2:]))


def may_be_dates(counts: Mapping[str, int], styles: Sequence[str] = STYLES) -> bool:
    """Whether at least half of some cells are dates or times.

    Args:
        counts: how many cells have each text.
        styles: those that may be.

    Returns:
        False if the column of these cells is none of dates.

    Example:
        >>> may_be_dates({"2024-01-31": 3, "never": 2}), may_be_dates({"Oslo": 3, "2024-01-31": 1})
        (True, False)
    """
    dates = sum(count for text, count in counts.items() if any(read_date(text, style) is not None for style in styles))
    return 2 * dates >= sum(counts.values())


def infer_dates(name: str, counts: Mapping[str, int], styles: Sequence[str] = STYLES) -> SpelledDates | None:
    """How the dates of a column are written.

    Args:
        name: of the column.
        counts: how many cells have each text, without blanks around it and without the usual words for missing.
        styles: those that may be.

    Returns:
        What the texts are; None if they are no dates.

    Raises:
        TableError: if it cannot be told whether days or months come first.

    Example:
        >>> infer_dates("when", {"3/14/2023": 1, "4/1/2023": 2}).style
        'mdy'
    """
    read = {
        style: {text: seconds for text in counts if (seconds := read_date(text, style)) is not None} for style in styles
    }
    cells = {style: sum(counts[text] for text in texts) for style, texts in read.items()}
    best = max(styles, key=lambda style: cells[style])
    strays = [text for text in counts if text not in read[best]]
    total = sum(counts.values())
    if not cells[best] or not are_few_strays(total - cells[best], total):
        return None
    if best == "dmy" and cells.get("mdy") == cells[best] and read["dmy"] != read["mdy"]:
        first = next(text for text in counts if read["dmy"].get(text) != read["mdy"].get(text))
        if "." not in first:
            raise TableError(
                f"dates in {name} whose days and months can be told apart",
                f"none with a day after the 12th, as {quote(first)}",
                "say --dates dmy or --dates mdy",
            )
    return SpelledDates(best, read[best] | dict.fromkeys(strays, None), tuple(strays))


def describe_date(seconds: float, style: str) -> str:
    """A point in time as people read it.

    Args:
        seconds: as of `read_date`.
        style: one of STYLES.

    Returns:
        In ISO 8601, without a time at midnight.

    Example:
        >>> describe_date(86400.0, "dmy"), describe_date(5400.0, "time"), describe_date(90000.0, "ymd")
        ('1970-01-02', '01:30', '1970-01-02 01:00')
    """
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    if style == "time":
        return f"{moment:%H:%M}"
    return f"{moment:%Y-%m-%d}" if seconds % 86400 == 0 else f"{moment:%Y-%m-%d %H:%M}"
