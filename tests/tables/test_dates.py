"""Dates and times: how they are read, and what the network sees of them."""

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.tables.date_columns import DateColumn, date_inputs, date_parts, fit_date
from model.tables.date_spelling import describe_date, infer_dates, read_date
from model.tables.errors import TableError
from model.tables.from_file import read_table
from model.tables.parsing import ParseError, parse_json, parse_text
from model.tables.series_parsing import parse_series
from tests.tables.examples import refusal_of, write_table

EPOCH = datetime(1970, 1, 1)
# Texts of a column, how they are written, and what the first is.
COLUMNS: list[tuple[list[str], str, str]] = [
    (["2024-01-31", "2024-02-01"], "ymd", "2024-01-31"),
    (["2024/1/31", "2024/2/1"], "ymd", "2024-01-31"),
    (["2024-01-31 10:30", "2024-02-01 00:00"], "ymd", "2024-01-31 10:30"),
    (["2024-01-31T10:30:15.250Z"], "ymd", "2024-01-31 10:30"),
    (["2024-01-31T10:30:00+02:00"], "ymd", "2024-01-31 08:30"),
    (["3/14/2023", "1/2/2023"], "mdy", "2023-03-14"),
    (["14/3/2023", "1/2/2023"], "dmy", "2023-03-14"),
    (["14.03.2023", "01.02.2023"], "dmy", "2023-03-14"),
    (["1.2.2023", "3.4.2023"], "dmy", "2023-02-01"),
    (["1/1/24", "2/20/24"], "mdy", "2024-01-01"),
    (["01-Jan-24", "28-Feb-69"], "dmy", "2024-01-01"),
    (["31 December 2023"], "dmy", "2023-12-31"),
    (["Jan 5, 2024", "Feb 12, 2024"], "mdy", "2024-01-05"),
    (["2024-03", "2024-12"], "ym", "2024-03-01"),
    (["09:05", "23:59"], "time", "09:05"),
    (["9:05 am", "11:59 PM", "12:30 a.m."], "time", "09:05"),
]


@pytest.mark.parametrize(("texts", "style", "first"), COLUMNS)
def test_the_order_of_a_date_is_told_from_its_column(texts: list[str], style: str, first: str) -> None:
    found = infer_dates("when", dict.fromkeys(texts, 1))
    assert found is not None
    assert found.style == style
    assert found.strays == ()
    assert describe_date(found.seconds[texts[0]] or 0.0, style) == first


@pytest.mark.parametrize(
    "text", ["1.2.3", "10.20.30.40", "20240131", "2024-13-01", "31.02.2024", "25:00", "May", "C-12-2024"]
)
def test_other_texts_are_no_dates(text: str) -> None:
    assert infer_dates("when", {text: 5}) is None


@given(st.datetimes(datetime(1969, 1, 1), datetime(2068, 12, 31)).map(lambda moment: moment.replace(microsecond=0)))
def test_a_moment_is_read_as_it_was_written(moment: datetime) -> None:
    seconds = (moment - EPOCH).total_seconds()
    for style, form in [
        ("ymd", "%Y-%m-%dT%H:%M:%S"),
        ("dmy", "%d.%m.%Y %H:%M:%S"),
        ("mdy", "%m/%d/%y %I:%M:%S %p"),
        ("dmy", "%d-%b-%Y %H:%M:%S"),
        ("mdy", "%B %d, %Y %H:%M:%S"),
    ]:
        assert read_date(moment.strftime(form), style) == seconds
        assert read_date(moment.isoformat(), style) == seconds


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), min_size=1, max_size=9))
def test_the_parts_of_a_date_are_those_of_the_calendar(moments: list[datetime]) -> None:
    moments = [moment.replace(microsecond=0) for moment in moments]
    parts = date_parts(np.array([(moment - EPOCH).total_seconds() for moment in moments]))
    for index, moment in enumerate(moments):
        expected = [moment.year, moment.month - 1, moment.day - 1, moment.weekday()]
        assert [parts[name][index] for name in ("year", "month", "day", "weekday")] == expected
        assert parts["hour"][index] == pytest.approx(moment.hour + moment.minute / 60 + moment.second / 3600)


def test_only_parts_that_vary_become_inputs_and_missing_is_one_of_its_own() -> None:
    days = np.array([(EPOCH + timedelta(days=day) - EPOCH).total_seconds() for day in range(20)])
    assert fit_date(days, "ymd").parts == ("day", "weekday")
    column = fit_date(np.append(days, math.nan), "ymd")
    x = date_inputs(column, np.append(days, math.nan))
    assert x.shape == (21, column.input_count) == (21, 6)
    assert x[20].tolist() == [0, 0, 0, 0, 0, 1]
    assert x[:20, 0].mean() == pytest.approx(0)
    assert x[:20, 0].std() == pytest.approx(1)
    np.testing.assert_allclose(x[:20, 1] ** 2 + x[:20, 2] ** 2, 1)
    np.testing.assert_allclose(x[7, 3:5], x[0, 3:5], atol=1e-12)
    assert fit_date(np.array([3600.0, 7200.0]), "time").parts == ("hour",)
    repeated = np.repeat(np.append(days, math.nan), 3)
    assert fit_date(np.append(days, math.nan), "ymd", np.full(len(days) + 1, 3.0)) == fit_date(repeated, "ymd")


def test_a_date_is_the_same_as_text_in_json_and_in_a_series() -> None:
    column = DateColumn("dmy")
    seconds = (datetime(2024, 1, 31) - EPOCH).total_seconds()
    assert parse_text(column, " 31.01.2024") == parse_json(column, "2024-01-31") == seconds
    for series in (
        pl.Series(["31/1/2024"]),
        pl.Series([datetime(2024, 1, 31)]),
        pl.Series([datetime(2024, 1, 31).date()]),
    ):
        assert parse_series(column, series).tolist() == [seconds]
    with pytest.raises(ParseError, match="a date such as 2024-01-31 was expected, and 'soon' was found"):
        parse_text(column, "soon")
    with pytest.raises(ParseError, match="row 2: a date such as"):
        parse_series(column, pl.Series(["1.1.2024", "soon"]))
    with pytest.raises(ParseError, match="a text was expected, and a number was found"):
        parse_json(column, 3.0)


def test_a_column_of_dates_is_learned_from(tmp_path: Path) -> None:
    rows = "".join(f"{1 + day % 28}.{1 + day // 28}.2024;{day}\n" for day in range(60))
    table = read_table(write_table(tmp_path, f"tag;y\n{rows}"), "y")
    assert table.notes == ("'1.1.2024' in tag is read as 2024-01-01",)
    assert isinstance(table.column_specs[0], DateColumn)
    assert table.column_specs[0].parts == ("month", "day", "weekday")
    assert table.x.shape == (60, 7)


def test_dates_that_can_be_two_are_asked_for(tmp_path: Path) -> None:
    path = write_table(tmp_path, "when,y\n1/2/2024,1\n3/4/2024,2\n5/6/2024,3\n")
    assert refusal_of(path).endswith("as '1/2/2024'; say --dates dmy or --dates mdy")
    for order, note in [("dmy", "2024-02-01"), ("mdy", "2024-01-02")]:
        assert read_table(path, "y", dates=order).notes == (f"'1/2/2024' in when is read as {note}",)
    with pytest.raises(TableError, match="numbers or classes in when, found dates or times"):
        read_table(path, "when", dates="dmy")


def test_the_dates_times_and_durations_of_parquet_are_read(tmp_path: Path) -> None:
    moments: list[Any] = [datetime(2024, 1, day, 12, 30) for day in range(1, 25)]
    frame = pl.DataFrame(
        {
            "date": [moment.date() for moment in moments],
            "moment": moments,
            "time": [moment.time() for moment in moments[:-1]] + [None],
            "duration": [timedelta(minutes=index) for index in range(24)],
            "y": range(24),
        }
    )
    path = tmp_path / "table.parquet"
    frame.write_parquet(path)
    table = read_table(path, "y")
    assert [type(column).__name__ for column in table.column_specs] == ["DateColumn"] * 3 + ["NumericColumn"]
    assert table.column_specs[3].maximum == 23 * 60  # type: ignore[union-attr]
    assert "the durations in duration are read as seconds" in table.notes
    assert parse_series(table.column_specs[1], frame["moment"])[0] == (moments[0] - EPOCH).total_seconds()
