"""The header of a CSV file: the names of its columns, and the separator of its fields."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from dataclasses import dataclass

from model.tables.column_selection import check_names
from model.tables.csv_bytes import SEPARATORS, check_text, whole_rows
from model.tables.errors import PathLike, TableError
from model.tables.files import opened

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Layout:
    """The header of a CSV file.

    Attributes:
        names: the names of the columns.
        separator: the character between two fields.
        start: the position at which the rows begin.
        line: the line at that position, from 1.
    """

    names: tuple[str, ...]
    separator: str
    start: int
    line: int


def layout_of(path: PathLike) -> Layout:
    """The header of a CSV file.

    Args:
        path: the file.

    Returns:
        Its names and its separator, and where its rows begin.

    Raises:
        TableError: if there is no header, or if names are blank or occur twice.
    """
    with opened(path) as file:
        data = next(whole_rows(path, file, 0, 1))[0]
    skip = len(_BOM) if data.startswith(_BOM) else 0
    end = _first_row(data)
    check_text(path, data[:end], 1)
    separator = _separator(data[skip : max(end, 1 << 16)], end - skip)
    if separator is None or not data[skip:end].strip():
        found = "a blank line" if separator else f"{end:,} bytes that cannot be split"
        raise TableError("the names of the columns in line 1", found, "put them there")
    names = _first_rows(data[skip:end], separator)[0]
    check_names(names)
    return Layout(tuple(names), separator, end, 1 + data.count(b"\n", 0, end))


def _first_row(data: bytes) -> int:
    """How many bytes the first row has, with its newline."""
    end = 0
    while end := data.find(b"\n", end) + 1:
        if data.count(b'"', 0, end) % 2 == 0:
            return end
    return len(data)


def _separator(data: bytes, header: int) -> str | None:
    """The separator with which most of the first rows have as many fields as the header, and then the most fields.

    header: its length in bytes. None if there is no separator with which the csv module can read the rows.
    """
    scores = {}
    for separator in SEPARATORS:
        with suppress(csv.Error):
            rows = _first_rows(data, separator)
            fields = max(map(len, _first_rows(data[:header], separator)), default=0)
            scores[separator] = (fields > 1) * sum(len(row) == fields for row in rows), fields
    return max(scores, key=scores.__getitem__, default=None)


def _first_rows(data: bytes, separator: str, count: int = 20) -> list[list[str]]:
    """The first rows that are not blank, read by the csv module. The data end in a newline, or are cut after one."""
    whole = data[: data.rfind(b"\n") + 1] or data
    reader = csv.reader(io.StringIO(whole.decode(errors="replace"), newline=""), delimiter=separator)
    return [row for row, _ in zip(filter(None, reader), range(count), strict=False)]
