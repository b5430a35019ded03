"""A Parquet file -> columns, or batches of rows, of its own types."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from model.tables.column_selection import Selection, check_names
from model.tables.errors import PathLike, TableError
from model.tables.files import ANOTHER_FILE
from model.tables.frames import pl
from model.tables.memory import check_memory
from model.tables.storage import Storage
from model.tables.stored_columns import StoredColumn, stored
from model.tables.type_inference import check_kinds, unlearnable_kind


def parquet_schema(path: PathLike) -> tuple[dict[str, pl.DataType], int]:
    """The columns and the rows of a file.

    Args:
        path: the file.

    Returns:
        The type of each column, by its name, and how many rows there are.

    Raises:
        TableError: if the file is broken, or if it has no columns or no rows.
    """
    with _checked():
        schema = dict(_scan(path).collect_schema())
        height = int(_scan(path).select(pl.len()).collect().item())
    check_names(list(schema))
    if not height or not schema:
        raise TableError("rows and columns", f"{height} rows of {len(schema)} columns", ANOTHER_FILE)
    return schema, height


def read_parquet(path: PathLike, select: Selection, memory: int, storage: Storage) -> list[StoredColumn]:
    """The selected columns of a file.

    Args:
        path: the file.
        select: from the names of all columns to the names of those to read.
        memory: bytes that may be used.
        storage: keeps the columns.

    Returns:
        The columns, of types that `infer_type` takes, in the order in which they are selected.

    Raises:
        TableError: if the file is broken or larger than the memory, or if a selected column cannot be learned from.
    """
    schema, height = parquet_schema(path)
    selected = select(schema, ())
    check_kinds({name: kind for name in selected if (kind := unlearnable_kind(schema[name]))})
    row_bytes = sum(16 if schema[name] == pl.String else 8 for name in selected)
    check_memory(storage.memory_of(height, len(selected), height * row_bytes), f"{height:,} rows", memory)
    names = list(schema)
    storage.expect(len(selected))
    return [stored(_read_column(path, names.index(name)), storage) for name in selected]


def _read_column(path: PathLike, index: int) -> pl.Series:
    with _checked():
        frame = pl.read_parquet(os.path.abspath(path), columns=[index], glob=False, hive_partitioning=False)
    return frame.to_series()


def parquet_batches(path: PathLike, height: int, rows: int) -> Iterator[tuple[pl.DataFrame, int]]:
    """The rows of a file, in frames.

    Args:
        path: the file.
        height: how many rows the file has.
        rows: how many rows a frame has, but for the last.

    Yields:
        A frame, and how many rows of the file are read after it.

    Raises:
        TableError: if the file is broken.
    """
    for start in range(0, height, rows):
        with _checked():
            frame = _scan(path).slice(start, rows).collect()
        yield frame, start + frame.height


def _scan(path: PathLike) -> pl.LazyFrame:
    return pl.scan_parquet(os.path.abspath(path), glob=False, hive_partitioning=False)


@contextmanager
def _checked() -> Iterator[None]:
    """Raise TableError if a Parquet file is broken, without what the parser says about it."""
    try:
        with _silenced():
            yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        raise TableError("a whole Parquet file", "a broken one", "write it again") from None


@contextmanager
def _silenced() -> Iterator[None]:
    """Write nothing to standard error: a panic of the parser reports itself there, whoever catches it."""
    with ExitStack() as stack:
        with suppress(OSError):  # there may be no standard error
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), 2)
        yield
