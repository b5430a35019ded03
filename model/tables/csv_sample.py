"""The first rows of a CSV file, from which its layout is inferred, and the separator between their fields."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from model.tables.csv_bytes import SEPARATORS, check_text, whole_rows
from model.tables.errors import PathLike, TableError
from model.tables.files import opened
from model.tables.parsing import BLANKS

_BOM = b"\xef\xbb\xbf"
# Bytes and rows of a sample.
SAMPLED_BYTES, SAMPLED_ROWS = 1 << 18, 200


class SampledRow(NamedTuple):
    """A row of the sample.

    Attributes:
        fields: without blanks around them.
        first_line: the line in which it begins, from 0.
        next_line: the line after its last one.
    """

    fields: list[str]
    first_line: int
    next_line: int


class Sample(NamedTuple):
    """The first rows of a file.

    Attributes:
        rows: those that are not blank, at least one.
        separator: the character between two fields.
        data: the bytes in which the rows are.
        skipped: how many bytes of a byte order mark are before them in the file.
    """

    rows: list[SampledRow]
    separator: str
    data: bytes
    skipped: int

    def position(self, line: int) -> int:
        """The position in the file at which a line begins, counted from 0."""
        end = 0
        for _ in range(line):
            end = self.data.find(b"\n", end) + 1
            if not end:
                return self.skipped + len(self.data)
        return self.skipped + end

    def line(self, line: int) -> bytes:
        """The bytes of a line, counted from 0, with its newline; no bytes if it is cut off."""
        first, end = (self.position(each) - self.skipped for each in (line, line + 1))
        return self.data[first:end] if self.data[first:end].endswith(b"\n") else b""


def read_sample(path: PathLike) -> Sample:
    """The first rows of a CSV file.

    Args:
        path: the file.

    Returns:
        At least its first row.

    Raises:
        TableError: if there is no row, or if the first row is not text.
    """
    with opened(path) as file:
        data = next(whole_rows(path, file, 0, 1))[0]
    skipped = len(_BOM) if data.startswith(_BOM) else 0
    end = _first_row(data)
    check_text(path, data[:end], 1)
    data = data[skipped : max(end, SAMPLED_BYTES)]
    separator, rows = _split(data)
    if not rows:
        found = "blank lines" if not data.strip() else f"{len(data):,} bytes that cannot be split"
        raise TableError("the names of the columns in line 1", found, "put them there")
    return Sample(rows, separator, data, skipped)


def _first_row(data: bytes) -> int:
    """How many bytes the first row has, with its newline."""
    end = 0
    while end := data.find(b"\n", end) + 1:
        if data.count(b'"', 0, end) % 2 == 0:
            return end
    return len(data)


def _split(sample: bytes) -> tuple[str, list[SampledRow]]:
    """The separator with which most rows have the same number of fields, and the rows.

    Of several such separators, the one with the most fields counts. If the csv module fails with every separator, there
    are no rows.
    """
    scores: dict[str, tuple[int, int]] = {}
    read: dict[str, list[SampledRow]] = {}
    for separator in SEPARATORS:
        with suppress(csv.Error):
            rows = _read_rows(sample, separator)
            width = common_width(rows)
            read[separator] = rows
            scores[separator] = (width > 1) * sum(len(row.fields) == width for row in rows), width
    best = max(scores, key=scores.__getitem__, default=SEPARATORS[0])
    return best, read.get(best, [])


def _read_rows(sample: bytes, separator: str) -> list[SampledRow]:
    """The first rows that are not blank."""
    whole = sample[: sample.rfind(b"\n") + 1] or sample
    reader = csv.reader(io.StringIO(whole.decode(errors="replace"), newline=""), delimiter=separator)
    rows, line = list[SampledRow](), 0
    for fields in reader:
        if any(field.strip(BLANKS) for field in fields):
            rows.append(SampledRow([field.strip(BLANKS) for field in fields], line, reader.line_num))
        line = reader.line_num
        if len(rows) == SAMPLED_ROWS:
            break
    return rows


def common_width(rows: Sequence[SampledRow]) -> int:
    """The most common number of fields. If several are equally common, the number in the first row counts.

    Args:
        rows: of a sample.

    Returns:
        The number; 0 if there are no rows.

    Example:
        >>> common_width([SampledRow(["a", "b"], 0, 1), SampledRow(["1", "2"], 1, 2), SampledRow(["end"], 2, 3)])
        2
    """
    counts = Counter(len(row.fields) for row in rows)
    return max(counts, key=lambda width: (counts[width], width == len(rows[0].fields))) if counts else 0
