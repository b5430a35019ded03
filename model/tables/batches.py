"""Files on disk -> their rows in batches, so that only a batch must fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from model.tables.column_selection import SameColumns
from model.tables.common_types import cast_to, common_type
from model.tables.csv_files import csv_batches
from model.tables.csv_header import EMPTY_LAST, layout_of
from model.tables.errors import PathLike, naming_file
from model.tables.file_columns import files_notes, sniff_files
from model.tables.file_patterns import Paths, expand_paths
from model.tables.frames import pl
from model.tables.parquet_files import parquet_batches, parquet_schema
from model.tables.readable_text import Hints, readable_text

# The default number of rows in a batch.
BATCH_ROWS = 65_536


class _OpenFile(NamedTuple):
    """A file that is being read.

    Attributes:
        path: of the file.
        frames: its batches, each with the number of bytes or rows that are read after it.
        length: of the whole file, in the same unit as in `frames`.
        share: what the file adds to `Batches.total`.
        notes: how it is read, where that is not obvious; one sentence each.
    """

    path: PathLike
    frames: Iterator[tuple[pl.DataFrame, int]]
    length: int
    share: int
    notes: tuple[str, ...] = ()


class Batches(Iterator[pl.DataFrame]):
    """The batches of one or several files, one after the other. No batch has rows of two files.

    Args:
        files: yields each file when it is to be read; the first file is opened at once.
        count: how many files there are.
        total: the size of the whole: bytes of all files of text, or rows of all Parquet files.
        notes: how all files are read; one sentence each.

    Attributes:
        path: the file of the last batch; before the first batch, the first file.
        total: as above.
        done: how much of the total is read.
        first: how many rows of that file come before the last batch in it.
        notes: how the files opened so far are read, where that is not obvious; one sentence each. A note names the
            first file for which it holds.
    """

    def __init__(self, files: Iterator[_OpenFile], count: int, total: int, notes: tuple[str, ...] = ()) -> None:
        self._files, self._count, self.total, self.notes = files, count, total, notes
        self.done = self._done_before = 0
        self._told = set[str]()
        self._open(next(files))

    def _open(self, file: _OpenFile) -> None:
        self._file, self.path = file, file.path
        self.first = self._rows_read = 0
        where = "" if self._count == 1 else f"in {os.fspath(file.path)}: "
        self.notes += tuple(where + note for note in file.notes if note not in self._told)
        self._told |= set(file.notes)

    def __next__(self) -> pl.DataFrame:
        """The next batch. Raises TableError if a file turns out not to be a table."""
        with naming_file(self.path):
            batch = next(self._file.frames, None)
        if batch is None:
            self._done_before += self._file.share
            self._open(next(self._files))
            return next(self)
        frame, done = batch
        self.first, self._rows_read = self._rows_read, self._rows_read + frame.height
        self.done = self._done_before + self._file.share * done // self._file.length
        return frame


def read_batches(paths: Paths, rows: int = BATCH_ROWS, has_header: bool = True, sheet: str | None = None) -> Batches:
    r"""The table in one or several files, in batches, so that only a batch must fit into memory.

    Args:
        paths: the file, a pattern such as part-*.csv, or several of these; all have the same columns.
        rows: how many rows a batch has. The last batch of each file may have fewer.
        has_header: as in `read_frame`.
        sheet: as in `read_frame`.

    Returns:
        The batches. The columns of a file of text hold its texts as they are written; an empty field is an empty text.
        The columns of a Parquet file keep their types; in several files, they have a type that holds all values.

    Raises:
        TableError: at once or at a later batch, if a file is not a table, or if its columns differ from those of the
            first file.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "table.csv").write_text("a,b\n1,\n02,x\n3,y\n")
        ...     batches = read_batches(f"{folder}/table.csv", rows=2)
        ...     parts = [frame.rows() for frame in batches]
        >>> parts, batches.done == batches.total
        ([[('1', ''), ('02', 'x')], [('3', 'y')]], True)
    """
    files = expand_paths(paths)
    kinds = sniff_files(files, sheet)
    notes = files_notes(files)
    if kinds[0].is_parquet:
        heights, types = _parquet_types(files)
        return Batches(_open_parquet(files, heights, types, rows), len(files), sum(heights), notes)
    sizes = [kind.size for kind in kinds]
    return Batches(_open_texts(files, sizes, rows, Hints(has_header, sheet)), len(files), sum(sizes), notes)


def _open_texts(files: Sequence[PathLike], sizes: Sequence[int], rows: int, hints: Hints) -> Iterator[_OpenFile]:
    """Yield each file of text, open."""
    same = SameColumns(lambda names, _: list(names), files[0])
    for file, size in zip(files, sizes, strict=True):
        with naming_file(file), ExitStack() as stack:
            text = stack.enter_context(readable_text(file, size, hints))
            layout = layout_of(text.path, hints.has_header)
            names = same([name for name in layout.names if layout.left_out.get(name) != EMPTY_LAST], ())
            frames = _until_closed(csv_batches(text.path, layout), stack.pop_all())
        types = dict.fromkeys(names, pl.String())
        yield _OpenFile(file, _regrouped(_alike(frames, types), rows), text.size, size, text.notes + layout.notes)


def _parquet_types(files: Sequence[PathLike]) -> tuple[list[int], dict[str, pl.DataType]]:
    """How many rows each file has, and the type that each column has in all of them."""
    same = SameColumns(lambda names, _: list(names), files[0])
    heights, types = list[int](), dict[str, pl.DataType]()
    for file in files:
        with naming_file(file):
            schema, height = parquet_schema(file)
            names = same(schema, ())
        heights.append(height)
        types = {name: common_type([types.get(name, schema[name]), schema[name]]) for name in names}
    return heights, types if len(files) > 1 else schema


def _open_parquet(
    files: Sequence[PathLike], heights: Sequence[int], types: Mapping[str, pl.DataType], rows: int
) -> Iterator[_OpenFile]:
    """Yield each Parquet file, open."""
    for file, height in zip(files, heights, strict=True):
        yield _OpenFile(file, _alike(parquet_batches(file, height, rows), types), height, height)


def _alike(
    frames: Iterable[tuple[pl.DataFrame, int]], types: Mapping[str, pl.DataType]
) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield the same frames, with columns in this order and of these types."""
    for frame, done in frames:
        yield pl.DataFrame([cast_to(frame.get_column(name), dtype) for name, dtype in types.items()]), done


def _until_closed(frames: Iterator[tuple[pl.DataFrame, int]], stack: ExitStack) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield the same frames. The stack is closed with the iterator, or after the last frame."""
    with stack:
        yield from frames


def _regrouped(frames: Iterable[tuple[pl.DataFrame, int]], rows: int) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield the same rows in frames of `rows` rows; the last frame has the rest."""
    waiting: list[pl.DataFrame] = []
    done = height = 0
    for frame, done in frames:
        waiting.append(frame)
        height += frame.height
        if height > rows:
            whole = pl.concat(waiting)
            full = (height - 1) // rows * rows
            for start in range(0, full, rows):
                yield whole.slice(start, rows), done
            waiting, height = [whole.slice(full)], height - full
    if height:
        yield pl.concat(waiting), done
