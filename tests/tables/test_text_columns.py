"""Columns of texts as people write them: numbers, codes and words, and what is said about how they were read."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.tables.column_options import ColumnOptions
from model.tables.columns import CategoricalColumn, NumericColumn
from model.tables.parsing import ParseError, parse_json, parse_text
from model.tables.reading import read_frame
from model.tables.spelling import NumberSpelling, infer_spelling, read_spelled
from tests.tables.examples import refusal_of, write_table

MANY = [f"{index}.5" for index in range(30)]

LOST_DIGITS = "numbers beyond 2^53 in v lose their last digits; make them texts if they are ids"

# The values of a column, what is read from them, and the notes.
COLUMNS: dict[str, tuple[list[str], list[Any], list[str]]] = {
    "a decimal comma": (["20,01", "-3,5", "7"], [20.01, -3.5, 7.0], ["'20,01' in v is read as 20.01"]),
    "points between thousands": (
        ["1.234,50", "12,00", "1.000"],
        [1234.5, 12.0, 1000.0],
        ["'1.234,50' in v is read as 1234.5"],
    ),
    "commas between thousands": (["1,234", "20,006", "12"], [1234.0, 20006.0, 12.0], ["'1,234' in v is read as 1234"]),
    "blanks between thousands": (
        ["1 234,5", "12 000,25", "7,5"],
        [1234.5, 12000.25, 7.5],
        ["'1 234,5' in v is read as 1234.5"],
    ),
    "apostrophes between thousands": (["1'234.50", "12.00"], [1234.5, 12.0], ['"1\'234.50" in v is read as 1234.5']),
    "dollars": (["$7,044.52", "$99", "-$5.50"], [7044.52, 99.0, -5.5], ["'$7,044.52' in v is read as 7044.52"]),
    "euros": (["1.234,50 €", "12,00 €"], [1234.5, 12.0], ["'1.234,50 €' in v is read as 1234.5"]),
    "kroner": (["kr 100", "kr 2 000"], [100.0, 2000.0], ["'kr 2 000' in v is read as 2000"]),
    "parentheses": (["(12.5)", "3.25", "(1)"], [-12.5, 3.25, -1.0], ["'(12.5)' in v is read as -12.5"]),
    "percent": (["21 %", "20%", "3.5%"], [21.0, 20.0, 3.5], ["'21 %' in v is read as 21"]),
    "a unit": (["18 kg", "20kg", "3.5 kg"], [18.0, 20.0, 3.5], ["'18 kg' in v is read as 18"]),
    "a unit with a figure": (["18 m2", "20 m2"], [18.0, 20.0], ["'18 m2' in v is read as 18"]),
    "a plus": (["-3.09", "+2.41", "+0.5"], [-3.09, 2.41, 0.5], []),
    "a true minus": (["−5", "4.5", "−0.5"], [-5.0, 4.5, -0.5], []),
    "lakhs": (["1,20,000.00", "₹3,45,678", "₹12"], [120000.0, 345678.0, 12.0], ["'₹3,45,678' in v is read as 345678"]),
    "narrow blanks between thousands": (
        ["1\u2009234,5", "12\u202f000"],
        [1234.5, 12000.0],
        ["'1\\u2009234,5' in v is read as 1234.5"],
    ),
    "a minus behind": (["1.5", "2.5-", "3"], [1.5, -2.5, 3.0], ["'2.5-' in v is read as -2.5"]),
    "parentheses behind a dollar": (["$1.50", "$(2.50)"], [1.5, -2.5], ["'$(2.50)' in v is read as -2.5"]),
    "thousands and millions": (
        ["950", "1.2K", "$3.4M"],
        [950.0, 1200.0, 3.4e6],
        ["'$3.4M' in v is read as 3400000, '1.2K' as 1200"],
    ),
    "thousands alone": (["1.2K", "3K"], [1.2, 3.0], ["'1.2K' in v is read as 1.2, and the column counts in K"]),
    "metres or none": (["1.2 m", "3"], [1.2, 3.0], ["'1.2 m' in v is read as 1.2, and 1 of 2 cells have no m"]),
    "units of the world": (["5 zł", "7,5 zł"], [5.0, 7.5], ["'7,5 zł' in v is read as 7.5"]),
    "rents": (["5 €/m²", "7 €/m²"], [5.0, 7.0], ["'5 €/m²' in v is read as 5"]),
    "a unit in any case": (["5 kg", "7 KG", "9 (kg)"], [5.0, 7.0, 9.0], ["'5 kg' in v is read as 5"]),
    "milliwatts and megawatts": (["5 mW", "7 MW"], ["5 mW", "7 MW"], []),
    "one year": (["1 year", "2 years", "3 years"], [1.0, 2.0, 3.0], ["'1 year' in v is read as 1"]),
    "apostrophes of a spreadsheet": (["'5", "'7.5"], [5.0, 7.5], ['"\'5" in v is read as 5']),
    "codes behind an apostrophe": (["'0512", "'7734"], ["'0512", "'7734"], []),
    "stars": (
        ["1.5**", "2.5", "3.5*", "4.5"],
        [1.5, 2.5, 3.5, 4.5],
        ["'1.5**' in v is read as 1.5: the mark '*' is ignored, in 2 cells"],
    ),
    "footnotes": (
        ["1.5[1]", "2.5", "3.5[12]"],
        [1.5, 2.5, 3.5],
        ["'1.5[1]' in v is read as 1.5: the mark '[1]' is ignored, in 2 cells"],
    ),
    "limits": (
        ["<0.5", "2.5", "3.5", "7.5"],
        [0.5, 2.5, 3.5, 7.5],
        ["'<0.5' in v is read as 0.5: the limit itself, in 1 cell"],
    ),
    "limits alone": (["<5", ">10", "<5"], ["<5", ">10", "<5"], []),
    "flags": (
        ["1.5 p", "2.5", "3.5 e", "4.5"],
        [1.5, 2.5, 3.5, 4.5],
        [
            "'1.5 p' in v is read as 1.5: the mark 'p' is ignored, in 1 cell",
            "'3.5 e' in v is read as 3.5: the mark 'e' is ignored, in 1 cell",
        ],
    ),
    "shares and percents": (
        ["0.5", "25%", "0.125"],
        [0.5, 0.25, 0.125],
        ["'25%' in v is read as 0.25, and 2 of 3 cells have no % and are read as shares"],
    ),
    "percents with and without a sign": (
        ["50", "25%", "12.5"],
        [50.0, 25.0, 12.5],
        ["'25%' in v is read as 25, and 2 of 3 cells have no %"],
    ),
    "one and a half": (["1½", "2", "2½"], ["1½", "2", "2½"], []),
    "words of pandas": (
        ["1.5", "None", "<NA>", "None", "2.5"],
        [1.5, None, None, None, 2.5],
        ["'None', '<NA>' in v are read as missing, in 3 rows"],
    ),
    "a word of pandas": (["1.5", "NA", "NA", "2.5"], [1.5, None, None, 2.5], []),
    "a word among words": (
        ["red", "None", "blue", "", " None"],
        ["red", None, "blue", None, None],
        ["'None' in v is read as missing, in 2 rows"],
    ),
    "gaps among words": (["red", "", "blue"], ["red", None, "blue"], []),
    "a dash for missing": (
        ["1.5", "-", "-", "2.5", "-", "3.5"],
        [1.5, None, None, 2.5, None, 3.5],
        ["'-' in v is read as missing, in 3 rows"],
    ),
    "a word for missing": (
        ["12", "unknown", "9", "unknown", "unknown", "7"],
        [12.0, None, 9.0, None, None, 7.0],
        ["'unknown' in v is read as missing, in 3 rows"],
    ),
    "a stray word": (
        [*MANY, "oops"],
        [*map(float, MANY), None],
        ["'oops' in v does not fit, and is read as missing, in row 31"],
    ),
    "codes": (
        ["02139", "10001", "94105"],
        ["02139", "10001", "94105"],
        ["v is read as texts, because 02139 begins with 0"],
    ),
    "codes of counties": (
        ["001", "003", "119"],
        ["001", "003", "119"],
        ["v is read as texts, because 001 begins with 0"],
    ),
    "long ids": (
        ["9007199254740993", "9007199254740994", "12"],
        ["9007199254740993", "9007199254740994", "12"],
        ["v is read as texts, because 9007199254740994 is beyond 2^53, where numbers lose digits"],
    ),
    "longer ids": (
        ["123456789012345678901", "123456789012345678902"],
        ["123456789012345678901", "123456789012345678902"],
        ["v is read as texts, because 123456789012345678901 is beyond 2^53, where numbers lose digits"],
    ),
    "numbers of cards": (
        ["4000123412341234", "5105123412341231"],
        ["4000123412341234", "5105123412341231"],
        ["v is read as texts, because all of them have 16 digits, as ids do"],
    ),
    "a single number that is too long": (["9007199254740993", "1"], [9007199254740993, 1], [LOST_DIGITS]),
    "milliseconds": (
        ["1700000000123", "1700000000456"],
        [1700000000123, 1700000000456],
        [
            "v looks like milliseconds since 1970, from 2023-11-14 22:13:20 to 2023-11-14 22:13:20; it is "
            "read as numbers"
        ],
    ),
    "nanoseconds": (["1700000000123456789"] * 2, [1700000000123456789] * 2, [LOST_DIGITS]),
    "moments without marks": (
        ["20240131235959", "20240201000000"],
        [1706745599, 1706745600],
        ["'20240131235959' in v is read as 2024-01-31 23:59:59"],
    ),
    "large amounts": (["100000000000", "250000000000"], [100000000000, 250000000000], []),
    "an error of a spreadsheet": (
        ["1.5", "#DIV/0!", "2.5", "#DIV/0!"],
        [1.5, None, 2.5, None],
        ["'#DIV/0!' in v is read as missing, in 2 rows"],
    ),
    "months": (["01", "02", "12"], [1, 2, 12], []),
    "names of things": (["C001", "C002", "C003"], ["C001", "C002", "C003"], []),
    "ranges": (["1", "2", "3+", "3+", "3+"], ["1", "2", "3+", "3+", "3+"], []),
    "ids with a word": (["id 1", "id 2"], ["id 1", "id 2"], []),
    "several units": (["1 kg", "2 lb", "3 g"], ["1 kg", "2 lb", "3 g"], []),
    "versions": (["1.2.3", "1.10.0"], ["1.2.3", "1.10.0"], []),
    "yes in any case": (
        ["Yes", "yes", "No", "Yes", "NO", "No"],
        ["Yes", "Yes", "No", "Yes", "No", "No"],
        ["in v 'NO' is read as 'No', 'yes' is read as 'Yes'"],
    ),
    "many words in any case": (["a", "A", "b", "c", "d"], ["a", "A", "b", "c", "d"], []),
    "blanks": (["good", "good ", " bad"], ["good", "good", "bad"], []),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_read_as_a_person_would(tmp_path: Path, name: str) -> None:
    values, expected, notes = COLUMNS[name]
    path = write_table(tmp_path, "v\tx\n" + "".join(f"{value}\t{index}\n" for index, value in enumerate(values)))
    found = read_frame(path)
    assert found.frame["v"].to_list() == expected
    assert list(found.notes) == notes


def test_a_number_that_can_be_two_is_read_by_the_separator_of_the_file(tmp_path: Path) -> None:
    assert read_frame(write_table(tmp_path, "v;x\n1,234;1\n5,678;2\n")).frame["v"].to_list() == [1.234, 5.678]
    assert read_frame(write_table(tmp_path, 'v,x\n"1,234",1\n"5,678",2\n')).frame["v"].to_list() == [1234, 5678]


@pytest.mark.parametrize(
    ("content", "values", "notes"),
    [
        ("v;x\n20.000;1\n25.070;2\n", [20000, 25070], ["'20.000' in v is read as 20000; --decimal . reads it as 20"]),
        (
            "v;x\n20.000;1,5\n25.070;2,5\n",
            [20000, 25070],
            ["'20.000' in v is read as 20000; --decimal . reads it as 20", "'1,5' in x is read as 1.5"],
        ),
        ("v;x\n20.000;1.5\n25.070;2.5\n", [20, 25.07], ["'20.000' in v is read as 20; --decimal , reads it as 20000"]),
        (
            "v\tx\n20.000\t1,5\n25.070\t2,5\n",
            [20000, 25070],
            ["'20.000' in v is read as 20000; --decimal . reads it as 20", "'1,5' in x is read as 1.5"],
        ),
        ("v,x\n20.000,1\n25.070,2\n", [20, 25.07], []),
        ("v;x\n0.123;1\n25.070;2\n", [0.123, 25.07], []),
        ("v;x\n20.000;1\n20.000;2\n", [20, 20], []),
    ],
)
def test_points_that_may_be_between_thousands(
    tmp_path: Path, content: str, values: list[float], notes: list[str]
) -> None:
    found = read_frame(write_table(tmp_path, content))
    assert found.frame["v"].to_list() == values
    assert list(found.notes) == notes
    column = NumericColumn(spelling=found.spellings.get("v", NumberSpelling()))
    assert parse_text(column, content.split("\n")[1][:6].strip(";,")) == values[0]


def test_what_is_said_about_a_column_counts_more_than_its_digits(tmp_path: Path) -> None:
    path = write_table(tmp_path, "a;b;c\n001;4000123412341234;20.000\n045;5105123412341231;25.070\n")
    options = ColumnOptions(numeric=("a", "b"), decimal=".")
    found = read_frame(path, options=options)
    assert found.frame.rows() == [(1, 4000123412341234, 20), (45, 5105123412341231, 25.07)]
    assert found.notes == ()
    found = read_frame(path, target="b", options=ColumnOptions(decimal=","))
    assert found.frame.rows() == [("001", 4000123412341234, 20000), ("045", 5105123412341231, 25070)]


def test_numbers_of_another_unit_are_missing_where_numbers_are_wanted(tmp_path: Path) -> None:
    rows = [*(f"{text} kg" for text in MANY), "500 g", "750 g", "500 g", "7", "oops", ""]
    path = write_table(tmp_path, "v,x\n" + "".join(f"{text},{index}\n" for index, text in enumerate(rows)))
    found = read_frame(path, options=ColumnOptions(numeric=("v",)))
    assert found.frame["v"].to_list() == [*map(float, MANY), None, None, None, 7, None, None]
    assert found.notes == (
        "'oops' in v is read as missing, in 1 row",
        "numbers in v with another unit than most, such as '500 g', are read as missing, in 3 rows",
        "'0.5 kg' in v is read as 0.5, and 1 of 31 cells have no kg",
    )
    assert found.spellings["v"].absent == ("oops", "500 g", "750 g")


def test_durations_of_several_units_are_no_other_numbers(tmp_path: Path) -> None:
    path = write_table(tmp_path, "v,x\n90 min,1\n2 h,2\n5 min,3\n")
    assert read_frame(path, options=ColumnOptions(numeric=("v",))).frame["v"].to_list() == [5400, 7200, 300]


def test_numbers_with_many_other_texts_are_refused_and_the_first_is_named(tmp_path: Path) -> None:
    path = write_table(tmp_path, "v\n" + "\n".join([*MANY, "oops", "what", "no", *MANY]) + "\n")
    assert refusal_of(path).startswith("expected numbers in v, found 'oops' in row 31, and 2 more such cells; mend ")


@given(
    st.integers(-(10**9), 10**9).map(lambda value: value / 100),
    st.sampled_from([("", "."), (",", "."), ("", ","), (".", ","), (" ", "."), (" ", ","), ("'", ".")]),
    st.sampled_from(
        [("", ""), ("$", ""), ("€ ", ""), ("", "%"), ("", " kg"), ("", " km/h"), ("~", "*"), ("", " €/m²")]
    ),
    st.sampled_from(["-{}", "({})", "{}-", "−{}"]),
)
def test_a_number_is_read_as_it_was_written(
    value: float, separators: tuple[str, str], affixes: tuple[str, str], negative: str
) -> None:
    def write(number: float) -> str:
        grouping, decimal = separators
        text = f"{abs(number):,.2f}".replace(",", "g").replace(".", decimal).replace("g", grouping)
        text = text if number >= 0 else negative.format(text)
        return affixes[0] + text + affixes[1]

    found = infer_spelling({write(number): 1 for number in (value, 1234567.25, -0.5)})
    assert found is not None
    assert found.numbers[write(value)] == pytest.approx(value, abs=1e-9)
    column = NumericColumn(spelling=found.spelling)
    assert parse_text(column, write(value)) == found.numbers[write(value)]
    assert parse_json(column, value) == value
    assert parse_json(column, write(value)) == found.numbers[write(value)]


@given(st.text(max_size=12))
def test_no_text_makes_reading_fail(text: str) -> None:
    for spelling in (NumberSpelling(), NumberSpelling(".", ",", "$", "kg")):
        value = read_spelled(text, spelling)
        assert value is None or math.isfinite(value) or "e" in text.lower()
    found = infer_spelling({text: 1})
    assert found is None or set(found.numbers) == {text}


def test_a_plain_column_takes_no_other_spelling() -> None:
    for text in ("1,5", "1 234", "5 kg", "$5", "--1", "1.2.3"):
        with pytest.raises(ParseError):
            parse_text(NumericColumn(), text)
    assert parse_text(NumericColumn(), "(2.5)") == -2.5


def test_a_folded_category_is_found_in_any_case() -> None:
    column = CategoricalColumn(("No", "Yes"), is_folded=True)
    assert [parse_text(column, text) for text in ("yes", "YES ", "no", "No")] == [1.0, 1.0, 0.0, 0.0]
    assert parse_json(column, "yes") == 1.0
    with pytest.raises(ParseError):
        parse_text(CategoricalColumn(("No", "Yes")), "yes")


def test_at_most_a_hundred_strays_are_remembered() -> None:
    found = infer_spelling({"1": 50_000} | {f"stray {index}": 1 for index in range(150)})
    assert found is not None
    assert (len(found.strays), len(found.spelling.absent)) == (150, 100)
    column = NumericColumn(missing=True, spelling=found.spelling)
    assert math.isnan(parse_text(column, "stray 99"))
    assert math.isnan(parse_json(column, "stray 0 "))
    with pytest.raises(ParseError):
        parse_json(column, "stray 100")


def test_only_marks_and_factors_of_training_are_understood() -> None:
    column = NumericColumn(spelling=NumberSpelling(prefix="$", marks=("*",), has_factors=True))
    assert [parse_text(column, text) for text in ("$1.5K*", "$2M", "250", "2.5bn")] == [1500.0, 2e6, 250.0, 2.5e9]
    for text in ("~2", "$2[1]", "2 kg", "€2"):
        with pytest.raises(ParseError):
            parse_text(column, text)
