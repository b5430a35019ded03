"""Which columns of a file are read."""

from pathlib import Path

import polars as pl
import pytest

from model import TableError
from model.tables.column_selection import check_names, select_columns
from model.tables.reading import read_frame
from tests.tables.examples import refusal_of, write_table

CONTENT = "when,a,b,c\n2024-01-01,1,2,x\n2024-01-02,3,4,y\n"


def test_columns_are_read_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    path = write_table(tmp_path, CONTENT)
    assert read_frame(path, ["c", "a", "c"]).frame.rows() == [("x", 1), ("y", 3)]
    assert read_frame(path, ["b"], target="c").frame.rows() == [(2, "x"), (4, "y")]
    assert read_frame(path, target="a", drop=["when"]).frame.rows() == [(1, 2, "x"), (3, 4, "y")]


def test_a_column_that_is_not_in_the_file_is_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path, CONTENT)
    message = "expected a column 'z', found the columns when, a, b, c; "
    assert refusal_of(path, columns=["a", "z"]).startswith(message)
    assert refusal_of(path, drop=["z"]).startswith(message)
    assert refusal_of(path, target="z").startswith(message)


def test_a_column_of_a_parquet_file_that_is_not_read_may_be_nested(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": [1], "b": [[1]], "c": ["x"]}).write_parquet(path)
    assert read_frame(path, ["c", "a"]).frame.rows() == [("x", 1)]
    assert refusal_of(path, columns=["z"]).startswith("expected a column 'z', found the columns a, b, c; ")


def test_at_least_one_column_is_read() -> None:
    for columns, drop in (([], []), (None, ["a", "b"]), (["a"], ["a"])):
        with pytest.raises(TableError, match=r"^expected a column to read, found none; drop fewer$"):
            select_columns(["a", "b"], columns, [], drop)


def test_a_message_lists_at_most_ten_columns() -> None:
    names = [f"c{index}" for index in range(13)]
    message = "found the columns c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 3 more; "
    with pytest.raises(TableError, match=message):
        select_columns(names, None, ["z"], [])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", " ", "c"], "a name for each column, found none for column 2 of 3; "),
        (["a", "b", "a", "c", "b"], "different names of columns, found a, b more than once; "),
    ],
)
def test_every_column_has_a_name_of_its_own(names: list[str], message: str) -> None:
    check_names(["a", "b", "A"])
    with pytest.raises(TableError, match=message):
        check_names(names)
