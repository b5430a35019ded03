"""Tables whose inputs stay in a temporary file are those in memory."""

import os
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import Table, TableError, read_table
from model.tables import row_file, storage, stored_columns, streamed_table
from model.tables.row_file import RowFile
from model.tables.storage import Storage
from model.tables.streamed_table import StreamedTable, Streaming, sorted_by_group
from model.tables.table import rows_of, with_target_scaling

ROWS = 300
ALIKE = ("columns", "target", "classes", "task", "column_specs", "target_scaling", "dropped", "split_by")


@pytest.fixture(params=["csv", "parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file with numbers, texts, dates, missing values, and rows without a target."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "size": rng.normal(size=ROWS),
            "color": rng.choice(["red", "green", "blue"], ROWS),
            "day": [f"2024-{1 + row % 12:02}-{1 + row % 28:02}" for row in range(ROWS)],
            "count": [None if row % 7 == 0 else row % 50 for row in range(ROWS)],
            "patient": rng.integers(0, 40, ROWS),
            "y": [None if row % 11 == 0 else float(value) for row, value in enumerate(rng.normal(size=ROWS))],
        }
    )
    path = tmp_path / f"table.{request.param}"
    if request.param == "csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    return path


def streamed(path: Path, *, said: list[str] | None = None, **options: Any) -> StreamedTable:
    said = [] if said is None else said
    table = read_table(path, "y", streaming=Streaming(always=True, say=said.append), **options)
    assert isinstance(table, StreamedTable)
    return table


def assert_alike(found: StreamedTable, expected: Table) -> None:
    assert not found.__dict__.keys() & {"x"}
    assert found.input_count == expected.input_count
    assert found.inputs(np.arange(len(expected.y))).tobytes() == expected.x.tobytes()
    assert found.y.tobytes() == expected.y.tobytes()
    for name in ALIKE:
        assert getattr(found, name) == getattr(expected, name)
    for name in ("groups", "held_out"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.inputs_digest == expected.inputs_digest


def test_a_table_in_a_file_is_that_in_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_table(path, "y")
    monkeypatch.setattr(stored_columns, "PIECE_ROWS", 64)
    said: list[str] = []
    found = streamed(path, said=said)
    assert_alike(found, expected)
    assert found.digest == expected.digest
    assert found.x.tobytes() == expected.x.tobytes()
    rows, size = len(expected.y), expected.x.nbytes / 1000
    words = rf"{rows} rows of {expected.input_count} inputs take {size:.1f} kB in a temporary file in \S+ until the end"
    assert re.fullmatch(words, said[0])
    assert found.notes == (*expected.notes, "the rows are read from a temporary file in each epoch")


def test_the_rows_of_a_group_follow_each_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_order = read_table(path, "y", group="patient")
    monkeypatch.setattr(stored_columns, "PIECE_ROWS", 64)
    found = streamed(path, group="patient")
    expected = sorted_by_group(in_order)
    assert found.groups is not None
    assert (np.diff(found.groups) >= 0).all()
    assert found.inputs_digest == in_order.inputs_digest
    assert found.inputs(np.arange(len(found.y))).tobytes() == expected.x.tobytes()
    assert found.y.tobytes() == expected.y.tobytes()


def test_further_rows_are_held_out(path: Path) -> None:
    other = path.with_name(f"other{path.suffix}")
    other.write_bytes(path.read_bytes())
    found, expected = (
        read(path, validation=other) for read in (streamed, lambda path, **o: read_table(path, "y", **o))
    )
    assert_alike(found, expected)
    assert found.digest == expected.digest


def test_some_rows_are_a_table_in_memory(path: Path) -> None:
    found, expected, rows = streamed(path), read_table(path, "y"), np.array([5, 6, 2])
    some = rows_of(found, rows)
    assert type(some) is Table
    assert some.digest == rows_of(expected, rows).digest
    scaling = expected.target_scaling
    scaled = [with_target_scaling(each, type(scaling)(scale=2.0)) for each in (found, expected)]
    assert scaled[0].y.tobytes() == scaled[1].y.tobytes()
    assert isinstance(scaled[0], StreamedTable)


def test_no_file_has_a_name(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing is left, however the process ends."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    table = streamed(path)
    descriptor = table.file._descriptor
    assert os.fstat(descriptor).st_nlink == 0
    assert os.fstat(descriptor).st_size == len(table.y) * table.input_count * 4
    assert list(folder.iterdir()) == []
    del table
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_table_that_does_not_fit_stays_in_a_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    streaming = Streaming(always=False, say=lambda note: None)
    expected = read_table(path, "y", streaming=streaming)
    assert type(expected) is Table
    monkeypatch.setattr(streamed_table, "available_memory", lambda: expected.x.nbytes)
    found = read_table(path, "y", streaming=streaming)
    assert isinstance(found, StreamedTable)
    assert found.digest == expected.digest
    monkeypatch.setattr(streamed_table, "available_memory", lambda: expected.x.nbytes - 1)
    with pytest.raises(TableError, match=r"of memory that are available, found 272 rows of \d+ inputs of"):
        found.x.sum()


def test_no_room_for_the_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_file, "_free_bytes", lambda folder: 1000)
    message = r"expected .* of room in .*, found 1\.0 kB; make some, or name another folder in TMPDIR"
    with pytest.raises(TableError, match=message):
        streamed(path)


def test_columns_that_may_stay_in_a_file_need_memory_for_a_few_of_them() -> None:
    assert Storage(memory=0).memory_of(10, 100, 0) == 10 * 100 * 4
    assert Storage(memory=0, streams=True).memory_of(10, 100, 0) == 10 * storage.STREAMED_COLUMNS * 4


@given(st.lists(st.integers(0, 50), unique=True), st.randoms(use_true_random=False), st.integers(1, 3))
def test_rows_come_back_from_any_place(places: list[int], random: Any, width: int) -> None:
    rows = np.random.default_rng(0).normal(size=(len(places), width)).astype(np.float32)
    file = RowFile(width, 51)
    file.write_at(np.array(places, int), rows)
    order = random.sample(range(len(places)), len(places))
    assert file.take(np.array(places, int)[order]).tobytes() == rows[order].tobytes()
