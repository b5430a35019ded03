"""Parquet files of results, which say from what they came."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from model.atomic_write import atomic_write
from model.messages import RefusalError, describe_error, refusal_sentence

# Under this name the file says from what its rows came.
ORIGIN = "nudge_origin"


class ResultsError(RefusalError):
    """A file of results that cannot be used or written."""


def write_results(path: str | os.PathLike[str], rows: Sequence[dict[str, Any]], origin: str) -> None:
    """Write results as a Parquet file, whole or not at all.

    Args:
        path: the file.
        rows: at least one, each with its values by the names of the columns. A value that is not there is missing.
        origin: from what the rows came.

    Raises:
        ResultsError: if it cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_results(f"{folder}/a.parquet", [{"a": 1}, {"b": 0.5}], origin="a test")
        ...     read_results(f"{folder}/a.parquet")
        ([{'a': 1, 'b': None}, {'a': None, 'b': 0.5}], 'a test')
    """
    from model.tables.frames import pl

    frame = pl.DataFrame(rows, infer_schema_length=None)
    with atomic_write(path, "name another", ResultsError) as (file, finish):
        frame.write_parquet(file, metadata={ORIGIN: origin})
        finish()


def read_results(path: str | os.PathLike[str]) -> tuple[list[dict[str, Any]], str]:
    """Read results that `write_results` wrote.

    Args:
        path: the file.

    Returns:
        The rows and their origin. Values that are missing are None.

    Raises:
        ResultsError: if it is no such file.
    """
    from model.tables.frames import pl

    try:
        with open(path, "rb") as file:
            origin = pl.read_parquet_metadata(file).get(ORIGIN)
            file.seek(0)
            rows = pl.read_parquet(file).to_dicts()
    except (OSError, pl.exceptions.PolarsError) as error:
        found = describe_error(error) if isinstance(error, OSError) else "another file"
        raise ResultsError(_sentence(path, found)) from None
    if origin is None:
        raise ResultsError(_sentence(path, "another Parquet file"))
    return rows, origin


def check_results_path(path: str | os.PathLike[str]) -> None:
    """Check, before training, that `write_results` can write a file.

    Args:
        path: the file.

    Raises:
        ResultsError: if it could not.
    """
    if os.path.isdir(path):
        raise ResultsError(refusal_sentence(path, "a file", "a directory", "name another"))
    with atomic_write(path, "name another", ResultsError):
        pass


def _sentence(path: str | os.PathLike[str], found: str) -> str:
    return refusal_sentence(path, "the results of a sweep", found, "name another, or sweep anew without --resume")
