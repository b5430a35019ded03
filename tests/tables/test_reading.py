"""What reading CSV and Parquet files has in common."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from model import TableError
from model.tables.batches import BATCH_ROWS, read_batches
from model.tables.reading import read_frame, read_names

FRAME = pl.DataFrame({"age": [41, None, 3], "city": ["Oslo", "Rome", None], "owner": [True, False, True]})
WRITERS: dict[str, Callable[[Path], None]] = {"CSV": FRAME.write_csv, "Parquet": FRAME.write_parquet}


@pytest.fixture(params=WRITERS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file of FRAME in each format."""
    WRITERS[request.param](tmp_path / "table")
    return tmp_path / "table"


def test_a_file_is_read_alike_in_both_formats(path: Path) -> None:
    assert read_frame(path).frame.equals(FRAME)
    assert read_names(path) == ["age", "city", "owner"]


def test_a_small_file_is_one_batch(path: Path) -> None:
    batches = read_batches(path)
    assert [frame.height for frame in batches] == [3]
    assert batches.done == batches.total > 0
    assert BATCH_ROWS > 3


@pytest.mark.parametrize("read", [read_frame, read_names])
def test_a_reader_names_the_file_that_it_refuses(tmp_path: Path, read: Callable[[Path], object]) -> None:
    for content in (b"a,b\n1,\x00\n", b"PAR1 and no more", b""):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(TableError, match="/bad: expected "):
            read(tmp_path / "bad")
