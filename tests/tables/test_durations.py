"""Durations: how they are written, and the seconds that they are."""

import math
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.tables.columns import NumericColumn
from model.tables.durations import read_duration
from model.tables.from_file import read_table
from model.tables.parsing import parse_json, parse_text
from model.tables.series_parsing import parse_series
from model.tables.text_columns import read_texts
from tests.tables.examples import write_table

WHOLE_SECONDS = st.timedeltas(timedelta(0), timedelta(days=400)).map(lambda each: timedelta(seconds=each // SECOND))
SECOND = timedelta(seconds=1)


@given(WHOLE_SECONDS)
def test_a_duration_is_read_as_it_was_written(duration: timedelta) -> None:
    total = duration // SECOND
    hours, minutes, seconds = total // 3600, total // 60 % 60, total % 60
    for text in (
        str(duration),
        f"{hours}:{minutes:02}:{seconds:02}",
        f"{total // 60}:{seconds:02}",
        f"{duration.days} days {hours % 24:02}:{minutes:02}:{seconds:02}",
        f"{hours}h {minutes:02}m {seconds}s",
        f"{hours} hours, {minutes} minutes and {seconds} seconds",
        f"PT{hours}H{minutes}M{seconds}S",
        f"P{duration.days}DT{hours % 24}H{minutes}M{seconds}.0S",
    ):
        assert read_duration(text) == total, text
        if duration:
            assert "day, " in text or "days, " in text or read_duration(f"-{text}") == -total
    assert read_duration(str(-duration)) == -total


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "90", "12 kg", "1:60:00", "1:00:60", "1:5", "5s 1h", "1h 1h", "1 day 5:30", "h5", "16:9"],
)
def test_other_texts_are_no_durations(text: str) -> None:
    assert read_duration(text) is None


# The texts of a column, and the seconds of the first of them; None for a column that is none of durations.
COLUMNS: list[tuple[list[str], float | None]] = [
    (["25:10:00", "01:00:00"], 90_600),
    (["59:30", "1:02:03"], 3570),
    (["1:02:03.5", "36:00:00"], 3723.5),
    (["1h 05m", "45m", "2h"], 3900),
    (["90 min", "2 h"], 5400),
    (["0 days 00:05:00", "1 days 00:00:00"], 300),
    (["PT1H5M", "P2D"], 3900),
    (["9h07", "25h10"], 32_820),
    (["09:30", "23:59"], None),
    (["9h07", "10h30"], None),
    (["90 min", "5 min"], None),
    (["1h", "2h"], None),
    (["Oslo", "1h 05m", "Rome"], None),
]


@pytest.mark.parametrize(("texts", "seconds"), COLUMNS)
def test_a_column_of_durations_is_one_of_seconds(texts: list[str], seconds: float | None) -> None:
    read = read_texts(pl.Series("v", texts))
    assert (read.spelling is not None and read.spelling.is_duration) == (seconds is not None)
    if seconds is not None:
        assert read.column[0] == seconds
        assert read.notes == (f"'{texts[0]}' in v is read as {seconds:g} seconds",)


def test_the_spelling_and_plain_seconds_are_understood_in_scoring(tmp_path: Path) -> None:
    cells = ["-" if row % 10 == 3 else f"{20 + row}:00:00" for row in range(40)]
    text = "elapsed,y\n" + "".join(f"{cell},{row}\n" for row, cell in enumerate(cells))
    table = read_table(write_table(tmp_path, text), "y")
    assert table.notes == (
        "'20:00:00' in elapsed is read as 72000 seconds",
        "'-' in elapsed is read as missing, in 4 rows",
    )
    (column,) = table.column_specs
    assert isinstance(column, NumericColumn)
    assert column.missing
    assert [parse_text(column, each) for each in ("25:10:00", "1h", "90600")] == [90_600, 3600, 90_600]
    assert [parse_json(column, each) for each in ("25:10:00", 90_600.0)] == [90_600, 90_600]
    assert math.isnan(parse_text(column, "-"))
    assert parse_series(column, pl.Series(["25:10:00", "5"])).tolist() == [90_600, 5]
    assert parse_series(column, pl.Series([timedelta(hours=1)])).tolist() == [3600]


def test_a_stray_among_durations_is_missing_in_scoring_too() -> None:
    read = read_texts(pl.Series("v", [f"{hour}:00:00" for hour in range(20, 50)] + ["soon"]))
    assert read.notes[1] == "'soon' in v does not fit, and is read as missing, in row 31"
    assert read.spelling is not None
    assert read.spelling.absent == ("soon",)
