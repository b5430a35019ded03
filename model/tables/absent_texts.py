"""Which texts of a column stand for a missing value because they are not like the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from model.tables.spelling import MIN_WORD_CELLS, are_few_strays


class AbsentTexts(NamedTuple):
    """Texts that are taken for missing.

    Attributes:
        word: the only text of the column that is not like the others, which stands for missing; empty if there is none.
        strays: a few others.
    """

    word: str = ""
    strays: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return (*filter(None, [self.word]), *self.strays)


def find_absent(others: Mapping[str, int], cells: int) -> AbsentTexts | None:
    """The texts that stand for a missing value among dates or durations.

    Args:
        others: how many cells have each text that is no date or duration.
        cells: how many cells there are in all.

    Returns:
        The texts; None if they are too many for the column to be one of dates or durations.

    Example:
        >>> find_absent({"never": 6}, 20), find_absent({"0000-00-00": 6}, 20), find_absent({"soon": 1}, 20)
        (AbsentTexts(word='never', strays=()), AbsentTexts(word='0000-00-00', strays=()), AbsentTexts(word='', \
strays=('soon',)))
        >>> find_absent({"2024-02-30": 6}, 20) is None
        True
    """
    total = sum(others.values())
    if len(others) == 1 and MIN_WORD_CELLS <= total <= cells / 2:
        (word,) = others
        if set(filter(str.isdigit, word)) in (set(), {"0"}, {"9"}):
            return AbsentTexts(word)
    return AbsentTexts(strays=tuple(others)) if are_few_strays(total, cells) else None
