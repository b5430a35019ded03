"""Files on disk that cannot be tables are refused before they are read."""

import os
from pathlib import Path

import polars as pl
import pytest

from model import TableError
from model.tables.files import FileKind, opened, sniff_file
from tests.tables.examples import refusal_of, write_table


def test_a_file_is_parquet_by_its_first_bytes(tmp_path: Path) -> None:
    path = write_table(tmp_path, "a,b\n1,2\n")
    assert sniff_file(path) == FileKind(size=8, is_parquet=False)
    pl.DataFrame({"a": [1]}).write_parquet(path)
    assert sniff_file(path) == FileKind(size=path.stat().st_size, is_parquet=True)


def test_a_path_that_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "a table, found no file; " in refusal_of(tmp_path / "none.csv")
    assert "a table, found a directory; " in refusal_of(tmp_path)
    assert "a regular file, found a pipe or a device; " in refusal_of(tmp_path / "fifo")
    assert "a regular file, found a pipe or a device; " in refusal_of(Path("/dev/zero"))
    assert "a readable file, found embedded null byte; " in refusal_of(Path("a\0b"))
    assert "a readable file, found file name too long; " in refusal_of(tmp_path / ("a" * 300))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "a table, found an empty file; " in refusal_of(write_table(tmp_path, ""))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission_is_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path, "a,b\n1,2\n")
    path.chmod(0)
    assert "a readable file, found permission denied; " in refusal_of(path)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="expected a readable file, found is a directory; "), opened(tmp_path):
        pass
