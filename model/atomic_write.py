"""Files that appear whole or not at all, also when the process is killed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from model.messages import reason, refused


class NotWrittenError(ValueError):
    """A file that could not be written: which, why, and what to do."""


@contextmanager
def beside(
    path: str | os.PathLike[str], remedy: str, refusal: type[ValueError] = NotWrittenError
) -> Iterator[tuple[BinaryIO, Callable[[], None]]]:
    """A new file beside the path, and what syncs it and moves it there; without that it is gone at the end.

    remedy: what to do where there can be none, or nothing more can be written to it, which raises refusal.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with beside(f"{folder}/a.txt", "name another") as (file, finish):
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
                directory = os.open(place.parent, os.O_RDONLY)
                try:
                    os.fsync(directory)
                finally:
                    os.close(directory)

            try:
                yield file, finish
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise refusal(refused(path, "a place to write to", reason(error), remedy)) from None
