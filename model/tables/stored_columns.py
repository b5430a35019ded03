"""A column of a table in pieces of rows. Each piece is in memory or in a file."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence

import numpy as np

from model.tables.frames import pl
from model.tables.storage import NUMBERS, Place, Storage

# Rows of a piece, at most. A piece of numbers fits into the cache of a core.
PIECE_ROWS = 16_384


class StoredColumn:
    """A column in pieces.

    Args:
        name: of the column.
        dtype: of its values.
        storage: keeps the pieces.

    Attributes:
        name: as above.
        dtype: as above.
        storage: as above.
        heights: how many rows each piece has.
        null_count: how many values are missing.

    Example:
        >>> column = stored(pl.Series("size", range(20_000)))
        >>> column.heights, column.piece(1).head(2).to_list(), len(column.load())
        ([16384, 3616], [16384, 16385], 20000)
    """

    def __init__(self, name: str, dtype: pl.DataType, storage: Storage) -> None:
        self.name, self.dtype, self.storage = name, dtype, storage
        self.heights: list[int] = []
        self.null_count = 0
        self._pieces: list[pl.Series | Place] = []

    def __len__(self) -> int:
        return sum(self.heights)

    def append(self, series: pl.Series) -> None:
        """Add a piece.

        Args:
            series: the values of further rows, at most PIECE_ROWS.
        """
        self._pieces.append(self.storage.keep(series))
        self.heights.append(len(series))
        self.null_count += series.null_count()

    def piece(self, index: int) -> pl.Series:
        """The values of one piece.

        Args:
            index: of the piece, from 0.

        Returns:
            The values.
        """
        piece = self._pieces[index]
        return self.storage.fetch(piece, self.name, self.dtype) if isinstance(piece, Place) else piece

    def forget(self, index: int) -> None:
        """Free the memory of one piece. It cannot be read again.

        Args:
            index: of the piece, from 0.
        """
        piece = self._pieces[index]
        if isinstance(piece, pl.Series):
            self._pieces[index] = piece.clear()

    def load(self) -> pl.Series:
        """The values of all rows.

        Returns:
            The values. If most pieces of numbers are in the file, the values have memory pages of their own. So the
            system gets their memory back when they are no longer used.
        """
        in_file = sum(isinstance(each, Place) for each in self._pieces)
        if self.null_count or self.dtype not in NUMBERS or 2 * in_file <= len(self._pieces):
            pieces = [self.piece(index) for index in range(len(self._pieces))]
            return pl.concat(pieces, rechunk=False) if pieces else pl.Series(self.name, [], self.dtype)
        dtype = NUMBERS[self.dtype]
        values = np.frombuffer(mmap.mmap(-1, len(self) * dtype.itemsize), dtype)
        start = 0
        for piece, height in zip(self._pieces, self.heights, strict=True):
            part = values[start : start + height]
            if isinstance(piece, Place):
                self.storage.fetch_into(piece, part)
            else:
                part[:] = piece.to_numpy()
            start += height
        return pl.Series(self.name, values)

    def replaced(self, before: pl.Series, after: pl.Series) -> StoredColumn:
        """The column with other values, in pieces of the same rows.

        Args:
            before: what `load` returned.
            after: the other values, the same number of them.

        Returns:
            A new column; this one if the values are the same.
        """
        if before.dtype == after.dtype and before.equals(after, null_equal=True):
            return self
        column, start = StoredColumn(self.name, after.dtype, self.storage), 0
        for height in self.heights:
            column.append(after.slice(start, height))
            start += height
        return column

    def bytes_in_memory(self) -> int:
        """How many bytes of the values are in memory.

        Returns:
            The number.
        """
        return sum(int(each.estimated_size()) for each in self._pieces if isinstance(each, pl.Series))

    def joined(self, others: Sequence[StoredColumn]) -> StoredColumn:
        """The column with the rows of other columns after its own.

        Args:
            others: columns of the same type in the same storage.

        Returns:
            The column of all rows.
        """
        column = StoredColumn(self.name, self.dtype, self.storage)
        for each in (self, *others):
            column._pieces += each._pieces
            column.heights += each.heights
            column.null_count += each.null_count
        return column


def stored(series: pl.Series, storage: Storage | None = None) -> StoredColumn:
    """A column of values that are in memory.

    Args:
        series: the values, with the column's name.
        storage: keeps them; by default in memory.

    Returns:
        The column.

    Example:
        >>> stored(pl.Series("size", [1, None])).null_count
        1
    """
    column = StoredColumn(series.name, series.dtype, storage or Storage())
    rows = column.storage.piece_rows(PIECE_ROWS)
    for start in range(0, len(series), rows):
        column.append(series.slice(start, rows))
    return column


def stored_frames(frames: Iterable[pl.DataFrame], storage: Storage) -> dict[str, StoredColumn]:
    """The columns of frames. Each frame is stored before the next one is made.

    Args:
        frames: with the same columns, of the same types.
        storage: keeps their values.

    Returns:
        The columns of all rows, one frame after the other, by their names.

    Example:
        >>> frames = (pl.DataFrame({"a": [row], "b": [-row]}) for row in range(3))
        >>> {name: column.load().to_list() for name, column in stored_frames(frames, Storage()).items()}
        {'a': [0, 1, 2], 'b': [0, -1, -2]}
    """
    columns: dict[str, StoredColumn] = {}
    for frame in frames:
        for part in frame.iter_slices(storage.piece_rows(PIECE_ROWS)):
            for series in part.get_columns():
                column = columns.setdefault(series.name, StoredColumn(series.name, series.dtype, storage))
                column.append(series)
    return columns
