"""Files that appear whole or not at all, even if the process is killed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from model.messages import RefusalError, describe_error, refusal_sentence


class NotWrittenError(RefusalError):
    """A file that cannot be written."""


@contextmanager
def atomic_write(
    path: str | os.PathLike[str], remedy: str, error_type: type[ValueError] = NotWrittenError
) -> Iterator[tuple[BinaryIO, Callable[[], None]]]:
    """Write a file that appears whole or not at all.

    Args:
        path: the file. Links are followed, and its directory is made if it is not there.
        remedy: what to do if it cannot be written, for the message.
        error_type: what is raised then.

    Yields:
        A new file next to the path, open for writing; and a function that syncs it and moves it to its place. If that
        is not called, nothing is left.

    Raises:
        error_type: if the file cannot be made or written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_write(f"{folder}/a.txt", "name another") as (file, finish):
        ...         _ = file.write(b"whole")
        ...         finish()
        ...     os.listdir(folder)
        ['a.txt']
    """
    place = Path(os.path.realpath(path))
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:

            def finish() -> None:
                file.flush()
                os.fsync(file.fileno())
                os.replace(temporary, place)
                _sync_directory(place.parent)

            try:
                yield file, finish
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise error_type(refusal_sentence(path, "a place to write to", describe_error(error), remedy)) from None


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
