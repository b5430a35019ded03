"""Parquet files: what is read, what is refused, and in which words."""

import math
from datetime import date, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model import TableError
from model.tables.batches import read_batches
from model.tables.reading import read_frame, read_names
from tests.tables.examples import refusal_of

# Columns of every type that can be learned from, and what is read from them.
WRITTEN = {
    "f": pl.Series([1.5, math.nan, None], dtype=pl.Float32),
    "i": pl.Series([1, None, 3], dtype=pl.UInt8),
    "u": pl.Series([1, 2, 2**64 - 1], dtype=pl.UInt64),
    "d": pl.Series(["1.25", "2", None]).cast(pl.Decimal(10, 2)),
    "b": [True, None, False],
    "c": pl.Series(["x", "y", "NA"], dtype=pl.Categorical),
    "e": pl.Series(["x", "y", "x"], dtype=pl.Enum(["x", "y"])),
    "n": pl.Series([None] * 3, dtype=pl.Null),
    "t": ["1", " 2.5", "?"],
}
READ = {
    "f": (pl.Float64, [1.5, None, None]),
    "i": (pl.Int64, [1, None, 3]),
    "u": (pl.Float64, [1.0, 2.0, 2.0**64]),
    "d": (pl.Float64, [1.25, 2.0, None]),
    "b": (pl.Boolean, [True, None, False]),
    "c": (pl.String, ["x", "y", None]),
    "e": (pl.String, ["x", "y", "x"]),
    "n": (pl.String, [None] * 3),
    "t": (pl.Float64, [1.0, 2.5, None]),
}


def test_a_parquet_file_is_read_under_any_name(tmp_path: Path) -> None:
    path = tmp_path / "[table]*.csv"
    pl.DataFrame(WRITTEN).write_parquet(path)
    frame = read_frame(path).frame
    assert {column.name: (column.dtype, column.to_list()) for column in frame.get_columns()} == READ
    assert read_names(path) == list(WRITTEN)


def test_batches_have_the_types_of_the_file(tmp_path: Path) -> None:
    path, frame = tmp_path / "table.parquet", pl.DataFrame(WRITTEN)
    frame.write_parquet(path)
    batches = read_batches(path, rows=2)
    parts = list(batches)
    assert [part.height for part in parts] == [2, 1]
    assert (batches.done, batches.total) == (3, 3)
    assert pl.concat(parts).equals(frame)


def test_columns_that_cannot_be_learned_from_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame(
        {
            "day": [date(2024, 1, 1)],
            "a": [1],
            "list": [[1]],
            "at": [time(1)],
            "struct": [{"x": 1}],
            "bytes": [b"x"],
            "long": [timedelta(1)],
        }
    ).write_parquet(path)
    assert refusal_of(path) == (
        "expected numbers, texts, dates or truth values, found nested or binary values in list, struct, bytes; "
        "leave them out with `--drop list,struct,bytes`"
    )
    assert read_frame(path, ["a"]).frame.rows() == [(1,)]


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": [1], "b": [2]}).clear().write_parquet(path)
    assert "rows and columns, found 0 rows of 2 columns; " in refusal_of(path)


def test_an_infinite_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": [1.0, math.inf]}).write_parquet(path)
    assert "finite numbers, found inf in the column 'a', row 2; " in refusal_of(path)


def test_a_file_that_was_cut_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": range(9999)}).write_parquet(path)
    data = path.read_bytes()
    for size in (4, 12, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        assert "a whole Parquet file, found a broken one; write it again" in refusal_of(path)
    assert capfd.readouterr() == ("", "")


def test_a_file_with_a_changed_byte_is_read_or_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": range(50), "b": ["x", "y"] * 25}).write_parquet(path, compression="uncompressed")
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(4, len(data) - 8, 200):
        path.write_bytes(data[:position] + rng.bytes(1) + data[position + 1 :])
        try:
            read_frame(path)
        except TableError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most of them are read
    assert capfd.readouterr() == ("", "")
