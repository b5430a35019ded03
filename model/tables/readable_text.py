"""A file of text or a spreadsheet -> a text in UTF-8, with newlines and a single character between two fields."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from model.tables.blank_separators import single_separators
from model.tables.decoding import PlainText, plain_text
from model.tables.errors import PathLike


@contextmanager
def readable_text(path: PathLike, size: int) -> Iterator[PlainText]:
    """A file as a text whose rows can be split into fields.

    Args:
        path: the file.
        size: of the file, in bytes.

    Yields:
        The text; a copy, deleted at the end, if the file is not so itself.

    Raises:
        TableError: if the file is none that can be read so.
    """
    with plain_text(path, size) as plain, single_separators(plain) as text:
        yield text
