"""The rows of a CSV file, a block at a time: each row has as many fields as the header, and is parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model.messages import describe_error
from model.tables.csv_bytes import NEWLINE, RETURN, check_quotes, check_text, newlines, quoted, whole_rows
from model.tables.csv_header import Layout
from model.tables.errors import PathLike, TableError
from model.tables.files import ANOTHER_FILE, opened
from model.tables.frames import Types, pl
from model.tables.parsing import MISSING, SPREADSHEET_ERRORS

# The words that polars reads as missing. Each word costs time in every field, so `infer_type` handles the rare ones.
_NULLS = [word for word in MISSING if word not in SPREADSHEET_ERRORS]


@dataclass(frozen=True)
class Block:
    """Whole rows of a CSV file.

    Attributes:
        data: the rows, each with a newline at its end.
        line: the line of the first row.
        end: the position in the file after the last row.
        repeated: the numbers, from 1, of the rows that were left out because they repeat the header.
    """

    data: bytes
    line: int
    end: int
    repeated: tuple[int, ...] = ()


def blocks(path: PathLike, layout: Layout) -> Iterator[Block]:
    """The rows of a CSV file.

    Args:
        path: the file.
        layout: its header.

    Yields:
        Blocks of rows, without blank rows.

    Raises:
        TableError: if the rows are not text or have different lengths, or if there are none.
    """
    position, is_empty = layout.start, True
    with opened(path) as file:
        for part, line in whole_rows(path, file, position, layout.line):
            data = part if part.endswith(b"\n") else part + b"\n"
            position += len(part)
            check_text(path, data, line)
            repeated = _repeated_header(data, layout.header) if layout.header else []
            rows = _checked(path, _without(data, repeated, len(layout.header)), layout, line)
            if rows:
                numbers = tuple(line + newlines(data, start) - layout.line + 1 for start in repeated)
                yield Block(rows, line, position, numbers)
                is_empty = False
    if is_empty:
        raise TableError("rows below the header", "none", ANOTHER_FILE)


def _repeated_header(data: bytes, header: bytes) -> list[int]:
    """The positions of lines that are the same as the header."""
    found = [0] if data.startswith(header) else []
    start = data.find(b"\n" + header)
    while start >= 0:
        found.append(start + 1)
        start = data.find(b"\n" + header, start + len(header))
    return found


def _without(data: bytes, starts: Sequence[int], length: int) -> bytes:
    """The data without the parts that begin at `starts`, each of this length."""
    if not starts:
        return data
    ends = [0, *(start + length for start in starts)]
    return b"".join(data[end:start] for end, start in zip(ends, (*starts, len(data)), strict=True))


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
    return _checked_row_by_row(path, data, layout, line)


def _checked_row_by_row(path: PathLike, data: bytes, layout: Layout, line: int) -> bytes:
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
    """The columns of a block.

    Args:
        path: the file.
        block: whole rows of it.
        layout: the header of the file.
        types: the type of each column to read, by its name.
        raw: whether words for missing values stay as they are written.

    Returns:
        A frame of these columns, in the order of the file.

    Raises:
        PolarsError: if values are of another type.
        TableError: if the rows cannot be split into fields.
    """
    try:
        return pl.read_csv(
            block.data,
            has_header=False,
            schema={name: types.get(name, pl.String) for name in layout.names},
            columns=[index for index, name in enumerate(layout.names) if name in types],
            separator=layout.separator,
            null_values=None if raw else _NULLS,
            empty_string_is_null=not raw,
        )
    except pl.exceptions.PolarsError as error:
        if any(dtype != pl.String for dtype in types.values()):
            raise
        found = f"lines from {block.line} on that cannot be split: {describe_error(error).splitlines()[0]}"
        raise TableError("rows that can be split into fields", found, "mend them") from None
