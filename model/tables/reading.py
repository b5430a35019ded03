"""Files on disk -> typed polars frames, or one clear sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from model.tables.column_selection import chosen
from model.tables.csv_files import csv_batches, read_csv
from model.tables.csv_header import layout_of
from model.tables.files import File, look, refusal
from model.tables.frames import pl
from model.tables.memory import LESS
from model.tables.parquet_files import parquet_batches, parquet_schema, read_parquet
from model.tables.type_inference import DATES, are_dates, check_finite, check_kinds, clean


def read_frame(
    path: File, columns: Sequence[str] | None = None, *, target: str | None = None, drop: Sequence[str] = ()
) -> pl.DataFrame:
    r"""The table in a CSV or Parquet file, in columns of Float64, Int64, Boolean and String; missing values are null.

    columns: those to read, in this order; None: all. target: one to read besides. drop: those to leave out. A column of
    texts that all spell numbers, or all true or false, is one of numbers or truth values. Raises TableError where the
    file is no table, lacks a column, is larger than the memory, or holds dates, times, nested or infinite values in a
    column that is read.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "table.csv").write_text("age;city;owner\n41;Oslo;true\n?;Rome;false\n")
    ...     frame = read_frame(f"{folder}/table.csv")
    >>> frame.rows(), [str(dtype) for dtype in frame.dtypes]
    ([(41, 'Oslo', True), (None, 'Rome', False)], ['Int64', 'String', 'Boolean'])
    """
    size, parquet = look(path)
    read = read_parquet if parquet else read_csv
    try:
        series = read(path, size, lambda names: chosen(path, names, columns, target, drop))
        for index in range(len(series)):  # one by one, so that the texts of one are given back before the next
            series[index] = clean(series[index])
    except MemoryError:
        raise refusal(path, "a table that fits into the memory", "a larger one", LESS) from None
    check_kinds(path, {column.name: DATES for column in series if are_dates(column)})
    for column in series:
        check_finite(path, column)
    return pl.DataFrame(series)


def read_names(path: File) -> list[str]:
    """The names of a file's columns. Raises TableError where the file is no table."""
    _, parquet = look(path)
    return list(parquet_schema(path)[0] if parquet else layout_of(path).names)


@dataclass(eq=False)
class Batches(Iterator[pl.DataFrame]):
    """The batches of a file. done of total: how far they are, in bytes of a CSV file or rows of a Parquet file."""

    frames: Iterator[tuple[pl.DataFrame, int]]
    total: int
    done: int = 0

    def __next__(self) -> pl.DataFrame:
        """The next batch. Raises TableError where the file turns out to be no table."""
        frame, self.done = next(self.frames)
        return frame


def frame_batches(path: File, rows: int = 65_536) -> tuple[int | None, Batches]:
    r"""The number of rows, None where it is not known, and the table in batches of so many rows.

    The columns of a CSV file are the text as it stands there, empty where a field is; those of a Parquet file are of
    its own types. Memory is bounded by a batch. Raises TableError, at once or on the way, where the file is no table.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "table.csv").write_text("a,b\n1,\n02,x\n3,y\n")
    ...     count, batches = frame_batches(f"{folder}/table.csv", rows=2)
    ...     parts = [frame.rows() for frame in batches]
    >>> count, parts, batches.done == batches.total
    (None, [[('1', ''), ('02', 'x')], [('3', 'y')]], True)
    """
    size, parquet = look(path)
    if parquet:
        height = parquet_schema(path)[1]
        return height, Batches(parquet_batches(path, height, rows), height)
    return None, Batches(_regrouped(csv_batches(path), rows), size)


def _regrouped(frames: Iterable[tuple[pl.DataFrame, int]], rows: int) -> Iterator[tuple[pl.DataFrame, int]]:
    """The same rows in frames of `rows` each, the last with the rest."""
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
