"""A table whose columns are loaded one at a time, or whose rows are loaded piece by piece."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise

from model.tables.frames import pl
from model.tables.stored_columns import StoredColumn, stored


class StoredFrame:
    """Columns of the same rows. Some rows may be left out.

    Args:
        columns: in pieces of the same rows; their names are all different.
        is_kept: for each row whether it counts; None if all do.

    Example:
        >>> frame = stored_frame(pl.DataFrame({"a": [1, 2, 3]})).filter(pl.Series([True, False, True]))
        >>> len(frame), frame.load("a").to_list()
        (2, [1, 3])
    """

    def __init__(self, columns: Iterable[StoredColumn], is_kept: pl.Series | None = None) -> None:
        self._columns = {column.name: column for column in columns}
        self._is_kept = is_kept
        self._heights = next(iter(self._columns.values())).heights if self._columns else []

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self._columns)

    def __len__(self) -> int:
        return sum(self._heights) if self._is_kept is None else int(self._is_kept.sum())

    def load(self, name: str) -> pl.Series:
        """A column.

        Args:
            name: of the column.

        Returns:
            Its values in the rows that count.
        """
        series = self._columns[name].load()
        return series if self._is_kept is None else series.filter(self._is_kept)

    def filter(self, is_kept: pl.Series) -> StoredFrame:
        """The same columns without some rows.

        Args:
            is_kept: whether each row still counts; all rows of this frame count.

        Returns:
            The frame.
        """
        return StoredFrame(self._columns.values(), is_kept)

    def piece(self, index: int, names: Iterable[str]) -> dict[str, pl.Series]:
        """Some columns of one piece.

        Args:
            index: of the piece, from 0.
            names: of the columns.

        Returns:
            Their values in the rows of the piece that count, by their names.
        """
        pieces = {name: self._columns[name].piece(index) for name in names}
        if self._is_kept is None:
            return pieces
        is_kept = self._is_kept.slice(sum(self._heights[:index]), self._heights[index])
        return {name: series.filter(is_kept) for name, series in pieces.items()}

    def forget(self, index: int) -> None:
        """Free the memory of one piece of all columns. It cannot be read again.

        Args:
            index: of the piece, from 0.
        """
        for column in self._columns.values():
            column.forget(index)

    def ends(self) -> list[int]:
        """How many rows count up to the end of each piece.

        Returns:
            A number for each piece. The last one is the number of all rows that count.
        """
        ends = list(accumulate(self._heights))
        if self._is_kept is None:
            return ends
        counts = (int(self._is_kept.slice(start, end - start).sum()) for start, end in pairwise([0, *ends]))
        return list(accumulate(counts))

    def in_memory(self) -> pl.DataFrame:
        """All columns at once.

        Returns:
            The rows that count.
        """
        return pl.DataFrame([self.load(name) for name in self._columns])


def stored_frame(frame: pl.DataFrame) -> StoredFrame:
    """The columns of a frame that is in memory.

    Args:
        frame: of any columns.

    Returns:
        The same columns.

    Example:
        >>> stored_frame(pl.DataFrame({"a": [1, 2]})).piece(0, ["a"])["a"].to_list()
        [1, 2]
    """
    return StoredFrame(map(stored, frame.get_columns()))
