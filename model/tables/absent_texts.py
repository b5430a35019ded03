"""Which texts of a column stand for a missing value because they are not like the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# A text among numbers is missing if it is the only one, has no digit, and occurs in so many cells.
MIN_WORD_CELLS = 3
# So many words are missing where more different numbers than this are in at least half of the cells. Fewer numbers may
# be the names of categories, beside the words.
MAX_WORDS, MAX_CATEGORIES = 3, 20
# Other texts are missing in up to so many cells, if no more than one in so many has one, or up to this share of cells.
MAX_STRAY_CELLS, MIN_CELLS_PER_STRAY, MAX_STRAY_SHARE = 2, 5, 0.01


# How spreadsheets write the day 0, in some order.
_DAY_ZERO = re.compile(r"(0?1[-/.]0?0[-/.](19)?00|0?0[-/.]0?1[-/.](19)?00|1900-0?1-0?0)( 0?0:00(:00)?)?")


class AbsentTexts(NamedTuple):
    """Texts that are taken for missing.

    Attributes:
        words: the only texts of the column that are not like the others, and stand for missing; there are up to three.
        strays: a few others.
    """

    words: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.words, *self.strays)


def find_absent(others: Mapping[str, int], cells: int, values: Iterable[float] = ()) -> AbsentTexts | None:
    """The texts that stand for a missing value among dates or durations.

    Args:
        others: how many cells have each text that is no date or duration.
        cells: how many cells there are in all.
        values: what the other texts stand for.

    Returns:
        The texts; None if they are too many for the column to be one of dates or durations.

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
    """Whether the texts that are not like the others are so few and so common that they all stand for missing.

    Args:
        others: how many cells have each of them.
        values: what the other texts stand for.

    Returns:
        True for a single text, and for two or three among many different values.

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
    """Whether the cells that do not fit the others are so few that they are taken for missing.

    Args:
        stray_cells: how many do not fit.
        cells: how many there are.

    Returns:
        True if so.

    Example:
        >>> are_few_strays(1, 10), are_few_strays(2, 5), are_few_strays(9, 1000)
        (True, False, True)
    """
    are_two = stray_cells <= MAX_STRAY_CELLS and MIN_CELLS_PER_STRAY * stray_cells <= cells
    return are_two or stray_cells <= MAX_STRAY_SHARE * cells
