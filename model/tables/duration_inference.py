"""Whether the texts of a column are durations. They become numbers of seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping

from model.tables.absent_texts import find_absent
from model.tables.date_spelling import read_date
from model.tables.durations import duration_unit, read_duration
from model.tables.spelling import NumberSpelling, SpelledColumn


def may_be_durations(counts: Mapping[str, int]) -> bool:
    """Whether at least half of some cells are durations.

    Args:
        counts: how many cells have each text.

    Returns:
        False if the cells cannot be a column of durations.

    Example:
        >>> may_be_durations({"25:10:00": 3, "-": 2}), may_be_durations({"Oslo": 3, "1h 05m": 1})
        (True, False)
    """
    durations = sum(count for text, count in counts.items() if read_duration(text) is not None)
    return 2 * durations >= sum(counts.values())


def infer_durations(counts: Mapping[str, int]) -> SpelledColumn | None:
    """The durations of a column.

    Args:
        counts: how many cells have each text, without blanks around it and without the usual words for missing.

    Returns:
        The seconds that the texts stand for. None if they are not durations, if all may be times of day, or if all are
        numbers with the same unit.

    Example:
        >>> found = infer_durations({"25:10:00": 5, "23:00:00": 5, "-": 4})
        >>> found.numbers["23:00:00"], found.spelling.is_duration, found.spelling.absent
        (82800.0, True, ('-',))
        >>> infer_durations({"12:30": 5, "23:59": 5}) is None, infer_durations({"90 min": 5, "5 min": 5}) is None
        (True, True)
    """
    read = {text: seconds for text in counts if (seconds := read_duration(text)) is not None}
    others = {text: count for text, count in counts.items() if text not in read}
    absent = find_absent(others, sum(counts.values()), read.values())
    if not read or absent is None or _are_numbers_with_a_unit(read):
        return None
    if all(read_date(text, "time") is not None for text in read):
        return None
    numbers = read | dict.fromkeys(absent.all, math.nan)
    return SpelledColumn(NumberSpelling(is_duration=True, absent=absent.all), numbers, absent.strays)


def _are_numbers_with_a_unit(texts: Mapping[str, float]) -> bool:
    units = {duration_unit(text) for text in texts}
    return len(units) == 1 and None not in units
