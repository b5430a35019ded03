"""Rows of float32 numbers in a temporary file without a name."""

from __future__ import annotations

import os
import tempfile
import weakref

import numpy as np
from jaxtyping import Float, Int

from model.messages import describe_error
from model.tables.errors import TableError

MORE_ROOM = "make some, or name another folder in TMPDIR"


class RowFile:
    """Rows of numbers in a file that the kernel deletes with the last use of it, however the process ends.

    Several threads may read and write at a time.

    Args:
        width: how many numbers a row has, from 1.
        rows: how many rows there will be, at least; the folder must have room for them.

    Raises:
        TableError: if there is no folder for temporary files, or no room in it.

    Example:
        >>> file = RowFile(width=2, rows=3)
        >>> file.write(1, np.array([[1, 2], [3, 4]], np.float32))
        >>> file.take(np.array([2, 1])).tolist()
        [[3.0, 4.0], [1.0, 2.0]]
    """

    def __init__(self, width: int, rows: int) -> None:
        self.width = width
        self._row_bytes = width * np.dtype(np.float32).itemsize
        folder = temporary_folder()
        needed, free = rows * self._row_bytes, _free_bytes(folder)
        if needed > free:
            from rich.filesize import decimal

            raise TableError(f"{decimal(needed)} of room in {folder}", decimal(free), MORE_ROOM)
        with tempfile.TemporaryFile(prefix="nudge-", buffering=0) as file:
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    def write(self, start: int, rows: Float[np.ndarray, "rows width"]) -> None:
        """Write rows.

        Args:
            start: the place of the first of them, from 0.
            rows: [rows, width] float32.

        Raises:
            TableError: if there is no room for them.
        """
        data, position = np.ascontiguousarray(rows).data.cast("B"), start * self._row_bytes
        try:
            while data:
                count = os.pwrite(self._descriptor, data, position)
                data, position = data[count:], position + count
        except OSError as error:
            raise TableError(f"room for the rows in {temporary_folder()}", describe_error(error), MORE_ROOM) from None

    def write_at(self, places: Int[np.ndarray, " rows"], rows: Float[np.ndarray, "rows width"]) -> None:
        """Write rows, each at a place of its own.

        Args:
            places: [rows], all different, from 0.
            rows: [rows, width] float32.

        Raises:
            TableError: if there is no room for them.
        """
        order = np.argsort(places, kind="stable")
        for run in _runs(places[order]):
            self.write(int(places[order[run.start]]), rows[order[run]])

    def read_into(self, start: int, rows: Float[np.ndarray, "rows width"]) -> None:
        """Read rows that follow each other.

        Args:
            start: the place of the first of them.
            rows: [rows, width] float32, to be filled. It has no gaps.
        """
        data, position = rows.data.cast("B"), start * self._row_bytes
        while data:
            count = os.preadv(self._descriptor, [data], position)
            if not count:
                raise EOFError("the temporary file is cut off")
            data, position = data[count:], position + count

    def prepare(self, start: int, rows: int) -> None:
        """Let the system fetch rows from the disk, without waiting for them.

        Args:
            start: the place of the first of them.
            rows: how many there are.
        """
        if hasattr(os, "posix_fadvise"):  # not every system has it
            os.posix_fadvise(self._descriptor, start * self._row_bytes, rows * self._row_bytes, os.POSIX_FADV_WILLNEED)

    def take(self, places: Int[np.ndarray, " rows"]) -> Float[np.ndarray, "rows width"]:
        """Read rows, wherever they are.

        Args:
            places: [rows], of the rows, in any order.

        Returns:
            [rows, width] float32.
        """
        rows = np.empty((len(places), self.width), np.float32)
        for run in _runs(places):
            self.read_into(int(places[run.start]), rows[run])
        return rows


def temporary_folder() -> str:
    """Where temporary files are.

    Returns:
        The folder; "a temporary folder" if there is none.
    """
    try:
        return tempfile.gettempdir()
    except OSError:
        return "a temporary folder"


def _free_bytes(folder: str) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def _runs(places: np.ndarray) -> list[slice]:
    """Where places follow each other without a gap."""
    if not len(places):
        return []
    ends = [*(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
