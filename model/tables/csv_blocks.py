"""The rows of a CSV file, a block at a time: each row has as many fields as the header, and is parsed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from model.messages import describe_error
from model.tables.csv_bytes import NEWLINE, RETURN, check_quotes, check_text, newlines, quoted, whole_rows
from model.tables.csv_header import Layout
from model.tables.errors import PathLike, TableError
from model.tables.files import ANOTHER_FILE, opened
from model.tables.frames import Types, pl
from model.tables.parsing import MISSING


@dataclass(frozen=True)
class Block:
    """Whole rows, each ended by a newline. line: the line of the first. end: the position after the last."""

    data: bytes
    line: int
    end: int


def blocks(path: PathLike, layout: Layout) -> Iterator[Block]:
    """Yield the rows of a CSV file. Raises TableError if they are not text, not of one length, or if there are none."""
    place, empty = layout.start, True
    with opened(path) as file:
        for part, line in whole_rows(path, file, place, layout.line):
            data = part if part.endswith(b"\n") else part + b"\n"
            place += len(part)
            check_text(path, data, line)
            rows = _checked(path, data, layout, line)
            if rows:
                yield Block(rows, line, place)
                empty = False
    if empty:
        raise TableError("rows below the header", "none", ANOTHER_FILE)


def _checked(path: PathLike, data: bytes, layout: Layout, line: int) -> bytes:
    """The rows that are not blank. Raises TableError at the first that has not as many fields as the header.

    Most data have no quotes. Then the separators and newlines alone show whether all rows are right.
    """
    if b'"' not in data:
        separator = layout.separator.encode()
        marks = data.translate(None, bytes(set(range(256)) - {*separator, NEWLINE}))
        row = separator * (len(layout.names) - 1) + b"\n"
        if marks == row * (len(marks) // len(row)):
            return data
    return _whole(path, data, layout, line)


def _whole(path: PathLike, data: bytes, layout: Layout, line: int) -> bytes:
    """The same for data with quotes or with rows of other lengths."""
    array = np.frombuffer(data, np.uint8)
    check_quotes(path, array, layout.separator, line)
    outside = ~quoted(array)
    ends = np.flatnonzero((array == NEWLINE) & outside)
    separators = np.flatnonzero((array == ord(layout.separator)) & outside)
    fields = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    lengths = np.diff(ends, prepend=-1)
    blank = (lengths == 1) | ((lengths == 2) & (array[ends - 1] == RETURN))
    blank &= len(layout.names) > 1  # in a single column a blank row is a missing value
    wrong = np.flatnonzero((fields != len(layout.names)) & ~blank)
    if len(wrong):
        at = line + newlines(data, int(ends[wrong[0]] - lengths[wrong[0]] + 1))
        expected = f"{len(layout.names)} fields in each row, as in the header"
        raise TableError(expected, f"{fields[wrong[0]]} in line {at}", "mend that line")
    return array[np.repeat(~blank, lengths)].tobytes() if blank.any() else data


def parse_block(path: PathLike, block: Block, layout: Layout, types: Types, raw: bool = False) -> pl.DataFrame:
    """The columns that have a type, in the order of the file. raw: whether missing values stay as they are.

    Raises PolarsError if values are of another type, and TableError if the rows cannot be split.
    """
    try:
        return pl.read_csv(
            block.data,
            has_header=False,
            schema={name: types.get(name, pl.String) for name in layout.names},
            columns=[index for index, name in enumerate(layout.names) if name in types],
            separator=layout.separator,
            null_values=None if raw else list(MISSING),
            empty_string_is_null=not raw,
        )
    except pl.exceptions.PolarsError as error:
        if any(dtype != pl.String for dtype in types.values()):
            raise
        found = f"lines from {block.line} on that cannot be: {describe_error(error).splitlines()[0]}"
        raise TableError("rows that can be split into fields", found, "mend them") from None
