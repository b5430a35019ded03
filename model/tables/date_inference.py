"""How the dates of a column are written, inferred from its texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from model.messages import quote
from model.tables.absent_texts import AbsentTexts, find_absent
from model.tables.date_columns import SECONDS_PER_DAY
from model.tables.date_spelling import SHORT_YMD, STYLES, DateSpelling, read_in_order
from model.tables.errors import TableError

# A style is tried for all texts only if it occurs among this many of them.
_SAMPLED_TEXTS = 1_000
# Styles in which a date may also be written as in ISO 8601.
_ORDERS = (SHORT_YMD, "dmy", "mdy", "ym")


class SpelledDates(NamedTuple):
    """What the texts of a column of dates stand for.

    Attributes:
        style: how they are written: one of STYLES, SHORT_YMD and DIGITS.
        seconds: the seconds that each text stands for; None for a text that is read as missing.
        absent: the texts that are not dates.
    """

    style: str
    seconds: Mapping[str, float | None]
    absent: AbsentTexts

    @property
    def spelling(self) -> DateSpelling:
        """How the dates are written, and which texts stand for a missing value."""
        return DateSpelling(self.style, self.absent.all)


def may_be_dates(counts: Mapping[str, int], styles: Sequence[str] = STYLES) -> bool:
    """Whether at least half of some cells are dates or times.

    Args:
        counts: how many cells have each text.
        styles: the styles that are tried.

    Returns:
        False if the cells cannot be a column of dates.

    Example:
        >>> may_be_dates({"2024-01-31": 3, "never": 2}), may_be_dates({"Oslo": 3, "2024-01-31": 1})
        (True, False)
    """
    tried = _with_iso(styles)
    dates = sum(
        count for text, count in counts.items() if any(read_in_order(text, style) is not None for style in tried)
    )
    return 2 * dates >= sum(counts.values())


def infer_dates(name: str, counts: Mapping[str, int], styles: Sequence[str] = STYLES) -> SpelledDates | None:
    """How the dates of a column are written.

    Args:
        name: of the column.
        counts: how many cells have each text, without blanks around it and without the usual words for missing.
        styles: the styles that are tried.

    Returns:
        What the texts stand for; None if they are not dates.

    Raises:
        TableError: if it cannot be told whether days or months come first.

    Example:
        >>> infer_dates("when", {"3/14/2023": 1, "4/1/2023": 2}).style
        'mdy'
        >>> infer_dates("when", {"2024-01-31": 5, "2024-02-01": 5, "never": 4}).spelling
        DateSpelling(style='ymd', absent=('never',))
    """
    read = _read_all(counts, styles)
    if not read:
        return None
    cells = {style: sum(map(counts.__getitem__, texts)) for style, texts in read.items()}
    best = max(read, key=cells.__getitem__)
    total = sum(counts.values())
    others = {text: counts[text] for text in counts if text not in read[best]} if cells[best] < total else {}
    absent = find_absent(others, total, read[best].values())
    if not cells[best] or absent is None:
        return None
    if best == "dmy" and cells.get("mdy") == cells[best] and read["dmy"] != read["mdy"]:
        if _are_first_days(read["mdy"].values()):
            return SpelledDates("mdy", read["mdy"] | dict.fromkeys(others, None), absent)
        if _are_first_days(read["dmy"].values()):
            return SpelledDates(best, read[best] | dict.fromkeys(others, None), absent)
        first = next(text for text in counts if read["dmy"].get(text) != read["mdy"].get(text))
        if "." not in first:
            raise TableError(
                f"dates in {name} whose days and months can be told apart",
                f"no day after the 12th, as in {quote(first)}",
                "say --dates dmy or --dates mdy",
                without_options="write the dates with the year first, as in 2024-12-31",
            )
    return SpelledDates(best, read[best] | dict.fromkeys(others, None), absent)


def _are_first_days(seconds: Iterable[float]) -> bool:
    """Whether dates are the first days of months in several years, as in monthly series."""
    days = np.floor(np.array([*seconds]) / SECONDS_PER_DAY).astype("datetime64[D]")
    are_first = (days == days.astype("datetime64[M]").astype("datetime64[D]")).all()
    return bool(are_first) and len(np.unique(days.astype("datetime64[Y]"))) > 1


def _with_iso(styles: Sequence[str]) -> list[str]:
    """The styles, and the style of ISO 8601 if one of them allows it."""
    return list(dict.fromkeys([*styles, *(["ymd"] if any(style in _ORDERS for style in styles) else [])]))


def _read_all(counts: Mapping[str, int], styles: Sequence[str]) -> dict[str, dict[str, float]]:
    """What the texts stand for in each style that occurs among the first of them."""
    sample = list(islice(counts, _SAMPLED_TEXTS))
    likely = [style for style in _with_iso(styles) if any(read_in_order(text, style) is not None for text in sample)]
    iso = _read(counts, "ymd") if "ymd" in likely else {}
    if iso and len(iso) == len(counts):
        return {styles[0]: iso}
    rest = [text for text in counts if text not in iso] if iso else list(counts)
    read = {style: _read(rest, style) for style in likely if style != "ymd"}
    read = {style: iso | dates if style in _ORDERS else dates for style, dates in read.items()}
    if "ymd" in styles:
        return {"ymd": iso} | read
    return read or {styles[0]: iso}


def _read(texts: Iterable[str], style: str) -> dict[str, float]:
    return {text: seconds for text in texts if (seconds := read_in_order(text, style)) is not None}
