"""A Parquet file -> columns, or batches of rows, of its own types."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from model.tables.column_selection import Choice, check_names
from model.tables.files import ANOTHER, File, refusal
from model.tables.frames import pl
from model.tables.memory import check_memory
from model.tables.type_inference import check_kinds, kind_of


def parquet_schema(path: File) -> tuple[dict[str, pl.DataType], int]:
    """The columns' types and the number of rows. Raises TableError where there are none."""
    with _sound(path):
        schema = dict(_scan(path).collect_schema())
        height = int(_scan(path).select(pl.len()).collect().item())
    check_names(path, list(schema))
    if not height or not schema:
        raise refusal(path, "rows and columns", f"{height} rows of {len(schema)} columns", ANOTHER)
    return schema, height


def read_parquet(path: File, size: int, choose: Choice) -> list[pl.Series]:
    """The chosen columns of a Parquet file, of types that `clean` takes. size: of the file, in bytes.

    Raises TableError where it is broken, larger than the memory, or of other types in these columns.
    """
    schema, height = parquet_schema(path)
    wanted = choose(schema)
    check_kinds(path, {name: kind for name in wanted if (kind := kind_of(schema[name]))})
    width = sum(16 if schema[name] == pl.String else 8 for name in wanted)
    check_memory(path, height * width, f"{height:,} rows")
    places = list(schema)
    with _sound(path):
        frame = pl.read_parquet(
            os.path.abspath(path), columns=[places.index(name) for name in wanted], glob=False, hive_partitioning=False
        )
    return [frame.get_column(name) for name in wanted]


def parquet_batches(path: File, height: int, rows: int) -> Iterator[tuple[pl.DataFrame, int]]:
    """The table in frames of so many rows, each with the number of rows up to its end; height: of all rows.

    Raises TableError on the way, where the file is broken.
    """
    for start in range(0, height, rows):
        with _sound(path):
            frame = _scan(path).slice(start, rows).collect()
        yield frame, start + frame.height


def _scan(path: File) -> pl.LazyFrame:
    return pl.scan_parquet(os.path.abspath(path), glob=False, hive_partitioning=False)


@contextmanager
def _sound(path: File) -> Iterator[None]:
    """Raise TableError where a Parquet file is broken, without what the parser has to say about it."""
    try:
        with _silent():
            yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        raise refusal(path, "a whole Parquet file", "a broken one", "write it again") from None


@contextmanager
def _silent() -> Iterator[None]:
    """Write nothing to the process's standard error: a panic of the parser reports itself there, whoever catches it."""
    with ExitStack() as stack:
        with suppress(OSError):  # where there is no standard error
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), 2)
        yield
