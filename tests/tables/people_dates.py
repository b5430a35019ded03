"""Dates, times and durations as people write them, and what looks like one and is none."""

from datetime import UTC, datetime, timedelta

import polars as pl

from tests.tables.people import (
    OKS,
    ROWS,
    XS,
    YS,
    Case,
    case,
    category,
    date,
    number,
    one,
    or_else,
    or_said,
    parquet,
    repeated,
    written,
)

# Days over four months, most of them after the twelfth of a month.
_MOMENTS = [datetime(2024, 1, 9, tzinfo=UTC) + timedelta(days=row, hours=7 * row % 24) for row in range(ROWS)]
_DAYS = ("2024-01-09", "2024-01-10", "2024-01-11")
_MONTHS = {
    "german": [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    "french": [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    "spanish": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
}
_STRICT, _SEEN = date(*_DAYS), or_said(date(*_DAYS))
_MOMENT = date("2024-01-09T00:00", "2024-01-10T07:00", "2024-01-11T14:00")


def _as(form: str) -> list[str]:
    """The moments in a form of `strftime`."""
    return [f"{moment:{form}}" for moment in _MOMENTS]


def _in_words(language: str, form: str) -> list[str]:
    names = _MONTHS[language]
    return [form.format(day=moment.day, month=names[moment.month - 1], year=moment.year) for moment in _MOMENTS]


def _with(cells: list[str], word: str, every: int = 20) -> list[str]:
    """The cells, with a word in some of them, the first in the fourth row."""
    return [word if row % every == 3 else cell for row, cell in enumerate(cells)]


_ISO = _as("%Y-%m-%d")
_GAPS = date(*_DAYS, None)
_AMERICAN = [f"{moment.month}/{moment.day}/{moment.year}" for moment in _MOMENTS]
_FEW_DAYS = [f"{1 + row % 12}/{1 + row % 11}/2024" for row in range(ROWS)]

REPORTED: list[Case] = [
    one("dates_iso", _ISO, _STRICT, "2024-01-09", header="when"),
    one("dates_words", [f"{moment:%b} {moment.day}, {moment:%Y}" for moment in _MOMENTS], _STRICT, "Jan 9, 2024"),
    one("dates_month", [f"{2015 + row // 12}-{1 + row % 12:02}" for row in range(ROWS)], date("2015-01-01"), "2015-01"),
    one("dates_us_2digit", [f"{moment.month}/{moment.day}/{moment:%y}" for moment in _MOMENTS], _STRICT, "1/9/24"),
    one("dates_few", ["01-Jan-24", "01-Feb-24", "01-Mar-24"], date("2024-01-01", "2024-02-01"), "01-Jan-24"),
    one("date_with_gap", _with(_ISO, ""), _GAPS, "2024-01-09"),
    one("epoch", [1_700_000_000 + 86_400 * row for row in range(ROWS)], or_said(date("2023-11-14T22:13:20"))),
    one("duration", [f"{row % 24:02}:{row % 60:02}" for row in range(ROWS)], date("00:00", "01:01"), "00:00"),
    one("year_month_int", _as("%Y%m%d"), _SEEN, header="yyyymmdd"),
    parquet(
        "pq_date",
        {"d": pl.Series([moment.date() for moment in _MOMENTS]), "x": pl.Series(XS), "ok": pl.Series(OKS)},
        "ok",
        columns={"d": _STRICT},
        says=(("d", "dates"),),
    ),
    parquet(
        "pq_ts",
        {"d": pl.Series([moment.replace(tzinfo=None) for moment in _MOMENTS]), "ok": pl.Series(OKS)},
        "ok",
        columns={"d": _MOMENT},
        says=(("d", "dates"),),
    ),
    parquet(
        "pq_duration",
        {"d": pl.Series([timedelta(minutes=row) for row in range(ROWS)]), "ok": pl.Series(OKS)},
        "ok",
        columns={"d": number(0, 60, 120)},
        says=(("d", "seconds"),),
    ),
]

_CLOCKS = [(row % 24, 7 * row % 60, 11 * row % 60) for row in range(ROWS)]

VARIATIONS: list[Case] = [
    one("days with slashes", _as("%d/%m/%Y"), _STRICT, "09/01/2024"),
    one("days with points", _as("%d.%m.%Y"), _STRICT, "09.01.2024"),
    one("days with points and short years", _as("%d.%m.%y"), _STRICT, "09.01.24"),
    one("days with dashes", _as("%d-%m-%Y"), _STRICT, "09-01-2024"),
    one("years first with slashes", _as("%Y/%m/%d"), _STRICT, "2024/01/09"),
    one("years first with points", _as("%Y.%m.%d"), _STRICT, "2024.01.09"),
    one("months in words", _as("%d %B %Y"), _STRICT, "09 January 2024"),
    one("months first in words", _as("%B %d, %Y"), _STRICT, "January 09, 2024"),
    one("days of the week before", _as("%A, %B %d, %Y"), _STRICT, "Tuesday"),
    one("months in words with dashes", _as("%d-%b-%Y"), _STRICT, "09-Jan-2024"),
    one("years and months in words", _as("%Y-%b-%d"), _STRICT, "2024-Jan-09"),
    one("German months", _in_words("german", "{day}. {month} {year}"), _STRICT, "Januar"),
    one("French months", _in_words("french", "{day} {month} {year}"), _STRICT, "janvier"),
    one("Spanish months", _in_words("spanish", "{day} de {month} de {year}"), _STRICT, "enero"),
    one("ordinal days", [f"{moment.day}th of {moment:%B} {moment:%Y}" for moment in _MOMENTS], _STRICT, "9th"),
    one("Chinese dates", [f"{moment.year}年{moment.month}月{moment.day}日" for moment in _MOMENTS], _STRICT, "年"),
    one("moments", _as("%Y-%m-%d %H:%M:%S"), _MOMENT, "2024-01-09"),
    one("moments with a T and a Z", _as("%Y-%m-%dT%H:%M:%SZ"), _MOMENT, "2024-01-09"),
    one("moments with fractions", _as("%Y-%m-%d %H:%M:%S.%f"), _MOMENT, "2024-01-09"),
    one("moments with a zone", _as("%Y-%m-%dT%H:%M:%S+00:00"), _MOMENT, "2024-01-09"),
    one("moments as pandas writes them", _as("%Y-%m-%d %H:%M:%S+0000"), _MOMENT, "2024-01-09"),
    one("moments of a spreadsheet", _as("%m/%d/%Y %I:%M %p"), _MOMENT, "01/09/2024"),
    one("moments in Germany", _as("%d.%m.%Y %H:%M"), _MOMENT, "09.01.2024"),
    one("moments without marks", _as("%Y%m%dT%H%M%SZ"), _MOMENT, "20240109"),
    one("moments of mails", _as("%a, %d %b %Y %H:%M:%S +0000"), _MOMENT, "Tue"),
    one("moments of a log", _as("%d/%b/%Y:%H:%M:%S +0000"), _MOMENT, "09/Jan/2024"),
    one("moments of C", _as("%a %b %d %H:%M:%S %Y"), _MOMENT, "Tue"),
    one("months and years", [f"{1 + row % 12:02}/{2015 + row // 12}" for row in range(ROWS)], date("2015-01-01")),
    one("names of months and years", _as("%b-%y"), date("2024-01-01")),
    one("long names of months and years", _as("%B %Y"), date("2024-01-01")),
    one(
        "weeks",
        [f"{2022 + row // 52}-W{1 + row % 52:02}" for row in range(ROWS)],
        or_said(date("2022-01-03")),
        header="week",
    ),
    one(
        "quarters",
        [f"{2000 + row // 4}Q{1 + row % 4}" for row in range(ROWS)],
        or_else(or_said(date("2000-01-01")), "category"),
    ),
    one("days of the year", [f"2024-{1 + row:03}" for row in range(ROWS)], or_said(date("2024-01-01"))),
    one("years", [1990 + row % 30 for row in range(ROWS)], number(1990, 1991), header="year"),
    one(
        "milliseconds since 1970",
        [1_700_000_000_000 + 86_400_000 * row for row in range(ROWS)],
        or_said(date("2023-11-14T22:13:20")),
    ),
    one("days of a spreadsheet", range(45_300, 45_420), or_said(date("2024-01-09")), header="date"),
    # Times and durations.
    one(
        "times",
        [f"{hour:02}:{minute:02}:{second:02}" for hour, minute, second in _CLOCKS],
        date("00:00:00", "01:07:11"),
        "00:00",
    ),
    one(
        "times in halves",
        ["9:30 am", "12:15 pm", "11:45 PM", "1:05 p.m."],
        date("09:30", "12:15", "23:45", "13:05"),
        "9:30",
    ),
    one("times in France", [f"{hour}h{minute:02}" for hour, minute, _ in _CLOCKS], or_said(date("00:00", "01:07"))),
    one(
        "more than a day of hours",
        [f"{hour + 20}:{minute:02}:00" for hour, minute, _ in _CLOCKS],
        number(72000, 76020),
        header="elapsed",
    ),
    one("minutes", [f"{minute} min" for _, minute, _ in _CLOCKS], number(0, 7, 14), "min"),
    one(
        "hours and minutes", [f"{hour}h {minute:02}m" for hour, minute, _ in _CLOCKS], number(0, 4020), header="runtime"
    ),
    one(
        "durations of pandas",
        [f"{hour} days 0{hour % 10}:{minute:02}:00" for hour, minute, _ in _CLOCKS],
        number(0, 86400 + 3600 + 420),
    ),
    one("durations of ISO 8601", [f"PT{hour}H{minute}M" for hour, minute, _ in _CLOCKS], number(0, 4020)),
    # Gaps and strays.
    one("dates with NaT", _with(_ISO, "NaT"), _GAPS),
    one("dates with a dash", _with(_ISO, "-"), _GAPS, "'-'"),
    one("dates with never", _with(_ISO, "never"), _GAPS, "never"),
    one("dates with open and never", _with(_with(_ISO, "open", 8), "never", 20), _GAPS, "open"),
    one("dates with never and open", _with(_with(_ISO, "open", 8), "never", 20), _GAPS, "never"),
    one("dates with zeros", _with(_ISO, "0000-00-00"), _GAPS, "0000-00-00"),
    one("dates with the day 0 of a spreadsheet", _with(_AMERICAN, "1/0/1900"), _GAPS, "1/0/1900"),
    one("dates with a far end", _with(_ISO, "9999-12-31"), date(*_DAYS), "9999-12-31"),
    one("dates with a far beginning", _with(_ISO, "1900-01-01"), date(*_DAYS), "1900-01-01"),
    one("a day that is not there", _with(_ISO, "2024-02-30", 200), _GAPS, "2024-02-30", "4"),
    one(
        "two ways of dates",
        [_ISO[row] if row % 2 else f"{_MOMENTS[row]:%d.%m.%Y}" for row in range(ROWS)],
        _STRICT,
        ".",
    ),
    one(
        "days with and without zeros",
        [f"{moment.day}/{moment.month}/{moment.year}" for moment in _MOMENTS],
        _STRICT,
        "9/1/2024",
    ),
    case(
        "days or months",
        written({"when": _FEW_DAYS, "x": XS, "y": YS}),
        "y",
        refused=("when", "1/", "--dates dmy", "--dates mdy"),
    ),
    case(
        "days first by an option",
        written({"when": _FEW_DAYS, "x": XS, "y": YS}),
        "y",
        columns={"when": date("2024-01-01", "2024-02-02", "2024-03-03")},
        says=(("when",),),
        options={"dates": "dmy"},
    ),
    case(
        "years of two digits first by an option",
        written({"when": [f"{moment:%y-%m-%d}" for moment in _MOMENTS], "x": XS, "y": YS}),
        "y",
        columns={"when": date(*_DAYS)},
        says=(("when", "24-01-09", "2024-01-09"),),
        options={"dates": "ymd"},
    ),
    case(
        "years of two and of four digits first by an option",
        written({"when": repeated(["20/5/28", "2021/6/29", "22/11/10"]), "x": XS, "y": YS}),
        "y",
        columns={"when": date("2020-05-28", "2021-06-29", "2022-11-10")},
        says=(("when", "20/5/28", "2020-05-28"),),
        options={"dates": "ymd"},
    ),
    # None of these is a date.
    one("days of the week", ["Mon", "Tue", "Wed", "Thu"], category("Mon", "Tue")),
    one("names of months", ["Jan", "Feb", "Mar", "May"], category("Jan", "Feb")),
    one("genes", ["SEPT1", "MARCH2", "DEC1", "TP53"], category("SEPT1", "MARCH2")),
    one("genes that a spreadsheet spoiled", ["1-Sep", "2-Mar", "1-Dec", "7-Sep"], or_said(category("1-Sep"))),
    one("seasons", ["2021-22", "2022-23", "2023-24"], or_said(category("2021-22")), header="season"),
    one("seasons with two years", ["2010-11", "2011-12", "2009-10"], or_said(category("2010-11")), header="season"),
    one("ratios", ["16:9", "4:3", "21:9", "1:1"], category("16:9", "4:3")),
    one("ranges of ages", ["10-14", "15-19", "20-24", "5-9"], category("10-14")),
    one("financial years", ["FY2022", "FY2023", "FY2024"], or_else(or_said(date("2022-01-01")), "category")),
    one("decades", ["1990s", "2000s", "1980s"], or_else(or_said(number(1990, 2000)), "category")),
    parquet(
        "moments with a zone of a database",
        {"d": pl.Series(_MOMENTS), "ok": pl.Series(OKS)},
        "ok",
        columns={"d": _MOMENT},
        says=(("d", "dates"),),
    ),
    parquet(
        "times of a database",
        {"d": pl.Series([moment.time() for moment in _MOMENTS]), "ok": pl.Series(OKS)},
        "ok",
        columns={"d": date("00:00", "07:00", "14:00")},
        says=(("d", "times"),),
    ),
    case(
        "dates to predict",
        written({"x": XS, "when": _ISO}),
        "when",
        refused=("when", "dates"),
    ),
]
