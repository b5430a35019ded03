"""What a person is told to look at: likely ids, numbers that may stand for a missing value, columns without a value."""

from pathlib import Path

import polars as pl
import pytest

from model import TableError, read_table
from model.tables.column_fitting import TextOptions
from model.tables.column_hints import number_hints
from model.tables.from_file import table_from_frame
from model.tables.targets import single_classes
from tests.tables.examples import write_table

pytestmark = pytest.mark.core

OTHERS = [float(index % 37) for index in range(200)]


@pytest.mark.parametrize(
    ("sentinel", "others", "is_told"),
    [
        (-999.0, OTHERS, True),
        (-1.0, OTHERS, True),
        (99.0, OTHERS, True),
        (-9.0, OTHERS, True),
        (999.99, OTHERS, True),
        (-1.0, [value - 5 for value in OTHERS], False),
        (99.0, [value * 2.7 for value in OTHERS], False),
        (50.0, OTHERS, False),
        (-999.0, [0.0, 1.0] * 100, False),
    ],
)
def test_a_sentinel_is_told_if_it_stands_apart(sentinel: float, others: list[float], is_told: bool) -> None:
    hints = number_hints(pl.Series([*others, *[sentinel] * 3]), "v")
    assert hints == (
        (f"{sentinel:g} in v, in 3 rows, may stand for a missing value; --missing v={sentinel:g} reads it as missing",)
        if is_told
        else ()
    )
    assert number_hints(pl.Series([*others, *[sentinel] * 2]), "v") == ()


@pytest.mark.parametrize(
    ("values", "is_id"),
    [
        (range(10), True),
        (range(9), False),
        ([3 * index + index % 2 for index in range(300)], True),
        ([*range(200), 199], False),
        ([float(index) for index in range(300)], False),
        ([*range(200), None], False),
    ],
)
def test_whole_numbers_that_rise_are_a_likely_id(values: list[float], is_id: bool) -> None:
    assert bool(number_hints(pl.Series(values), "key")) == is_id


def test_a_column_without_a_value_is_left_out(tmp_path: Path) -> None:
    path = write_table(tmp_path, "x,gap,y\n" + "".join(f"{index % 7},,{index % 2}\n" for index in range(40)))
    table = read_table(path, "y")
    assert table.columns == ("x",)
    assert table.notes == ("left out gap: it has no value in any row; --keep gap takes it anyway",)
    assert read_table(path, "y", keep=["gap"]).columns == ("x", "gap")
    with pytest.raises(TableError, match="expected a column to learn from, found none \\(left out gap: it has no"):
        read_table(path, "y", columns=["gap"])


def test_a_class_of_one_row_is_left_out_and_its_row_is_named() -> None:
    classes = ["a", None, "b", "once"] + ["a", "b", "c"] * 4
    frame = pl.DataFrame({"x": [index % 5 for index in range(len(classes))], "y": classes})
    table = table_from_frame(frame, "y", texts=TextOptions())
    assert table.classes == ("a", "b", "c")
    assert table.dropped == 2
    assert table.notes == ("left out 'once' in row 4, because a class of y needs two rows",)


@pytest.mark.parametrize(
    ("classes", "task"),
    [
        (["a", "a", "a", "b"], None),
        ([0, 0, 0, 1], None),
        (["a", "b", "c", "d"], None),
        ([float(index) for index in range(40)], None),
        ([1, 1, 1, 2, 2, 3], "regression"),
    ],
)
def test_small_tables_and_numbers_keep_all_their_rows(classes: list[object], task: str | None) -> None:
    assert single_classes(pl.Series("y", classes), task) == (None, None)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            [1, 2] * 20,
            "predicted as classes (binary), because it has 2 different whole numbers in 40 rows; --task regr",
        ),
        ([3, 4, 5, 6] * 10, "predicted as classes (multiclass), because it has 4 different whole numbers in 40 rows"),
        ([*range(21), *range(21)], "predicted as a number (regression), because it has 21 different whole numbers"),
        ([0, 1] * 20, ""),
        ([0.5, 1.25] * 20, ""),
        (["3", "4"] * 20, ""),
        (range(60), ""),
    ],
)
def test_the_task_is_told_where_another_could_be_meant(target: list[object], words: str) -> None:
    frame = pl.DataFrame({"x": [index % 7 for index in range(len(target))], "y": target})
    notes = table_from_frame(frame, "y").notes
    assert (words in notes[0]) if words else not notes
