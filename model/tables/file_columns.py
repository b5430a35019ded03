"""Files with the same columns -> the columns of all their rows, of inferred types."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from model.messages import quote_names
from model.tables.column_options import NO_OPTIONS, ColumnOptions
from model.tables.column_selection import SameColumns, Selection
from model.tables.common_types import cast_to, common_type
from model.tables.csv_files import read_csv
from model.tables.csv_header import Layout, layout_of
from model.tables.errors import OptionNote, PathLike, TableError, naming_file
from model.tables.file_patterns import describe_paths
from model.tables.files import FileKind, sniff_file
from model.tables.frames import pl
from model.tables.memory import check_memory
from model.tables.missing_words import MissingWords, joined_words, missing_words_of_csv
from model.tables.parquet_files import read_parquet
from model.tables.readable_text import NO_HINTS, Hints, no_sheets, readable_text
from model.tables.row_places import RowPlaces
from model.tables.storage import Storage
from model.tables.stored_columns import StoredColumn


class FileColumns(NamedTuple):
    """The columns of one or several files.

    Attributes:
        columns: with the rows of all files, one file after the other.
        notes: how the files were read, where that is not obvious; one sentence each.
        decimal: as in `Layout`; empty if the files differ.
        places: in which file each row is.
        words: the words for missing that were replaced by null, by the names of the columns; None if the words are
            still in the columns.
    """

    columns: list[StoredColumn]
    notes: tuple[str, ...] = ()
    decimal: str = ""
    places: RowPlaces = RowPlaces()
    words: Mapping[str, MissingWords] | None = None


def sniff_files(files: Sequence[PathLike], sheet: str | None = None) -> list[FileKind]:
    """The kinds of files that are to be read as one table.

    Args:
        files: at least one.
        sheet: the name of the sheet to read; only spreadsheets have sheets.

    Returns:
        For each file its size and whether it is Parquet.

    Raises:
        TableError: if one is not a file or is empty, if some are Parquet and others are not, or if a sheet is named
            for a Parquet file.
    """
    kinds = [sniff_file(file) for file in files]
    if kinds[0].is_parquet and sheet is not None:
        with naming_file(files[0]):
            raise no_sheets("a Parquet file")
    for file, kind in zip(files, kinds, strict=True):
        if kind.is_parquet != kinds[0].is_parquet:
            names = {True: "a Parquet file", False: "a file of text"}
            expected = f"{names[kinds[0].is_parquet]}, as {os.fspath(files[0])} is"
            raise TableError(expected, names[kind.is_parquet], "give all files in one format", file)
    return kinds


def read_files(
    files: Sequence[PathLike],
    select: Selection,
    memory: int,
    hints: Hints = NO_HINTS,
    options: ColumnOptions = NO_OPTIONS,
    storage: Storage | None = None,
) -> FileColumns:
    """The selected columns of files that have the same columns.

    Args:
        files: at least one.
        select: from the names of all columns to the names of those to read.
        memory: bytes that may be used.
        hints: what is said about files of text.
        options: what is said about the columns.
        storage: keeps the columns; by default in memory.

    Returns:
        The columns, in the order in which they are selected. If the type of a column differs between files, the
        column has a type that holds all values, as if all rows were in one file.

    Raises:
        TableError: if a file is not a table, if the files have different columns, or if they are larger than the
            memory.
    """
    kinds = sniff_files(files, hints.sheet)
    storage = storage or Storage()
    if not storage.is_bounded:
        check_memory(sum(kind.size for kind in kinds), "a file" if len(files) == 1 else "files", memory)
    same = SameColumns(select, files[0])
    parts: list[FileColumns] = []
    types: dict[str, pl.DataType] = dict.fromkeys(options.categorical, pl.String())
    left = memory
    for file, kind in zip(files, kinds, strict=True):
        with naming_file(file):
            part = (
                FileColumns(read_parquet(file, same, left, storage))
                if kind.is_parquet
                else _read_text(file, kind.size, same, left, hints, types, storage, options.decimal)
            )
        types |= {
            column.name: common_type([types.get(column.name, column.dtype), column.dtype]) for column in part.columns
        }
        size = sum(column.bytes_in_memory() for column in part.columns)
        left -= storage.memory_of(len(part.columns[0]), len(part.columns), size)
        parts.append(part)
    if len(parts) == 1:
        return parts[0]
    if not kinds[0].is_parquet:
        parts = [
            _with_texts(file, kind.size, part, types, memory, hints, storage)
            for file, kind, part in zip(files, kinds, parts, strict=True)
        ]
    return _joined(files, parts, types)


def _read_text(
    file: PathLike,
    size: int,
    select: Selection,
    memory: int,
    hints: Hints,
    types: Mapping[str, pl.DataType],
    storage: Storage,
    decimal: str | None = None,
) -> FileColumns:
    """The columns of a single file. types: those of the columns in other files. decimal: as in `ColumnOptions`."""
    with readable_text(file, size, hints) as text:
        layout = layout_of(text.path, hints.has_header)
        if decimal is not None:
            layout = replace(layout, decimal="" if decimal == "." else decimal)
        columns, left_out = read_csv(text, layout, select, memory, types, storage)
        notes = text.notes + layout.notes + left_out + _left_out_notes(layout, [column.name for column in columns])
        words = missing_words_of_csv(text.path, layout, columns)
        return FileColumns(columns, notes, layout.decimal, words=words)


def _left_out_notes(layout: Layout, names: Sequence[str]) -> tuple[str, ...]:
    """A note for each column that is left out, unless it is among these names."""
    left_out = ((name, why) for name, why in layout.left_out.items() if name not in names)
    reads = "reads that column anyway"
    return tuple(OptionNote(f"left out {why}", f"--columns {quote_names([name])} {reads}") for name, why in left_out)


def _with_texts(
    file: PathLike,
    size: int,
    part: FileColumns,
    types: Mapping[str, pl.DataType],
    memory: int,
    hints: Hints,
    storage: Storage,
) -> FileColumns:
    """The same columns. Those that are texts in another file are read again as texts, such as 02139."""
    names = [column.name for column in part.columns if types[column.name] == pl.String and column.dtype != pl.String]
    if not names:
        return part

    def select(_: Iterable[str], __: Container[str]) -> list[str]:
        return names

    with naming_file(file):
        again = _read_text(file, size, select, memory, hints, dict.fromkeys(names, pl.String()), storage)
    read = {column.name: column for column in again.columns}
    return part._replace(columns=[read.get(column.name, column) for column in part.columns])


def _joined(files: Sequence[PathLike], parts: Sequence[FileColumns], types: Mapping[str, pl.DataType]) -> FileColumns:
    """The rows of several files, one after the other."""
    heights = [len(part.columns[0]) for part in parts]
    columns = []
    for _ in range(len(parts[0].columns)):
        pieces = []
        for file, part in zip(files, parts, strict=True):
            with naming_file(file):
                pieces.append(_cast(part.columns.pop(0), types))
        columns.append(pieces[0].joined(pieces[1:]))
    notes = joined_notes({file: part.notes for file, part in zip(files, parts, strict=True)})
    return FileColumns(
        columns,
        files_notes(files) + notes,
        parts[0].decimal if len({part.decimal for part in parts}) == 1 else "",
        RowPlaces(tuple(files), (0, *accumulate(heights[:-1]))),
        joined_words([part.words for part in parts]),
    )


def _cast(column: StoredColumn, types: Mapping[str, pl.DataType]) -> StoredColumn:
    """The column, with the type that its values have in all files."""
    if column.dtype == types[column.name]:
        return column
    values = column.load()
    return column.replaced(values, cast_to(values, types[column.name]))


def files_notes(files: Sequence[PathLike]) -> tuple[str, ...]:
    """The note that several files are read as one table.

    Args:
        files: at least one.

    Returns:
        A note; none for a single file.

    Example:
        >>> files_notes(["part-1.csv", "part-2.csv", "part-3.csv"])
        ('read 3 files as one table, from part-1.csv to part-3.csv',)
    """
    if len(files) == 1:
        return ()
    return (f"read {len(files):,} files as one table, from {os.fspath(files[0])} to {os.fspath(files[-1])}",)


def joined_notes(notes: Mapping[PathLike, Sequence[str]]) -> tuple[str, ...]:
    """The notes on several files, each note once.

    Args:
        notes: the notes on each file.

    Returns:
        The notes. A note that does not hold for all files names the files for which it holds.

    Example:
        >>> joined_notes({"a.csv": ["read as UTF-16"], "b.csv": ["read as UTF-16", "left out row numbers"]})
        ('read as UTF-16', 'in b.csv: left out row numbers')
    """
    files = defaultdict[str, list[PathLike]](list)
    for file, told in notes.items():
        for note in told:
            files[note].append(file)
    return tuple(
        note if len(names) == len(notes) else f"in {describe_paths(names)}: {note}" for note, names in files.items()
    )
