"""How dates and times are written, and what they stand for: seconds since 1970, or since midnight."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from model.tables.clock_times import CLOCK, ZONE, clock_seconds, zone_seconds
from model.tables.month_names import is_weekday, month_number

# The order of year, month and day; ym has no day, and time is a time of day without a date.
STYLES = ("ymd", "dmy", "mdy", "ym", "time")
# Year, month and day as digits with nothing between them, with or without a time.
DIGITS = "digits"
# A year of two digits, month and day. It is used only if the user says so, because the order is not clear.
SHORT_YMD = "short ymd"
# How a date of each style may be written.
EXAMPLES = dict.fromkeys(("ymd", SHORT_YMD, "dmy", "mdy"), "2024-01-31") | {
    "ym": "2024-01",
    "time": "12:30",
    DIGITS: "20240131",
}
# A year of two digits above this one is of the last century, as strptime takes it (POSIX).
LAST_SHORT_YEAR = 68
_EPOCH = date(1970, 1, 1).toordinal()
_WORD = r"[^\W\d_]{3,10}\.?"
_MONTH, _NAMED_MONTH = rf"(?P<month>[0-9]{{1,2}}|{_WORD})", rf"(?P<month>{_WORD})"
_DAY = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th|er|ter|re|e|º|°|ª)?"
_YEAR, _LONG_YEAR = r"['’]?(?P<year>[0-9]{4}|[0-9]{2})", r"(?P<year>[0-9]{4})"
# What stands between two parts.
_GAP = r"(?:\s*[-/.,]\s*|\s+(?:(?:de|del|of|di)\s+)?)"
_AT = rf"(?:(?:[Tt:]|,?\s+(?:at\s+)?)\s*{CLOCK}(?:\s*{ZONE})?)?"
_BARE_TIME = r"(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?:(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
_WEEKDAY_BEFORE = re.compile(r"([^\W\d_]{2,10})(?:-feira)?\.?,?\s+")
# The patterns of each style, the most frequent first.
_FORMS: dict[str, tuple[str, ...]] = {
    "ymd": (
        rf"{_LONG_YEAR}[-/. ]{_MONTH}[-/. ]{_DAY}{_AT}",
        rf"{_LONG_YEAR}(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}})[T ](?:{_BARE_TIME})(?:\s*{ZONE})?",
        rf"{_LONG_YEAR}\s*[年년]\s*(?P<month>[0-9]{{1,2}})\s*[月월]\s*(?P<day>[0-9]{{1,2}})\s*[日일](?:\s*{CLOCK})?",
        rf"{_LONG_YEAR}-?W(?P<week>[0-9]{{2}})(?:-?(?P<weekday>[1-7]))?",
    ),
    SHORT_YMD: (rf"['’]?(?P<year>[0-9]{{2}})[-/. ]{_MONTH}[-/. ]{_DAY}{_AT}",),
    "dmy": (
        rf"{_DAY}{_GAP}{_MONTH}{_GAP}{_YEAR}{_AT}",
        rf"(?P<day>[0-9]{{1,2}}){_NAMED_MONTH}{_LONG_YEAR}{_AT}",
    ),
    "mdy": (
        rf"{_MONTH}{_GAP}{_DAY}{_GAP}{_YEAR}{_AT}",
        rf"{_NAMED_MONTH}\s+{_DAY}\s+{CLOCK}(?:\s+{ZONE})?\s+{_LONG_YEAR}",
    ),
    "ym": (
        rf"{_LONG_YEAR}[-/](?P<month>[0-9]{{1,2}})",
        rf"(?P<month>[0-9]{{1,2}})[-/.]{_LONG_YEAR}",
        rf"{_NAMED_MONTH}{_GAP}?{_LONG_YEAR}",
        rf"{_NAMED_MONTH}(?:[-/]['’]?|\s*['’])(?P<year>[0-9]{{2}})",
        rf"{_LONG_YEAR}[-/. ]{_NAMED_MONTH}",
        rf"{_LONG_YEAR}\s*[年년]\s*(?P<month>[0-9]{{1,2}})\s*[月월]",
        rf"{_LONG_YEAR}[-/ ]?[Qq](?P<quarter>[1-4])",
        rf"[Qq](?P<quarter>[1-4])[-/ ]?{_LONG_YEAR}",
    ),
    "time": (CLOCK,),
    DIGITS: (rf"(?P<year>(?:19|20)[0-9]{{2}}|2100|9999)(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}})(?:{_BARE_TIME})?",),
}
_PATTERNS = {style: tuple(map(re.compile, forms)) for style, forms in _FORMS.items()}


# The largest distance of a zone from UTC, in seconds.
MAX_ZONE = 14 * 3600
# The first and the last second of the years 1 to 9999.
_FIRST, _LAST = 86400.0 * (1 - _EPOCH), 86400.0 * (date.max.toordinal() + 1 - _EPOCH) - 1


class DateSpelling(NamedTuple):
    """How the dates of a column are written.

    Attributes:
        style: one of STYLES, SHORT_YMD and DIGITS.
        absent: texts that stand for a missing value in this column, besides the usual ones.
    """

    style: str
    absent: tuple[str, ...] = ()


def read_date(text: str, style: str) -> float | None:
    """The point in time that a text spells.

    Args:
        text: without blanks around it. A date may always be written as in ISO 8601, too.
        style: one of STYLES, SHORT_YMD and DIGITS.

    Returns:
        Seconds since 1970 in UTC, or since midnight for the style time; None if the text is not such a date. A month, a
        quarter or a week is its first day.

    Example:
        >>> read_date("31.12.1969 23:00", "dmy"), read_date("Jan 2, 1970", "mdy"), read_date("01:30", "time")
        (-3600.0, 86400.0, 5400.0)
        >>> read_date("Friday, 2nd of January 1970", "dmy"), read_date("19700102", "digits")
        (86400.0, 86400.0)
        >>> read_date("70/1/2", "short ymd"), read_date("31.02.2024", "dmy")
        (86400.0, None)
    """
    seconds = read_in_order(text, style)
    return read_in_order(text, "ymd") if seconds is None and style not in ("ymd", "time") else seconds


def read_in_order(text: str, style: str) -> float | None:
    """The point in time that a text spells in the order of one style.

    Args:
        text: as in `read_date`.
        style: as in `read_date`.

    Returns:
        As in `read_date`, but None for a date as in ISO 8601 if the style is not ymd.

    Example:
        >>> read_in_order("1970-01-02", "ymd"), read_in_order("1970-01-02", "dmy")
        (86400.0, None)
    """
    seconds = _read(text, _PATTERNS[style])
    if seconds is None and style != "time" and text[:1].isalpha():
        found = _WEEKDAY_BEFORE.match(text)
        if found is not None and is_weekday(found[1]):
            return _read(text[found.end() :], _PATTERNS[style])
    return seconds


def _read(text: str, patterns: Sequence[re.Pattern[str]]) -> float | None:
    for pattern in patterns:
        found = pattern.fullmatch(text)
        if found is not None:
            return _seconds(found.groupdict())
    return None


def _seconds(parts: Mapping[str, str | None]) -> float | None:
    clock = clock_seconds(parts)
    if clock is None or "year" not in parts:
        return clock
    day, zone = _ordinal(parts), zone_seconds(parts.get("zone"))
    return None if day is None or abs(zone) > MAX_ZONE else 86400.0 * (day - _EPOCH) + clock - zone


def _ordinal(parts: Mapping[str, str | None]) -> int | None:
    """The number of a day, as `date.toordinal` counts; None if there is no such day."""
    written = parts["year"] or ""
    year = int(written)
    if len(written) == 2:
        year += 1900 if year > LAST_SHORT_YEAR else 2000
    try:
        if "week" in parts:
            return date.fromisocalendar(year, int(parts["week"] or 0), int(parts.get("weekday") or 1)).toordinal()
        month = 3 * int(parts["quarter"] or 0) - 2 if "quarter" in parts else _month(parts["month"] or "")
        return date(year, month, int(parts.get("day") or 1)).toordinal()
    except ValueError:
        return None


def _month(text: str) -> int:
    """The number of a month; 0 if no month has this name."""
    return int(text) if text.isdigit() else month_number(text)


def describe_date(seconds: float, style: str) -> str:
    """A point in time as people read it.

    Args:
        seconds: as in `read_date`.
        style: one of STYLES, SHORT_YMD and DIGITS.

    Returns:
        The date in ISO 8601, without a time at midnight, and without seconds at a full minute. A point in time before
        the year 1 or after 9999 is replaced by the nearest one within these years.

    Example:
        >>> describe_date(86400.0, "dmy"), describe_date(5400.0, "time"), describe_date(90000.0, "ymd")
        ('1970-01-02', '01:30', '1970-01-02 01:00')
    """
    seconds = min(max(seconds, _FIRST), _LAST)
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    if style == "time":
        return clock
    day = moment.date().isoformat()
    return day if seconds % 86400 == 0 else f"{day} {clock}"
