"""What decides which rows are held out: groups, times, and the rows of other files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from model import Table, TableError, read_table, table_from, table_from_arrays
from tests.tables.examples import scaled_by_hand

# Two patients have ids that differ as texts only, and one row has none.
VISITS: dict[str, list[Any]] = {
    "patient": ["007", "7", "x", "007", None, "x", "7", "y"],
    "visited": ["3.1.2024", "25.1.2024", None, "4.1.2024", "5.1.2024", "3.1.2024", "28.1.2024", "6.1.2024"],
    "size": ["1,5", "2,5", "0,5", "4,0", "3,5", "2,0", "1,0", "5,0"],
    "color": ["red", "blue", "red", None, "blue", "red", "red", "blue"],
    "sick": ["no", "yes", "no", "yes", "no", "yes", "no", "yes"],
}


def write(path: Path, columns: dict[str, list[Any]]) -> str:
    pl.DataFrame(columns).write_csv(path, separator=";")
    return str(path)


@pytest.fixture
def visits(tmp_path: Path) -> str:
    """VISITS as a file."""
    return write(tmp_path / "visits.csv", VISITS)


def same_tables(first: Table, second: Table) -> bool:
    return (first.digest, first.notes, first.split_by) == (second.digest, second.notes, second.split_by)


def test_rows_with_the_same_text_are_one_group_which_is_not_learned_from(visits: str) -> None:
    table = read_table(visits, "sick", group="patient")
    assert table.columns == ("visited", "size", "color")
    assert table.split_by == "patient"
    assert table.groups is not None
    texts = np.array([str(each) for each in VISITS["patient"]])
    assert ((table.groups[:, None] == table.groups) == (texts[:, None] == texts)).all()
    assert "patient is not learned from, because it says which rows belong together" in table.notes
    assert "1 row has no patient, and is one group" in table.notes
    assert same_tables(table, table_from(VISITS, "sick", group="patient"))
    for options in ({"drop": ["patient"]}, {"numeric": ["patient"]}, {"columns": ["visited", "size", "color"]}):
        assert read_table(visits, "sick", group="patient", **options).digest == table.digest


def test_a_row_without_a_target_has_no_group(visits: str) -> None:
    targets = [None, *VISITS["sick"][1:]]
    table = table_from(VISITS | {"sick": targets}, "sick", group="patient")
    whole = read_table(visits, "sick", group="patient")
    assert table.groups is not None
    assert whole.groups is not None
    assert ((table.groups[:, None] == table.groups) == (whole.groups[1:, None] == whole.groups[1:])).all()


@pytest.mark.parametrize(("options", "is_learned"), [({}, True), ({"drop": ["visited"]}, False)])
def test_times_are_dates_and_are_learned_from_unless_they_are_dropped(
    visits: str, options: dict[str, Any], is_learned: bool
) -> None:
    table = read_table(visits, "sick", time="visited", **options)
    assert ("visited" in table.columns) == is_learned
    days = [np.nan if day is None else float(day.split(".")[0]) for day in VISITS["visited"]]
    assert table.times is not None
    np.testing.assert_array_equal((table.times - table.times[0]) / 86400, np.array(days) - 3)
    assert "1 row has no visited, and is never held out" in table.notes
    assert same_tables(table, table_from(VISITS, "sick", time="visited", **options))
    assert read_table(visits, "sick", time="visited", columns=["size"]).columns == ("size",)


def test_numbers_and_categories_of_numbers_can_be_times() -> None:
    frame = {"year": [2003, 2001, 2002, 2003], "a": [1, 2, 3, 4], "y": [1.5, 2.5, 3.5, 5.5]}
    for options in ({}, {"categorical": ["year"]}):
        table = table_from(frame, "y", time="year", **options)
        assert table.times is not None
        assert (table.times.tolist(), table.time_style) == ([2003, 2001, 2002, 2003], "")


def test_the_rows_of_another_file_are_held_out_and_change_nothing_else(visits: str, tmp_path: Path) -> None:
    further = {"sick": ["yes", None, "NO"], "color": ["blue", "red", "green"], "size": ["100", "1,0", "2,5"]}
    path = write(
        tmp_path / "new.csv", further | {"visited": [None, "1.2.2024", "2.2.2024"], "patient": ["x", "x", "q"]}
    )
    alone, table = read_table(visits, "sick"), read_table(visits, "sick", validation=path)
    assert (table.column_specs, table.classes, table.split_by) == (alone.column_specs, alone.classes, "new.csv")
    np.testing.assert_array_equal(table.x[:8], alone.x)
    np.testing.assert_array_equal(table.y, [*alone.y, 1, 0])
    assert table.held_out is not None
    assert table.held_out.tolist() == [False] * 8 + [True] * 2
    place = sum(column.input_count for column in alone.column_specs[: alone.columns.index("size")])
    sizes = [float(size.replace(",", ".")) for size in VISITS["size"]]
    np.testing.assert_allclose(table.x[8:, place], scaled_by_hand([100, 2.5], sizes), rtol=1e-5)
    assert table.dropped == 1
    assert f"in {path}: 1 row has a value of color that training never saw" in table.notes
    frame = pl.read_csv(path, separator=";", infer_schema=False)
    assert table_from(VISITS, "sick", validation=frame).digest == table.digest


def test_a_regression_scales_the_targets_of_the_other_file_as_those_of_training(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", {"a": [1, 2, 3, 4], "y": ["1,5", "2,5", "3,5", "4,5"]})
    second = write(tmp_path / "b.csv", {"y": ["10,25", None], "a": [5, 6]})
    table = read_table(first, "y", validation=second)
    assert table.target_scaling.unscale(table.y[4:]) == pytest.approx([10.25], rel=1e-5)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"sick": ["no", "maybe"]},
            "new.csv: expected one of no, yes in sick, found 'maybe' in row 2; leave the row out",
        ),
        ({"sick": [None, None]}, "new.csv: expected a row with a value of sick, found none; name another --validation"),
        ({"size": ["1,0", "big"]}, "new.csv: expected a number in the column size, found 'big' in row 2; mend it or"),
        ({"size": None}, "new.csv: expected the columns patient, visited, size, color, found no size; name a file"),
        (
            {"sick": None},
            "new.csv: expected the columns patient, visited, size, color, sick, found no sick; name a file",
        ),
    ],
)
def test_another_file_that_does_not_fit_is_refused(
    visits: str, tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    rows = {name: values[:2] for name, values in VISITS.items()} | columns
    path = write(tmp_path / "new.csv", {name: values for name, values in rows.items() if values is not None})
    with pytest.raises(TableError) as refused:
        read_table(visits, "sick", validation=path)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "patient", "time": "visited"}, "found --group and --time; choose one of them"),
        ({"group": "patient", "validation": "new.csv"}, "found --group and rows for --validation; choose one of them"),
        ({"group": "sick"}, "expected sick only as the target, found sick as --group too; name another column"),
        ({"time": "sick"}, "expected sick only as the target, found sick as --time too; name another column"),
        ({"group": "doctor"}, "expected a column 'doctor', found the columns"),
        ({"time": "doctor"}, "expected a column 'doctor', found the columns"),
        ({"time": "color"}, "expected dates or numbers in color, found 'red'; name another --time, or mend the file"),
        ({"validation": "visits.csv"}, "expected other rows to hold out, found a file that is learned from; name"),
        ({"validation": "nowhere.csv"}, "nowhere.csv: expected"),
    ],
)
def test_splits_that_cannot_be_are_refused(
    visits: str, options: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(visits).parent)
    with pytest.raises(TableError) as refused:
        read_table(visits, "sick", **options)
    assert message in str(refused.value)


@pytest.mark.parametrize(("option", "value"), [("group", "7"), ("time", "7"), ("time", "2024-01-31")])
def test_all_rows_of_one_group_or_time_are_refused(option: str, value: str) -> None:
    message = f"expected two different values of c or more, found '{value}' alone; name another --{option}"
    with pytest.raises(TableError, match=message):
        table_from({"c": [value, value], "a": [1, 2], "y": [1.5, 2.5]}, "y", **{option: "c"})


TABLE = table_from_arrays(np.arange(4.0)[:, None], np.array([0, 1, 0, 1]), ("no", "yes"))


def test_the_digest_covers_what_decides_the_split() -> None:
    halves = np.array([0, 0, 1, 1])
    splits: list[dict[str, Any]] = [
        {},
        {"groups": halves},
        {"groups": halves[::-1].copy()},
        {"times": halves.astype(float)},
        {"held_out": halves == 1},
        {"held_out": halves == 0},
    ]
    assert len({replace(TABLE, **split).digest for split in splits}) == len(splits)
    assert replace(TABLE, groups=halves).digest == replace(TABLE, groups=halves.copy()).digest


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"groups": np.arange(3)}, r"groups must have the shape \[4\], not \[3\]"),
        ({"groups": np.array([0, 1, -1, 2])}, "groups must be whole numbers from 0, and some are not"),
        ({"times": np.array([0, 1, np.inf, 2])}, "times must be finite numbers, or NaN, and some are not"),
        ({"held_out": np.ones(4, bool)}, "held_out must be true for some rows and false for others"),
        ({"held_out": np.zeros(4, bool)}, "held_out must be true for some rows and false for others"),
        (
            {"groups": np.arange(4), "times": np.arange(4.0)},
            "only one of groups, times and held_out must be given, not groups and times",
        ),
    ],
)
def test_a_table_refuses_other_splits(split: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TABLE, **split)
