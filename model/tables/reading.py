"""Files on disk -> frames of typed columns, or one sentence that says why not."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from model.tables.blank_separators import single_separators
from model.tables.column_selection import select_columns
from model.tables.csv_files import csv_batches, read_csv
from model.tables.csv_header import Layout, layout_of
from model.tables.decoding import PlainText, plain_text
from model.tables.errors import PathLike, TableError, naming_file
from model.tables.files import sniff_file
from model.tables.frames import pl
from model.tables.memory import FEWER, available_memory, check_memory
from model.tables.parquet_files import parquet_batches, parquet_schema, read_parquet
from model.tables.typed_columns import TypedFrame, typed_frame

# Rows of a batch, if no other number is asked for.
BATCH_ROWS = 65_536


@contextmanager
def _readable(path: PathLike, size: int) -> Iterator[PlainText]:
    """A text file in UTF-8, with newlines and with a single character between two fields."""
    with plain_text(path, size) as plain, single_separators(plain) as text:
        yield text


def read_frame(
    path: PathLike,
    columns: Sequence[str] | None = None,
    *,
    target: str | None = None,
    drop: Sequence[str] = (),
    memory: int | None = None,
    has_header: bool = True,
    dates: str | None = None,
) -> TypedFrame:
    r"""The table in a CSV or Parquet file.

    Args:
        path: the file.
        columns: the columns to read, in this order; None for all.
        target: a column to read besides.
        drop: the columns to leave out.
        memory: bytes that may be used; by default those that are available.
        has_header: whether a CSV file begins with the names of its columns; otherwise they are c1, c2, ….
        dates: the order of year, month and day in dates: ymd, dmy or mdy; by default told from each column.

    Returns:
        A frame, and notes. Texts are numbers or truth values if all texts of their column spell such.

    Raises:
        TableError: if the file is not a table, lacks a column, is larger than the memory, or has nested or infinite
            values in a column that is read.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "table.csv").write_text("age;city;owner\n41;Oslo;true\n?;Rome;false\n")
        ...     frame = read_frame(f"{folder}/table.csv").frame
        >>> frame.rows(), [str(dtype) for dtype in frame.dtypes]
        ([(41, 'Oslo', True), (None, 'Rome', False)], ['Int64', 'String', 'Boolean'])
    """
    kind = sniff_file(path)
    memory = available_memory() if memory is None else memory

    def select(names: Iterable[str], left_out: Container[str]) -> list[str]:
        return select_columns(names, columns, target, drop, left_out, is_first_row=not kind.is_parquet)

    notes: tuple[str, ...] = ()
    prefers_comma = False
    with naming_file(path):
        check_memory(kind.size, "a file", memory)
        try:
            if kind.is_parquet:
                series = read_parquet(path, select, memory)
            else:
                with _readable(path, kind.size) as text:
                    layout = layout_of(text.path, has_header)
                    prefers_comma = layout.separator == ";"
                    series = read_csv(text, layout, select, memory)
                    notes = text.notes + layout.notes + _left_out_notes(layout, [column.name for column in series])
            return typed_frame(series, notes, prefers_comma=prefers_comma, dates=dates)
        except MemoryError:
            raise TableError("a table that fits into the memory", "a larger one", FEWER) from None


def _left_out_notes(layout: Layout, names: Sequence[str]) -> tuple[str, ...]:
    """A note for each column that is left out and that is not among these names."""
    left_out = ((name, why) for name, why in layout.left_out.items() if name not in names)
    return tuple(f"left out {why}; --columns {name} reads that column all the same" for name, why in left_out)


def read_names(path: PathLike) -> list[str]:
    """The names of a file's columns.

    Args:
        path: the file.

    Returns:
        The names, in the order of the file, without those of columns that are left out.

    Raises:
        TableError: if the file is not a table.
    """
    kind = sniff_file(path)
    with naming_file(path):
        if kind.is_parquet:
            return list(parquet_schema(path)[0])
        with _readable(path, kind.size) as text:
            layout = layout_of(text.path)
            return [name for name in layout.names if name not in layout.left_out]


@dataclass(eq=False)
class Batches(Iterator[pl.DataFrame]):
    """The batches of a file, one after the other.

    Attributes:
        path: the file.
        frames: the batches, each with how far the file is read after it.
        total: the size of the whole: bytes of a CSV file, or rows of a Parquet file.
        done: how much of it is read.
        rows: how many rows there are; None if that is not known before the end.
        notes: how the file was read, where that is not plain; one sentence each.
    """

    path: PathLike
    frames: Iterator[tuple[pl.DataFrame, int]]
    total: int
    done: int = 0
    rows: int | None = None
    notes: tuple[str, ...] = ()

    def __next__(self) -> pl.DataFrame:
        """The next batch. Raises TableError if the file turns out not to be a table."""
        with naming_file(self.path):
            frame, self.done = next(self.frames)
        return frame


def read_batches(path: PathLike, rows: int = BATCH_ROWS, has_header: bool = True) -> Batches:
    r"""The table in a file, in batches, so that the memory is bounded by a batch.

    Args:
        path: the file.
        rows: how many rows a batch has, but for the last.
        has_header: as of `read_frame`.

    Returns:
        The batches. The columns of a CSV file are its text as it stands there, empty where a field is; those of a
        Parquet file have its own types.

    Raises:
        TableError: at once, or from a later batch, if the file is not a table.

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
    kind = sniff_file(path)
    if not kind.is_parquet:
        with ExitStack() as stack:
            with naming_file(path):
                text = stack.enter_context(_readable(path, kind.size))
                layout = layout_of(text.path, has_header)
            frames = _until_closed(csv_batches(text.path, layout), stack.pop_all())
            return Batches(path, _regrouped(frames, rows), text.size, notes=text.notes + layout.notes)
    with naming_file(path):
        height = parquet_schema(path)[1]
    return Batches(path, parquet_batches(path, height, rows), height, rows=height)


def _until_closed(frames: Iterator[tuple[pl.DataFrame, int]], stack: ExitStack) -> Iterator[tuple[pl.DataFrame, int]]:
    """The same frames; the stack is closed after the last, or when nobody wants more."""
    with stack:
        yield from frames


def _regrouped(frames: Iterable[tuple[pl.DataFrame, int]], rows: int) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield the same rows in frames of `rows` rows, the last with the rest."""
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
