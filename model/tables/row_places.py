"""In which file of a table, and in which row of that file, each row is."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from model.messages import join_rows
from model.tables.errors import PathLike

# How many rows of several files a message names.
MAX_NAMED = 3


class RowPlaces(NamedTuple):
    """The files of a table, and where the rows of each of them begin.

    Attributes:
        files: the files that are read, if there are several; empty for a single file.
        firsts: the index of the first row of each file, from 0.
    """

    files: tuple[PathLike, ...] = ()
    firsts: tuple[int, ...] = ()

    def place(self, row: int) -> str:
        """Where a row is, in words.

        Args:
            row: its index in the table, from 0.

        Returns:
            Its number, from 1. If there are several files, its number in its file, and the file.

        Example:
            >>> RowPlaces().place(3), RowPlaces(("a.csv", "b.csv"), (0, 2)).place(3)
            ('row 4', 'row 2 of b.csv')
        """
        if not self.files:
            return f"row {row + 1:,}"
        index = bisect_right(self.firsts, row) - 1
        return f"row {row - self.firsts[index] + 1:,} of {os.fspath(self.files[index])}"

    def places(self, rows: Sequence[int]) -> str:
        """Where several rows are, in words.

        Args:
            rows: their indices in the table, at least one.

        Returns:
            The first places, separated by commas, and how many more there are.

        Example:
            >>> RowPlaces().places([0, 4]), RowPlaces(("a.csv", "b.csv"), (0, 2)).places([0, 4])
            ('row 1, 5', 'row 1 of a.csv, row 3 of b.csv')
        """
        if not self.files:
            return f"row {join_rows([row + 1 for row in rows])}"
        named, more = ", ".join(map(self.place, rows[:MAX_NAMED])), len(rows) - MAX_NAMED
        return f"{named} and {more:,} more" if more > 0 else named


ONE_FILE = RowPlaces()
