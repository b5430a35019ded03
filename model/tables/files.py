"""A file on disk, opened, or one clear sentence that says what is wrong with it."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from model.messages import reason, refused
from model.tables.columns import TableError

ANOTHER = "name another file"

File = str | os.PathLike[str]


def look(path: File) -> tuple[int, bool]:
    """The file's size in bytes, and whether it is Parquet. Raises TableError where it is no regular file with bytes."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise refusal(path, "a table", "no file", "name one that is there") from None
    except (OSError, ValueError) as error:
        raise refusal(path, "a readable file", reason(error), ANOTHER) from None
    if stat.S_ISDIR(status.st_mode):
        raise refusal(path, "a table", "a directory", "name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise refusal(path, "a regular file", "a pipe or a device", "save the table to a file")
    if not status.st_size:
        raise refusal(path, "a table", "an empty file", ANOTHER)
    with opened(path) as file:
        return status.st_size, file.read(4) == b"PAR1"


@contextmanager
def opened(path: File) -> Iterator[io.FileIO]:
    """The file, open for reading without a buffer. Raises TableError where it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            yield file
    except OSError as error:
        raise refusal(path, "a readable file", reason(error), ANOTHER) from None


def refusal(path: File, expected: str, found: str, remedy: str) -> TableError:
    """The error that says so of a file, in one sentence.

    >>> print(refusal("table.csv", "a table", "no file", "name one that is there"))
    table.csv: expected a table, found no file; name one that is there
    """
    return TableError(refused(path, expected, found, remedy))
