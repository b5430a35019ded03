"""A file on disk: opened, or one sentence that says why it cannot be."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from model.messages import describe_error
from model.tables.errors import PathLike, TableError, naming_file

ANOTHER_FILE = "name another file"
PARQUET_MAGIC = b"PAR1"


class FileKind(NamedTuple):
    """What a file is.

    Attributes:
        size: in bytes, above 0.
        is_parquet: whether it begins as a Parquet file does; otherwise it is taken for CSV.
    """

    size: int
    is_parquet: bool


def sniff_file(path: PathLike) -> FileKind:
    """The size of a file, and whether it is Parquet.

    Args:
        path: the file.

    Returns:
        Its kind.

    Raises:
        TableError: if it is not a regular file with at least one byte.
    """
    with naming_file(path):
        try:
            status = os.stat(path)
        except FileNotFoundError:
            raise TableError("a table", "no file", "name one that is there") from None
        except (OSError, ValueError) as error:
            raise TableError("a readable file", describe_error(error), ANOTHER_FILE) from None
        if stat.S_ISDIR(status.st_mode):
            pattern = os.path.join(path, "*.csv")
            raise TableError("a table", "a directory", f"name a file in it, or a pattern such as {pattern!r}")
        if not stat.S_ISREG(status.st_mode):
            raise TableError("a regular file", "a pipe or a device", "save the table to a file")
        if not status.st_size:
            raise TableError("a table", "an empty file", ANOTHER_FILE)
        with opened(path) as file:
            return FileKind(status.st_size, file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC)


@contextmanager
def opened(path: PathLike) -> Iterator[io.FileIO]:
    """A file, open for reading without a buffer.

    Args:
        path: the file.

    Yields:
        The open file, which is closed at the end.

    Raises:
        TableError: if it cannot be opened or read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            yield file
    except OSError as error:
        raise TableError("a readable file", describe_error(error), ANOTHER_FILE, path) from None
