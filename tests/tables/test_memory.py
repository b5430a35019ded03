"""Tables that do not fit into the memory are refused."""

import os
import re
import resource
from pathlib import Path

import polars as pl
import pytest

from model import TableError
from model.tables.memory import _left_by_control_groups, available_memory, check_memory
from tests.tables.examples import refusal_of, write_table


def test_what_does_not_fit_is_refused() -> None:
    check_memory(10_000, "a file", available=10_000)
    message = r"^expected at most the 10\.0 kB of memory that are available, found a file of 20\.0 kB; take fewer rows"
    with pytest.raises(TableError, match=message):
        check_memory(20_000, "a file", available=10_000)


def test_a_file_larger_than_the_memory_is_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path, "a,b\n1,2\n")
    os.truncate(path, 5 * 10**12)
    assert re.search(r"at most the .+B of memory that are available, found a file of 5\.0 TB; ", refusal_of(path))


def test_rows_that_need_more_than_the_memory_are_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path, "a,b\n" + "1,2\n" * 1000)
    message = "at most the 10.0 kB of memory that are available, found about 1,000 rows of 16.0 kB; "
    assert message in refusal_of(path, memory=10_000)
    pl.DataFrame({"a": range(1000)}).write_parquet(path)
    message = "at most the 7.0 kB of memory that are available, found 1,000 rows of 8.0 kB; "
    assert message in refusal_of(path, memory=7_000)


def write_files(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_every_control_group_and_those_above_it_limit_the_memory(tmp_path: Path) -> None:
    """The process is in a group of version 1, /one, and in a group of version 2, /two/three."""
    write_files(tmp_path, {"cgroup": "4:cpu:/\n3:memory:/one\n0::/two/three\n"})
    write_files(
        tmp_path / "memory" / "one",
        {
            "memory.limit_in_bytes": "2000\n",
            "memory.usage_in_bytes": "100\n",
            "memory.stat": "inactive_file 9\ntotal_inactive_file 3\n",
        },
    )
    write_files(tmp_path / "two" / "three", {"memory.max": "max\n", "memory.current": "5\n"})
    write_files(
        tmp_path / "two",
        {"memory.max": "1000\n", "memory.current": "700\n", "memory.stat": "anon 1\ninactive_file 50\n"},
    )
    assert list(_left_by_control_groups(f"{tmp_path}/cgroup", str(tmp_path))) == [2000 - 100 + 3, 1000 - 700 + 50]
    assert list(_left_by_control_groups(f"{tmp_path}/none", str(tmp_path))) == []


def test_the_limit_of_the_process_limits_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < available_memory() < 1 << 50
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1, 1))
    assert available_memory() == 0
