"""A file of text or a spreadsheet -> a text in UTF-8, with newlines and one character between two fields."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from model.tables.blank_separators import single_separators
from model.tables.decoding import PlainText, plain_text
from model.tables.errors import PathLike, TableError
from model.tables.single_quotes import double_quotes
from model.tables.spreadsheets import is_spreadsheet, sheet_text


class Hints(NamedTuple):
    """What the user says about files of text and spreadsheets.

    Attributes:
        has_header: whether they begin with the names of their columns.
        sheet: the name of the sheet to read in a spreadsheet; None for the first sheet that has cells.
    """

    has_header: bool = True
    sheet: str | None = None


NO_HINTS = Hints()


def no_sheets(found: str) -> TableError:
    """The error for a file that has no sheets although one is named.

    Args:
        found: what the file is.

    Returns:
        The error.
    """
    return TableError("a spreadsheet, because --sheet names a sheet", found, "leave --sheet out")


@contextmanager
def readable_text(path: PathLike, size: int, hints: Hints = NO_HINTS) -> Iterator[PlainText]:
    """A file as a text whose rows can be split into fields.

    Args:
        path: the file.
        size: of the file, in bytes.
        hints: what the user says about it.

    Yields:
        The file itself if it is such a text; otherwise a copy, which is deleted at the end.

    Raises:
        TableError: if the file cannot be read as a text, or if a sheet of a file of text is named.
    """
    if is_spreadsheet(path):
        with sheet_text(path, hints.sheet) as text:
            yield text
        return
    with plain_text(path, size) as plain, single_separators(plain) as separated, double_quotes(separated) as text:
        if hints.sheet is not None:
            raise no_sheets("a file of text")
        yield text
