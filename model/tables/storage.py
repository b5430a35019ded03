"""Storage for values until they are encoded: some in memory, the others in a temporary file."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from model.messages import describe_error
from model.tables.errors import TableError
from model.tables.frames import pl
from model.tables.memory import available_memory
from model.tables.row_file import MORE_ROOM, temporary_folder

# How many bytes of a table stay in memory while it is read. This memory is freed while the table is encoded, so that a
# large table in float32 can use it. Writing to the file and reading it back takes a tenth of the time of reading.
MEMORY = 128 << 20
# As many columns in float32 are as large as two in float64, which are in memory at a time while columns are learned.
STREAMED_COLUMNS = 4
# The size of a piece of all columns in float64, of a table that may stay in a file.
PIECE_BYTES = 8 << 20
# The types whose values are written as they are in memory. Values of other types are written in Arrow's format.
NUMBERS: dict[pl.DataType, np.dtype[Any]] = {
    pl.Float64(): np.dtype(np.float64),
    pl.Int64(): np.dtype(np.int64),
}


class Place(NamedTuple):
    """Where some values of a column are in the file.

    Attributes:
        position: of the first byte.
        size: in bytes.
        is_array: whether they are written as they are in memory.
    """

    position: int
    size: int
    is_array: bool


class Storage:
    """Storage for values: in memory up to a limit, and then in a temporary file without a name.

    The kernel deletes the file when it is closed, however the process ends. The kernel caches the file, but this cache
    is not memory of the process.

    Args:
        memory: how many bytes stay in memory; by default all.
        streams: whether the table itself may stay in a file, so that only a few columns at a time are in memory.

    Attributes:
        is_bounded: whether the memory has such a limit.
        end: how many bytes of the file are in use.

    Example:
        >>> with Storage(memory=0) as storage:
        ...     place = storage.keep(pl.Series([1, 2]))
        ...     place, storage.fetch(place, "a", pl.Int64()).to_list()
        (Place(position=0, size=16, is_array=True), [1, 2])
    """

    def __init__(self, memory: int = sys.maxsize, streams: bool = False) -> None:
        self.is_bounded, self.end = memory < sys.maxsize, 0
        self._streams, self._columns = streams, 0
        self._left = memory
        self._open_files = ExitStack()
        self._descriptor: int | None = None

    def __enter__(self) -> Storage:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file, so that the kernel deletes it."""
        self._open_files.close()

    def keep(self, series: pl.Series) -> pl.Series | Place:
        """Keep values.

        Args:
            series: the values.

        Returns:
            The same series if it stays in memory, otherwise its place in the file. If the file has no room for it, it
            stays in memory.

        Raises:
            TableError: if neither the file nor the memory has room for it.
        """
        size = int(series.estimated_size())
        if size <= self._left:
            self._left -= size
            return series
        is_array = series.dtype in NUMBERS and not series.null_count()
        try:
            start = self.end
            self._write(series.to_numpy().view(np.uint8).data if is_array else _in_arrow(series))
            return Place(start, self.end - start, is_array)
        except OSError as error:
            if size > available_memory():
                raise TableError(
                    f"room for the table in {temporary_folder()}", describe_error(error), MORE_ROOM
                ) from None
            return series

    def expect(self, columns: int) -> None:
        """Say how many columns a file has. Only the first call counts, so that all pieces have the same rows.

        Args:
            columns: the number.
        """
        self._columns = self._columns or columns

    def piece_rows(self, most: int) -> int:
        """How many rows a piece has.

        Args:
            most: the largest number.

        Returns:
            The number; fewer if the table may stay in a file and has so many columns that the piece would need much
            memory.

        Example:
            >>> storage = Storage(memory=0, streams=True)
            >>> storage.expect(columns=1024)
            >>> storage.piece_rows(16384)
            1024
        """
        return min(most, max(PIECE_BYTES // (8 * self._columns), 1)) if self._streams and self._columns else most

    def memory_of(self, rows: int, columns: int, size: int) -> int:
        """How much memory a table needs while it is read.

        Args:
            rows: how many rows it has.
            columns: how many columns it has, whatever number of inputs each becomes.
            size: of its values, in bytes.

        Returns:
            The size of the values if all stay in memory; otherwise the size of as many numbers in float32, of no more
            than four columns if the table may stay in a file.

        Example:
            >>> Storage().memory_of(10, 2, 160), Storage(memory=0).memory_of(10, 2, 160)
            (160, 80)
        """
        if not self.is_bounded:
            return size
        return rows * (min(columns, STREAMED_COLUMNS) if self._streams else columns) * np.dtype(np.float32).itemsize

    def _write(self, data: memoryview) -> None:
        if self._descriptor is None:
            self._descriptor = self._open_files.enter_context(_nameless_file())
        end = self.end
        while data:
            count = os.pwrite(self._descriptor, data, end)
            data, end = data[count:], end + count
        self.end = end

    def fetch(self, place: Place, name: str, dtype: pl.DataType) -> pl.Series:
        """Values that are in the file.

        Args:
            place: where they are.
            name: of the series.
            dtype: its type.

        Returns:
            The series.
        """
        if place.is_array:
            values = np.empty(place.size // 8, NUMBERS[dtype])
            self.fetch_into(place, values)
            return pl.Series(name, values)
        data = np.empty(place.size, np.uint8)
        self.fetch_into(place, data)
        return pl.read_ipc_stream(data.tobytes()).to_series().alias(name)

    def fetch_into(self, place: Place, values: Shaped[np.ndarray, " rows"]) -> None:
        """Read bytes that are in the file.

        Args:
            place: where they are.
            values: an array of `place.size` bytes, to be filled.
        """
        assert self._descriptor is not None
        data, done = values.view(np.uint8), 0
        while done < place.size:
            count = os.preadv(self._descriptor, [data[done:].data], place.position + done)
            if not count:
                raise EOFError("the temporary file is cut off")
            done += count

    def forget(self, end: int) -> None:
        """Cut the file off at a position.

        Args:
            end: the position. What comes after it is not read again.
        """
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, end)
        self.end = end


@contextmanager
def _nameless_file() -> Iterator[int]:
    with tempfile.TemporaryFile(prefix="nudge-", buffering=0) as file:
        yield file.fileno()


def _in_arrow(series: pl.Series) -> memoryview:
    data = io.BytesIO()
    pl.DataFrame([series]).write_ipc_stream(data)
    return data.getbuffer()
