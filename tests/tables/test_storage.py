"""Tables that are read by way of a temporary file are the same to the bit, and the file is gone afterwards."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from model import Table, TableError, read_table
from model.tables import csv_bytes, storage, stored_columns
from model.tables.memory import available_memory
from model.tables.reading import read_frame
from model.tables.storage import Place, Storage
from model.tables.stored_columns import stored, stored_frames
from model.tables.stored_frame import StoredFrame
from tests.conftest import ROOT
from tests.tables.examples import refusal_of, write_table
from tests.tables.people_reading import write_case
from tests.tables.people_tables import CASES

SERIES = (
    pl.Series("a", [1.5, -0.0, np.nan, np.inf]),
    pl.Series("a", [1, 2**62, -(2**63)]),
    pl.Series("a", [1.5, None]),
    pl.Series("a", [None, 1], pl.Int64),
    pl.Series("a", [True, None, False]),
    pl.Series("^a$", ["", None, "x" * 1000, "é\n"]),
    pl.Series("a", ["b", "b", None], pl.Categorical),
    pl.Series("a", [None, None], pl.Datetime("us", "UTC")),
)


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stays in memory, and pieces have 7 rows."""
    monkeypatch.setattr(storage, "MEMORY", 0)
    monkeypatch.setattr(stored_columns, "PIECE_ROWS", 7)


def table_or_refusal(path: Any, target: str, **options: Any) -> Table | str:
    try:
        return read_table(path, target, **options)
    except TableError as error:
        return str(error)


def assert_same(found: Table | str, expected: Table | str) -> None:
    if isinstance(found, str) or isinstance(expected, str):
        assert found == expected
        return
    assert found.x.tobytes() == expected.x.tobytes()
    assert found.y.tobytes() == expected.y.tobytes()
    for name in ("columns", "classes", "task", "column_specs", "target_scaling", "dropped", "notes", "digest"):
        assert repr(getattr(found, name)) == repr(getattr(expected, name))


@pytest.mark.parametrize("name", [*CASES][::4])
def test_a_table_by_way_of_a_file_is_that_by_way_of_memory(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    case = CASES[name]
    path = write_case(case, tmp_path)
    expected = table_or_refusal(path, case.target, **case.options)
    request.getfixturevalue("on_disk")
    assert_same(table_or_refusal(path, case.target, **case.options), expected)


@pytest.mark.parametrize("memory", [0, 2000])
def test_types_that_change_late_and_rows_without_a_target_are_read_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    """The blocks are small, and some columns have texts, missing values or long ids in later blocks or files only."""
    monkeypatch.setattr(csv_bytes, "BLOCK_BYTES", 1000)
    rows = [f"{i % 7},{i / 3:.2f},{'' if i % 5 else i},{2**60 + i},{i},{'abc'[i % 3]}" for i in range(300)]
    rows[250] = "1,x,,5,6,"
    rows[251] = "1,2.5,3,4,5,once"
    header = "a,b,c,long,code,y\n"
    (tmp_path / "1.csv").write_text(header + "\n".join(rows) + "\n")
    (tmp_path / "2.csv").write_text(header + "\n".join(rows[:50]).replace(",49,", ",049,") + "\n")
    files = [tmp_path / "1.csv", tmp_path / "2.csv"]
    options: dict[str, Any] = {"numeric": ["b"], "keep": ["long", "code"]}
    expected = [table_or_refusal(each, "y", **options) for each in (files[0], files)]
    assert [isinstance(each, Table) and each.dropped for each in expected] == [2, 2]
    monkeypatch.setattr(storage, "MEMORY", memory)
    monkeypatch.setattr(stored_columns, "PIECE_ROWS", 7)
    for each, table in zip((files[0], files), expected, strict=True):
        assert_same(table_or_refusal(each, "y", **options), table)


@pytest.mark.usefixtures("on_disk")
def test_parquet_is_read_alike(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"a": [1, None, 3] * 9, "b": [0.5, 1.5, 2.5] * 9, "c": ["x", "y", None] * 9, "y": [0, 1, 1] * 9}
    )
    frame.write_parquet(tmp_path / "table.parquet")
    frame.write_csv(tmp_path / "table.csv")
    assert read_table(tmp_path / "table.parquet", "y").digest == read_table(tmp_path / "table.csv", "y").digest


@pytest.mark.parametrize("series", SERIES, ids=lambda series: f"{series.dtype} {series.null_count()}")
@pytest.mark.parametrize("memory", [0, 20])
def test_values_come_back_to_the_bit(series: pl.Series, memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_columns, "PIECE_ROWS", 2)
    with Storage(memory) as room:
        column = stored(series, room)
        found = column.load()
        pieces = pl.concat([column.piece(index) for index in range(len(column.heights))])
    for each in (found, pieces):
        assert (each.name, each.dtype, each.to_list()) == (series.name, series.dtype, series.to_list()) or (
            each.equals(series, check_names=True, check_dtypes=True, null_equal=True)
        )
    assert column.null_count == series.null_count()
    if series.dtype == pl.Float64 and not series.null_count():
        assert found.to_numpy().tobytes() == series.to_numpy().tobytes()


def test_the_rows_of_a_frame_that_count_are_those_of_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_columns, "PIECE_ROWS", 4)
    whole = pl.DataFrame({"a": range(10), "b": [str(row) for row in range(10)]})
    is_kept = pl.Series([row % 3 > 0 and row < 8 for row in range(10)])
    with Storage(0) as room:
        frame = StoredFrame(stored_frames(whole.iter_slices(3), room).values()).filter(is_kept)
        assert frame.in_memory().equals(whole.filter(is_kept))
        ends = frame.ends()
        pieces = [pl.DataFrame(frame.piece(index, frame.names)) for index in range(len(ends))]
    assert pl.concat(pieces).equals(whole.filter(is_kept))
    assert np.diff(ends, prepend=0).tolist() == [piece.height for piece in pieces]
    assert len(frame) == ends[-1]


def test_what_is_forgotten_takes_no_room() -> None:
    with Storage(0) as room:
        kept = room.keep(pl.Series([1.0]))
        end = room.end
        room.keep(pl.Series(["x" * 1000]))
        assert isinstance(kept, Place)
        room.forget(end)
        assert room.end == end == 8
        assert room.fetch(kept, "a", pl.Float64()).to_list() == [1.0]


def open_files() -> set[str]:
    return {os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("content", ["a,y\n1,2\n2,3\n", "a,y\n1,2\ninf,3\n"])
def test_the_file_is_closed_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    table_or_refusal(write_table(tmp_path, content), "y")
    assert not any(str(folder) in name for name in open_files())
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("on_disk")
def test_what_finds_no_room_on_disk_stays_in_memory_if_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_table(tmp_path, "a,y\n" + "1,2\n2,3\n" * 20)
    expected = read_table(path, "y")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert_same(read_table(path, "y"), expected)
    monkeypatch.setattr(storage, "available_memory", lambda: 0)
    message = refusal_of(path, storage=Storage(0))
    assert message.startswith(f"expected room for the table in {tmp_path}/none, found no such file or directory; make")


def test_a_table_on_disk_needs_memory_for_float32_alone(tmp_path: Path) -> None:
    path = write_table(tmp_path, "a,b\n" + "1,2\n" * 1000)
    with Storage(0) as room:
        message = "at most the 7.0 kB of memory that are available, found about 1,000 rows of 8.0 kB; "
        assert message in refusal_of(path, memory=7_000, storage=room)
        assert read_frame(path, memory=8_000, storage=room).frame.height == 1000


def test_inputs_that_do_not_fit_into_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_table(tmp_path, "a,y\n" + "1,2\n2,3\n" * 20)
    monkeypatch.setattr("model.tables.column_fitting.available_memory", lambda: 150)
    with pytest.raises(TableError, match=r"the 150 bytes of memory that are available, found 40 rows of 1 inputs? of"):
        read_table(path, "y")
    assert available_memory() > 150


MEMORY_PROGRAM = """
import re, sys
from pathlib import Path
from model import read_table
import model.tables.reading
import model.tables.storage

model.tables.storage.MEMORY = 0

def megabytes(name):
    return int(re.search(rf"{name}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e3

start = megabytes("VmRSS")
table = read_table(sys.argv[1], "x0")
print(megabytes("VmHWM") - start)
"""


def test_a_large_file_needs_little_memory_beyond_its_table(tmp_path: Path) -> None:
    """200,000 rows of 60 columns are 48 MB in float32, and 96 MB in float64, of which nothing stays in memory here."""
    values = np.random.default_rng(0).normal(size=(200_000, 60)).round(3)
    pl.DataFrame({f"x{index}": values[:, index] for index in range(60)}).write_csv(tmp_path / "table.csv")
    run = subprocess.run(
        [sys.executable, "-c", MEMORY_PROGRAM, tmp_path / "table.csv"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert re.fullmatch(r"[\d.]+\n", run.stdout)
    assert float(run.stdout) < 48 + 90
