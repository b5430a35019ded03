"""Which texts of a column stand for a missing value, because they differ from all others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# A text among numbers is missing if it is the only such text, has no digit, and occurs in at least this many cells.
MIN_WORD_CELLS = 3
# Up to this many words are missing if the column has more different numbers than this. Fewer numbers may be categories,
# and the words further categories.
MAX_WORDS, MAX_CATEGORIES = 3, 20
# Other texts are missing if at most this many cells have one, and there are this many cells for each of them. They are
# also missing in at most this share of the cells.
MAX_STRAY_CELLS, MIN_CELLS_PER_STRAY, MAX_STRAY_SHARE = 2, 5, 0.01


# How spreadsheets write the day 0, in any order of day, month and year.
_DAY_ZERO = re.compile(r"(0?1[-/.]0?0[-/.](19)?00|0?0[-/.]0?1[-/.](19)?00|1900-0?1-0?0)( 0?0:00(:00)?)?")


class AbsentTexts(NamedTuple):
    """Texts that are read as missing.

    Attributes:
        words: up to three common texts, if they are the only ones that differ from the others.
        strays: rare texts that do not fit the others.
    """

    words: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """The words and the strays."""
        return (*self.words, *self.strays)


def find_absent(others: Mapping[str, int], cells: int, values: Iterable[float] = ()) -> AbsentTexts | None:
    """The texts that stand for a missing value among dates or durations.

    Args:
        others: how many cells have each text that is not a date or a duration.
        cells: how many cells there are in all.
        values: the values of the texts that are dates or durations.

    Returns:
        The texts; None if there are too many for a column of dates or durations.

    Example:
        >>> find_absent({"never": 6}, 20), find_absent({"0000-00-00": 6}, 20)
        (AbsentTexts(words=('never',), strays=()), AbsentTexts(words=('0000-00-00',), strays=()))
        >>> find_absent({"soon": 1}, 20)
        AbsentTexts(words=(), strays=('soon',))
        >>> find_absent({"2024-02-30": 6}, 20) is None
        True
    """
    total = sum(others.values())
    if 2 * total <= cells and all(map(_is_no_date, others)) and are_words(others, values):
        return AbsentTexts(tuple(others))
    return AbsentTexts(strays=tuple(others)) if are_few_strays(total, cells) else None


def _is_no_date(text: str) -> bool:
    """Whether a text has no digit, or is a date of zeros or of nines, or the day 0 of a spreadsheet."""
    return set(filter(str.isdigit, text)) in (set(), {"0"}, {"9"}) or _DAY_ZERO.fullmatch(text) is not None


def are_words(others: Mapping[str, int], values: Iterable[float]) -> bool:
    """Whether texts that are not values are so few and so common that they all stand for missing.

    Args:
        others: how many cells have each of these texts.
        values: the values of all other texts.

    Returns:
        True for a single common text, and for two or three common texts beside many different values.

    Example:
        >>> are_words({"-": 3}, [1.0]), are_words({"-": 3, "k.A.": 4}, [1.0, 2.0])
        (True, False)
        >>> are_words({"-": 3, "k.A.": 4}, [1.0 * number for number in range(21)])
        True
    """
    if not others or len(others) > MAX_WORDS or min(others.values()) < MIN_WORD_CELLS:
        return False
    return len(others) == 1 or len(set(values)) > MAX_CATEGORIES


def are_few_strays(stray_cells: int, cells: int) -> bool:
    """Whether so few cells do not fit the others that these few are read as missing.

    Args:
        stray_cells: how many cells do not fit.
        cells: how many cells there are in all.

    Returns:
        True if so.

    Example:
        >>> are_few_strays(1, 10), are_few_strays(2, 5), are_few_strays(9, 1000)
        (True, False, True)
    """
    are_two = stray_cells <= MAX_STRAY_CELLS and MIN_CELLS_PER_STRAY * stray_cells <= cells
    return are_two or stray_cells <= MAX_STRAY_SHARE * cells
