"""The error of a file or a table that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from model.messages import RefusalError, refusal_sentence

PathLike = str | os.PathLike[str]


class TableError(RefusalError):
    """A file that cannot be used as a table.

    Args:
        expected: what was expected.
        found: what was found instead.
        remedy: what to do.
        path: the file. Whoever reads it adds it with `naming_file`, so that nothing below has to know it.

    Example:
        >>> print(TableError("a table", "no file", "name one that is there"))
        expected a table, found no file; name one that is there
    """

    def __init__(self, expected: str, found: str, remedy: str, path: PathLike | None = None) -> None:
        super().__init__(expected, found, remedy, path)
        self.expected, self.found, self.remedy, self.path = expected, found, remedy, path

    def __str__(self) -> str:
        return refusal_sentence(self.path, self.expected, self.found, self.remedy)


@contextmanager
def naming_file(path: PathLike) -> Iterator[None]:
    """Let every TableError that is raised inside name this file, unless it names one already.

    Args:
        path: the file that is read.

    Yields:
        Nothing.

    Example:
        >>> with naming_file("table.csv"):
        ...     raise TableError("a table", "no file", "name one that is there")
        Traceback (most recent call last):
        model.tables.errors.TableError: table.csv: expected a table, found no file; name one that is there
    """
    try:
        yield
    except TableError as error:
        if error.path is None:
            error = TableError(error.expected, error.found, error.remedy, path)
        raise error from None
