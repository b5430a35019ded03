"""How a split is told in words."""

from dataclasses import replace

import numpy as np
import pytest

from model import Table, table_from_arrays, truth_table
from model.training.split_text import describe_split, split_notes

CLASSES = np.array([0, 0, 0, 0, 1, 1, 2, 0])
TABLE = table_from_arrays(np.zeros((8, 1)), CLASSES, ("a", "b", "c"))
GROUPS = replace(TABLE, groups=np.array([0, 0, 1, 1, 2, 2, 2, 3]), split_by="patient")
DAYS = replace(TABLE, times=np.arange(8) * 86400.0, split_by="day", time_style="dmy")
NAMED = replace(TABLE, held_out=np.arange(8) == 3, split_by="new.csv")


@pytest.mark.parametrize(
    ("table", "held_out", "text"),
    [
        (TABLE, [], "no rows"),
        (TABLE, [3], "1 row, drawn at random"),
        (TABLE, [3, 5], "2 rows, drawn at random"),
        (GROUPS, [0, 1, 7], "3 rows, all those of 2 of 4 values of patient"),
        (DAYS, [6, 7], "the latest 2 rows by day, from 1970-01-07 on"),
        (replace(DAYS, time_style=""), [7], "the latest 1 row by day, from 604800 on"),
        (NAMED, [3], "the 1 row of new.csv"),
        (replace(NAMED, split_by=""), [3], "1 row, which the table names"),
        (truth_table("xor"), [], ""),
    ],
)
def test_which_rows_are_held_out_is_told(table: Table, held_out: list[int], text: str) -> None:
    assert describe_split(table, np.array(held_out, int)) == text


@pytest.mark.parametrize(
    ("table", "held_out", "notes"),
    [
        (TABLE, [], ()),
        (TABLE, [0, 4], ("no row of class 'c' is held out: it has only one row",)),
        (
            DAYS,
            [6, 7],
            (
                "no row of class 'b' is held out: it has 2 rows, and none is among the latest",
                "nothing is learned about class 'c': all its rows are held out",
            ),
        ),
        (
            NAMED,
            [3],
            (
                "no row of class 'c' is held out: it has only one row",
                "no row of class 'b' is held out: it has 2 rows, and none in new.csv",
            ),
        ),
    ],
)
def test_classes_that_are_on_one_side_only_are_told(table: Table, held_out: list[int], notes: tuple[str, ...]) -> None:
    assert split_notes(table, np.array(held_out, int)) == notes


def test_a_regression_has_no_classes_to_miss() -> None:
    assert split_notes(table_from_arrays(np.zeros((4, 1)), np.arange(4.0)), np.array([1])) == ()
