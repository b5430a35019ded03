"""Parquet files of results, which say from what they came."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from model.atomic_write import atomic_write
from model.messages import RefusalError, describe_error, refusal_sentence

# Under these names the file says from what its rows came, and their digest.
ORIGIN, DIGEST = "nudge_origin", "nudge_digest"
SUFFIX = ".parquet"


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
        frame.write_parquet(file, metadata={ORIGIN: origin, DIGEST: _digest(frame.to_dicts())})
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
            metadata = pl.read_parquet_metadata(file)
            file.seek(0)
            rows = pl.read_parquet(file).to_dicts()
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        found = describe_error(error) if isinstance(error, OSError) else "another file, or one that is damaged"
        raise ResultsError(_sentence(path, found)) from None
    if ORIGIN not in metadata:
        raise ResultsError(_sentence(path, "another Parquet file"))
    if metadata.get(DIGEST) != _digest(rows):
        raise ResultsError(_sentence(path, "some whose bytes were changed"))
    return rows, metadata[ORIGIN]


def _digest(rows: Sequence[dict[str, Any]]) -> str:
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def check_results_path(path: str | os.PathLike[str], others: Sequence[str | os.PathLike[str]] = ()) -> None:
    """Check, before training, that `write_results` can write a file.

    Args:
        path: the file.
        others: files that it must not be.

    Raises:
        ResultsError: if it could not.
    """
    if os.path.isdir(path):
        raise ResultsError(refusal_sentence(path, "a file", "a directory", "name another"))
    if Path(path).suffix != SUFFIX:
        raise ResultsError(refusal_sentence(path, f"a name that ends in {SUFFIX}", Path(path).name, "name another"))
    if os.path.realpath(path) in map(os.path.realpath, others):
        raise ResultsError(refusal_sentence(path, "a file of its own", "the table", "name another with --results"))
    with atomic_write(path, "name another", ResultsError):
        pass


def _sentence(path: str | os.PathLike[str], found: str) -> str:
    return refusal_sentence(path, "the results of a sweep", found, "name another, or sweep anew without --resume")
