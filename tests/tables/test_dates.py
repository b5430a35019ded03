"""Dates and times: how they are read, and what the network sees of them."""

import math
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.tables.columns import NumericColumn
from model.tables.date_columns import DateColumn, date_inputs, date_parts, fit_date
from model.tables.date_inference import infer_dates
from model.tables.date_spelling import describe_date, read_date
from model.tables.errors import TableError
from model.tables.from_file import read_table
from model.tables.number_columns import read_numbers
from model.tables.parsing import ParseError, parse_json, parse_text
from model.tables.series_parsing import parse_series
from tests.tables.examples import refusal_of, write_table

EPOCH = datetime(1970, 1, 1)
# Texts of a column, how they are written, and what the first is.
COLUMNS: list[tuple[list[str], str, str]] = [
    (["2024-01-31", "2024-02-01"], "ymd", "2024-01-31"),
    (["2024/1/31", "2024/2/1"], "ymd", "2024-01-31"),
    (["2024-01-31 10:30", "2024-02-01 00:00"], "ymd", "2024-01-31 10:30"),
    (["2024-01-31T10:30:15.250Z"], "ymd", "2024-01-31 10:30:15"),
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
    assert found.absent.all == ()
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
    assert refusal_of(path).endswith("as in '1/2/2024'; say --dates dmy or --dates mdy")
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


# Other ways to write a moment, each with its style and as `strftime` has it.
FORMS = [
    ("ymd", "%Y%m%dT%H%M%SZ"),
    ("ymd", "%Y年%m月%d日 %H:%M:%S"),
    ("dmy", "%A, %d. %B %Y, %H:%M:%S"),
    ("dmy", "%a, %d %b %Y %H:%M:%S +0000 (UTC)"),
    ("dmy", "%d/%b/%Y:%H:%M:%S +0000"),
    ("dmy", "%d%b%Y:%H:%M:%S"),
    ("dmy", "%dth of %B %Y at %I:%M:%S %p"),
    ("mdy", "%a %b %d %H:%M:%S %Y"),
    ("mdy", "%a %b %d %H:%M:%S UTC %Y"),
    ("mdy", "%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"),
    ("mdy", "%B %dth, %Y %I:%M:%S %p"),
]
# Names of months in several languages, in the order of the year.
MONTHS = [
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "Jän Feb Mrz Apr Mai Jun Jul Aug Sept Okt Nov Dez",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "januari februari maart april mei juni juli augustus september oktober november december",
]
DAYS = st.dates(datetime(1969, 1, 1).date(), datetime(2068, 12, 31).date())


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 12, 31)).map(lambda moment: moment.replace(microsecond=0)))
def test_a_moment_of_programs_and_letters_is_read_as_it_was_written(moment: datetime) -> None:
    for style, form in FORMS:
        assert read_date(moment.strftime(form), style) == (moment - EPOCH).total_seconds(), form


@given(DAYS, st.sampled_from(MONTHS))
def test_months_may_have_names_in_other_languages(day: date, names: str) -> None:
    name, seconds = names.split()[day.month - 1], (day - EPOCH.date()).total_seconds()
    for style, text in [
        ("dmy", f"{day.day} {name} {day.year}"),
        ("dmy", f"{day.day}. {name.upper()} {day:%y}"),
        ("dmy", f"{day.day}-{name}-{day:%y}"),
        ("dmy", f"{day.day} de {name} de {day.year}"),
        ("mdy", f"{name} {day.day}, {day.year}"),
        ("ymd", f"{day.year}-{name}-{day.day}"),
    ]:
        assert read_date(text, style) == seconds, text


@given(DAYS)
def test_a_month_is_its_first_day(day: date) -> None:
    seconds = (day.replace(day=1) - EPOCH.date()).total_seconds()
    for form in ("%Y-%m", "%Y/%m", "%m/%Y", "%b-%y", "%B %Y", "%b '%y", "%Y %b", "%b%Y", "%Y年%m月"):
        assert read_date(day.strftime(form), "ym") == seconds, form
    assert read_date(f"{day.year}-Q{(day.month + 2) // 3}", "ym") == read_date(
        f"{day.year}-{(day.month + 2) // 3 * 3 - 2}", "ym"
    )


@given(DAYS)
def test_a_week_is_its_monday(day: date) -> None:
    year, week, weekday = day.isocalendar()
    for text, wanted in [(f"{year}-W{week:02}", day - timedelta(weekday - 1)), (f"{year}W{week:02}-{weekday}", day)]:
        assert read_date(text, "ymd") == (wanted - EPOCH.date()).total_seconds()


@pytest.mark.parametrize(
    ("text", "style", "expected"),
    [
        ("2024-01-09 07:00 EST", "ymd", datetime(2024, 1, 9, 12)),
        ("2024-01-09 07:00 CEST", "ymd", datetime(2024, 1, 9, 5)),
        ("2024-01-09T07:00+05", "ymd", datetime(2024, 1, 9, 2)),
        ("2024-01-09 07:00 UTC-3", "ymd", datetime(2024, 1, 9, 10)),
        ("1er janvier 2024", "dmy", datetime(2024, 1, 1)),
        ("21st September 2024", "dmy", datetime(2024, 9, 21)),
        ("mardi 9 janvier 2024 9h07", "dmy", datetime(2024, 1, 9, 9, 7)),
        ("terça-feira, 9 de janeiro de 2024", "dmy", datetime(2024, 1, 9)),
        ("Q3 2024", "ym", datetime(2024, 7, 1)),
        ("9h07", "time", datetime(1970, 1, 1, 9, 7)),
        ("202401090730", "digits", datetime(2024, 1, 9, 7, 30)),
    ],
)
def test_a_date_with_a_zone_a_word_or_an_ordinal_is_read(text: str, style: str, expected: datetime) -> None:
    assert read_date(text, style) == (expected - EPOCH).total_seconds()


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("Marigold 9, 2024", "mdy"),
        ("Room 9 January 2024", "dmy"),
        ("2024-01-09 07:00 IST", "ymd"),
        ("1-Sep", "ym"),
        ("MARCH2", "ym"),
        ("Mar 24", "ym"),
        ("2024-W54", "ymd"),
        ("2024-Q5", "ym"),
        ("20231301", "digits"),
        ("18991231", "digits"),
        ("24h61", "time"),
    ],
)
def test_what_only_looks_like_a_date_is_none(text: str, style: str) -> None:
    assert read_date(text, style) is None


def day_rows(word: str, every: int) -> str:
    """A table of sixty days and a number, with a word in some of the rows."""
    days = [EPOCH + timedelta(days=day) for day in range(60)]
    return "when,y\n" + "".join(
        f"{word if index % every == 3 else f'{day:%Y-%m-%d}'},{index}\n" for index, day in enumerate(days)
    )


@pytest.mark.parametrize("word", ["-", "never", "0000-00-00", "00.00.0000", "9999-99-99"])
def test_a_word_among_dates_is_missing_in_training_and_in_scoring(tmp_path: Path, word: str) -> None:
    table = read_table(write_table(tmp_path, day_rows(word, 20)), "y")
    assert f"'{word}' in when is read as missing, in 3 rows" in table.notes
    (column,) = table.column_specs
    assert isinstance(column, DateColumn)
    assert (column.absent, column.missing) == ((word,), True)
    assert math.isnan(parse_text(column, f" {word}"))
    assert math.isnan(parse_json(column, word))
    assert np.isnan(parse_series(column, pl.Series([word, "NaT", "1970-01-01"]))).tolist() == [True, True, False]


def test_a_stray_among_dates_is_missing_in_scoring_too(tmp_path: Path) -> None:
    table = read_table(write_table(tmp_path, day_rows("1970-02-30", 100)), "y")
    assert "'1970-02-30' in when does not fit, and is read as missing, in row 4" in table.notes
    (column,) = table.column_specs
    assert isinstance(column, DateColumn)
    assert column.absent == ("1970-02-30",)
    assert math.isnan(parse_text(column, "1970-02-30"))
    with pytest.raises(ParseError, match="a date such as"):
        parse_text(column, "1970-02-31")


def test_dates_that_stand_far_from_all_others_are_pointed_out(tmp_path: Path) -> None:
    for day in ("9999-12-31", "1900-01-01"):
        table = read_table(write_table(tmp_path, day_rows(day, 20)), "y")
        assert any(note.startswith(f"{day} in when is far from all other dates, in 3 rows") for note in table.notes)
        (column,) = table.column_specs
        assert not column.missing
    table = read_table(write_table(tmp_path, day_rows("9999-12-31", 30)), "y")
    assert len(table.notes) == 1


def test_numbers_that_are_dates_are_read_as_such(tmp_path: Path) -> None:
    days = [EPOCH + timedelta(days=day) for day in range(60)]
    text = "when,y\n" + "".join(f"{day:%Y%m%d},{index}\n" for index, day in enumerate(days))
    table = read_table(write_table(tmp_path, text), "y")
    assert table.notes == ("'19700101' in when is read as 1970-01-01",)
    (column,) = table.column_specs
    assert isinstance(column, DateColumn)
    assert column.style == "digits"
    assert parse_json(column, 19700102.0) == parse_json(column, "1970-01-02") == parse_text(column, "19700102") == 86400
    for series in (pl.Series([19700102]), pl.Series([19700102.0]), pl.Series(["19700102"])):
        assert parse_series(column, series).tolist() == [86400]
    with pytest.raises(ParseError, match="a date such as 20240131 was expected, and '19701301' was found"):
        parse_json(column, 19701301.0)
    with pytest.raises(ParseError, match="row 1: a date such as 20240131"):
        parse_series(column, pl.Series([19700102.5]))


def test_numbers_that_are_dates_stay_numbers_if_that_is_said(tmp_path: Path) -> None:
    for first in ("20240101", "n.b."):
        path = write_table(tmp_path, f"lot,y\n{first},1\n20240102,2\n20240103,3\n")
        (column,) = read_table(path, "y", numeric=["lot"]).column_specs
        assert isinstance(column, NumericColumn)
        assert column.maximum == 20_240_103
    path = write_table(tmp_path, "when,y\n31.12.2024,1\n30.12.2024,2\n29.12.2024,3\n")
    with pytest.raises(TableError, match=r"expected numbers in when, found '31\.12\.2024'"):
        read_table(path, "y", numeric=["when"])


def test_years_of_two_digits_come_first_only_if_that_is_said(tmp_path: Path) -> None:
    path = write_table(tmp_path, "when,y\n70-01-02,1\n70-1-3,2\n1970-01-04,3\n")
    (column,) = read_table(path, "y", dates="ymd").column_specs
    assert isinstance(column, DateColumn)
    assert (column.style, column.minimum) == ("short ymd", 86400)
    assert parse_text(column, "70-01-02") == parse_json(column, "1970-01-02") == 86400
    assert parse_series(column, pl.Series(["70/1/2", "1970-01-02"])).tolist() == [86400, 86400]
    assert read_date("70-01-02", "ymd") is None


@pytest.mark.parametrize("word", ["0", "never", "00000000"])
def test_numbers_that_are_dates_may_have_a_word_for_missing(tmp_path: Path, word: str) -> None:
    table = read_table(write_table(tmp_path, day_rows(word, 20).replace("1970-", "1970").replace("-", "")), "y")
    (column,) = table.column_specs
    assert isinstance(column, DateColumn)
    assert (column.style, column.absent) == ("digits", (word,))


@pytest.mark.parametrize(
    ("name", "numbers", "kind"),
    [
        ("created_at", [1_700_000_000, 1_700_086_400], "seconds since 1970, from 2023-11-14 22:13"),
        ("eventTime", [400_000_000.5, 400_086_400.0], "seconds since 1970, from 1982-09-04"),
        ("ts", [1_700_000_000_000, 1_700_086_400_000], "milliseconds since 1970, from 2023-11-14 22:13"),
        ("v", [1_700_000_000, 1_700_086_400], "seconds since 1970, from 2023-11-14 22:13"),
        ("order date", [45_300.0, 45_301.5], "days of a spreadsheet, from 2024-01-09 to 2024-01-10 12:00"),
    ],
)
def test_numbers_that_look_like_moments_stay_numbers_with_a_note(name: str, numbers: list[float], kind: str) -> None:
    read = read_numbers(pl.Series(name, numbers))
    assert read.dates is None
    assert read.column.to_list() == numbers
    (note,) = read.notes
    assert note.startswith(f"{name} looks like {kind}")
    assert note.endswith("; it is read as numbers")


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("id", [20231201, 20231301, 20240101]),
        ("price", [20240101, 20240101]),
        ("time", [0, 172_792]),
        ("runtime", [45_300, 45_301]),
        ("id", [1_000_000_001, 1_000_000_002]),
        ("phone", [2_125_550_100, 9_175_550_100]),
        ("v", [1.5e9, 1.6e9 + 0.5]),
        ("date", [1, 2, 3]),
        ("when", []),
    ],
)
def test_other_numbers_stay_numbers_without_a_word(name: str, numbers: list[float]) -> None:
    assert read_numbers(pl.Series(name, numbers, pl.Float64)).notes == ()


def test_the_first_days_of_months_are_told_from_january(tmp_path: Path) -> None:
    months = [(year, month) for year in (1999, 2000) for month in range(1, 13)]
    for form, style in (("{1:02}/01/{0}", "mdy"), ("01/{1:02}/{0}", "dmy")):
        rows = "".join(f"{form.format(*each)},{each[1]}\n" for each in months)
        path = write_table(tmp_path, f"when,y\n{rows}")
        (column,) = read_table(path, "y").column_specs
        assert isinstance(column, DateColumn)
        assert column.style == style
        assert describe_date(column.maximum or 0.0, style) == "2000-12-01"
    rows = "".join(f"{day:02}/01/2024,{day}\n" for day in range(1, 13))
    assert "days and months can be told apart" in refusal_of(write_table(tmp_path, f"when,y\n{rows}"))
