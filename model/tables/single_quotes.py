"""A text whose fields are in single quotes -> a temporary file with the same fields in double quotes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from model.messages import describe_error
from model.tables.csv_bytes import SEPARATORS
from model.tables.csv_sample import SAMPLED_BYTES, SAMPLED_ROWS
from model.tables.decoding import PlainText, temporary_file
from model.tables.errors import TableError
from model.tables.files import opened

_ENCODING = "utf-8-sig"


@contextmanager
def double_quotes(text: PlainText) -> Iterator[PlainText]:
    """A text in which fields with quotes have double quotes.

    Args:
        text: in UTF-8 with newlines.

    Yields:
        The text itself; if its fields have single quotes, a copy, which is deleted at the end.

    Raises:
        TableError: if the quotes do not match.
    """
    with opened(text.path) as file:
        sample = file.read(SAMPLED_BYTES)
    whole = sample[: sample.rfind(b"\n") + 1] or sample
    lines = [line for line in whole.decode(_ENCODING, errors="replace").splitlines() if line.strip()]
    separator = quoted_separator(lines[:SAMPLED_ROWS])
    if separator is None:
        yield text
        return
    with open(text.path, encoding=_ENCODING, newline="") as source, temporary_file() as copy:
        rows = csv.reader(source, delimiter=separator, quotechar="'")
        try:
            length = sum(copy.write(_written(row, separator)) for row in rows)
        except csv.Error as error:
            raise TableError("fields in single quotes", describe_error(error), "mend them") from None
        copy.flush()
        yield PlainText(copy.name, length, (*text.notes, "single quotes are read as quotes"))


def quoted_separator(lines: Sequence[str]) -> str | None:
    """The separator between fields in single quotes.

    Args:
        lines: the first lines of a text, none of them blank.

    Returns:
        The character. None unless all names are in single quotes, and each other field that begins with a single quote
        ends with one.

    Example:
        >>> quoted_separator(["'x','y'", "1,'a'"]), quoted_separator(["'x','y'", "'tis,'a'"]), quoted_separator(["x,y"])
        (',', None, None)
    """
    for separator in SEPARATORS:
        mark = re.escape(separator)
        if lines and re.fullmatch(rf"'[^']*'(?:{mark}'[^']*')+", lines[0].strip()):
            field = rf"(?:'(?:[^']|'')*'|[^'{mark}][^{mark}]*|)"
            is_whole = re.compile(rf"{field}(?:{mark}{field})*").fullmatch
            return separator if all(is_whole(line.strip("\r")) for line in lines) else None
    return None


def _written(row: Sequence[str], separator: str) -> bytes:
    line = io.StringIO()
    csv.writer(line, delimiter=separator, lineterminator="\n").writerow(row)
    return line.getvalue().encode()
