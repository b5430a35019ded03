"""Files on disk -> frames of typed columns, or an error message of one sentence."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from model.tables.column_options import NO_OPTIONS, ColumnOptions
from model.tables.column_selection import select_columns
from model.tables.csv_header import layout_of
from model.tables.errors import TableError, naming_file
from model.tables.file_columns import read_files
from model.tables.file_patterns import Paths, describe_paths, expand_paths
from model.tables.files import sniff_file
from model.tables.memory import FEWER, available_memory
from model.tables.parquet_files import parquet_schema
from model.tables.readable_text import NO_HINTS, Hints, readable_text
from model.tables.split_columns import NO_SPLIT_COLUMNS, SplitColumns, further_columns
from model.tables.storage import Storage
from model.tables.typed_columns import TypedFrame, typed_frame


def read_frame(
    paths: Paths,
    columns: Sequence[str] | None = None,
    *,
    target: str | None = None,
    drop: Sequence[str] = (),
    memory: int | None = None,
    has_header: bool = True,
    options: ColumnOptions = NO_OPTIONS,
    sheet: str | None = None,
    storage: Storage | None = None,
    split: SplitColumns = NO_SPLIT_COLUMNS,
) -> TypedFrame:
    r"""The table in a CSV, Parquet or .xlsx file, or in several files with the same columns.

    Args:
        paths: the file, a pattern such as part-*.csv, or several of these.
        columns: the columns to read, in this order; None for all.
        target: a further column to read.
        drop: the columns to leave out.
        memory: bytes that may be used; by default those that are available.
        has_header: whether a file of text begins with the names of its columns; otherwise they are c1, c2, ….
        options: what the user says about the columns.
        sheet: the name of the sheet to read in a spreadsheet; by default the first sheet that has cells.
        storage: keeps the columns, and stays open as long as the frame is used; by default in memory.
        split: further columns to read, which say how rows are split.

    Returns:
        The columns, and notes. The texts of a column become numbers or truth values if all of them spell such values.

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
    files = expand_paths(paths)
    memory = available_memory() if memory is None else memory
    options, further = split.reading(options), further_columns(target, split)

    def select(names: Iterable[str], left_out: Container[str]) -> list[str]:
        names = list(names)
        options.check(names)
        return select_columns(names, columns, further, drop, left_out, is_first_row=not sniff_file(files[0]).is_parquet)

    with naming_file(describe_paths(paths)):
        try:
            found = read_files(files, select, memory, Hints(has_header, sheet), options, storage)
            return typed_frame(
                found.columns,
                found.notes,
                prefers_comma=found.decimal == ",",
                doubts_points=found.decimal != "",
                options=options,
                places=found.places,
                never_ids=further,
                words=found.words,
            )
        except MemoryError:
            raise TableError("a table that fits into the memory", "a larger one", FEWER) from None


def read_names(paths: Paths, hints: Hints = NO_HINTS) -> list[str]:
    """The names of a file's columns.

    Args:
        paths: the file, a pattern such as part-*.csv, or several of these. Only the first file is read.
        hints: what the user says about the files.

    Returns:
        The names, in the order of the file. Names of columns that are left out are not among them.

    Raises:
        TableError: if the file is not a table.
    """
    path = expand_paths(paths)[0]
    kind = sniff_file(path)
    with naming_file(path):
        if kind.is_parquet:
            return list(parquet_schema(path)[0])
        with readable_text(path, kind.size, hints) as text:
            layout = layout_of(text.path, hints.has_header)
            return [name for name in layout.names if name not in layout.left_out]
