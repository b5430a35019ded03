"""Values as they are written in a query, in JSON, and in a file: all three mean the same."""

import contextlib
import math
import re
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.tables.columns import CategoricalColumn, ColumnSpec, NumericColumn
from model.tables.parsing import (
    BLANKS,
    MISSING,
    ParseError,
    bare_text,
    check_float32,
    describe_json,
    one_of,
    parse_json,
    parse_number,
    parse_text,
)
from model.tables.series_parsing import bare_series, parse_series

COLORS = ("blue", "green", "red")
BOOLEANS = CategoricalColumn(("false", "true"), boolean=True)


@given(st.floats(-3e38, 3e38, allow_nan=False), st.sampled_from(["{!r}", "{:e}", "{:+.3f}", "{:.17E}"]))
@example(0.1, "{!r}")
@example(-1e-300, "{!r}")
@example(3e38, "{!r}")
def test_a_number_is_the_same_as_text_in_json_and_in_a_series(value: float, form: str) -> None:
    text, column = form.format(value), NumericColumn(2.0, 3.0)
    expected = float(text)
    assert parse_text(column, text) == parse_json(column, text) == parse_json(column, expected) == expected
    for series in (pl.Series([text, "1"]), pl.Series([expected, 1.0])):
        assert parse_series(column, series)[0] == expected


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_the_same_as_text_in_json_and_in_a_series(value: int) -> None:
    column = NumericColumn()
    assert parse_text(column, str(value)) == parse_json(column, float(value)) == float(value)
    for series in (pl.Series([value]), pl.Series([str(value)])):
        assert parse_series(column, series)[0] == float(value)


@given(st.lists(st.text(max_size=5).map(bare_text), min_size=1, max_size=8, unique=True), st.data())
def test_a_category_is_the_same_as_text_in_json_and_in_a_series(texts: list[str], data: st.DataObject) -> None:
    column = CategoricalColumn(tuple(sorted(texts)))
    text = data.draw(st.sampled_from(texts))
    index = sorted(texts).index(text)
    assert parse_text(column, text) == parse_json(column, text) == index
    assert parse_series(column, pl.Series([text])).tolist() == [index]
    assert parse_series(column, pl.Series([text]).cast(pl.Categorical)).tolist() == [index]


@given(
    st.lists(st.none() | st.text(st.sampled_from(f"{BLANKS}ae\u0301\u00e9\u212b\U0001f600"), max_size=6), max_size=6)
)
def test_texts_of_a_series_are_bare_as_one_text_is(texts: list[str | None]) -> None:
    series = bare_series(pl.Series(texts, dtype=pl.String))
    assert series.to_list() == [None if text is None else bare_text(text) for text in texts]


def test_what_looks_alike_is_the_same_category() -> None:
    column = CategoricalColumn(("bar", "caf\u00e9"))
    alike = ["cafe\u0301", "caf\u00e9\u200b", "\ufeffcaf\u00e9", "caf\u00e9\u00ad", "caf\u00e9"]
    assert [parse_text(column, text) for text in alike] == [1.0] * 5
    assert [parse_json(column, text) for text in alike] == [1.0] * 5
    assert parse_series(column, pl.Series(alike)).tolist() == [1.0] * 5


@pytest.mark.parametrize("truth", [True, False])
def test_a_boolean_is_the_same_in_upper_and_lower_case(truth: bool) -> None:
    assert parse_json(BOOLEANS, truth) == truth
    assert parse_series(BOOLEANS, pl.Series([truth])).tolist() == [truth]
    for text in (str(truth), str(truth).lower(), str(truth).upper()):
        assert parse_text(BOOLEANS, text) == parse_json(BOOLEANS, text) == truth
        assert parse_series(BOOLEANS, pl.Series([text])).tolist() == [truth]


def test_the_case_of_a_category_counts_unless_it_is_a_boolean() -> None:
    column = CategoricalColumn(("no", "yes"))
    with pytest.raises(ParseError, match="one of no, yes was expected, and 'Yes' was found"):
        parse_text(column, "Yes")
    with pytest.raises(ParseError, match="row 2: one of no, yes was expected, and 'Yes' was found"):
        parse_series(column, pl.Series(["yes", "Yes"]))


@pytest.mark.parametrize("text", MISSING)
@pytest.mark.parametrize(
    "column",
    [
        NumericColumn(missing=True),
        CategoricalColumn(COLORS, missing=True),
        CategoricalColumn(("false", "true"), missing=True, boolean=True),
    ],
    ids=str,
)
def test_a_missing_value_is_missing_as_text_in_json_and_in_a_series(column: ColumnSpec, text: str) -> None:
    assert math.isnan(parse_text(column, text))
    assert math.isnan(parse_json(column, None))
    assert math.isnan(parse_json(column, text))
    for series in (pl.Series([text]), pl.Series([None], dtype=pl.String), pl.Series([None])):
        assert np.isnan(parse_series(column, series)).tolist() == [True]


@pytest.mark.parametrize(
    ("column", "text"),
    [(NumericColumn(missing=True), text) for text in (" NA", "NAN", "-nan", "  ")]
    + [(CategoricalColumn(COLORS, missing=True), text) for text in (" NA", "  ", " null ")],
)
def test_a_missing_value_may_have_spaces_around_it(column: ColumnSpec, text: str) -> None:
    assert np.isnan(parse_text(column, text))
    assert np.isnan(parse_series(column, pl.Series([text]))[0])


@pytest.mark.parametrize("series", [pl.Series([1.0, math.nan]), pl.Series([1.0, None]), pl.Series([1, None])], ids=str)
def test_a_missing_number_of_a_typed_series_is_missing(series: pl.Series) -> None:
    assert np.isnan(parse_series(NumericColumn(missing=True), series)).tolist() == [False, True]
    with pytest.raises(ParseError, match=r"^row 2: a number was expected, and (nothing|'nan') was found$"):
        parse_series(NumericColumn(), series)


@pytest.mark.parametrize("text", MISSING)
@pytest.mark.parametrize(
    ("column", "expected"), [(NumericColumn(), "a number"), (CategoricalColumn(COLORS), "one of blue, green, red")]
)
def test_a_missing_value_is_refused_if_none_was_missing_in_training(
    column: ColumnSpec, expected: str, text: str
) -> None:
    found = repr(text) if text else "nothing"
    message = re.escape(f"{expected} was expected, and {found} was found")
    with pytest.raises(ParseError, match=f"^{message}$"):
        parse_text(column, text)
    with pytest.raises(ParseError, match=f"^row 1: {message}$"):
        parse_series(column, pl.Series([text]))
    with pytest.raises(ParseError, match=f"^{re.escape(expected)} was expected, and null was found$"):
        parse_json(column, None)
    with pytest.raises(ParseError, match=f"^row 1: {re.escape(expected)} was expected, and nothing was found$"):
        parse_series(column, pl.Series([None], dtype=pl.String))


def test_a_category_that_looks_missing_is_that_category() -> None:
    column = CategoricalColumn(("NA", "SA"), missing=True)
    assert parse_text(column, "NA") == parse_json(column, "NA") == 0.0
    np.testing.assert_array_equal(parse_series(column, pl.Series(["NA", "?", "SA"])), [0.0, np.nan, 1.0])


@pytest.mark.parametrize("column", [CategoricalColumn(COLORS), BOOLEANS], ids=["texts", "booleans"])
def test_an_unknown_category_is_refused_with_the_known_ones(column: CategoricalColumn) -> None:
    message = f"one of {', '.join(column.categories)} was expected, and 'pink' was found"
    for parse in (parse_text, parse_json):
        with pytest.raises(ParseError, match=f"^{message}$"):
            parse(column, "pink")
    with pytest.raises(ParseError, match=f"^row 1,003: {message}$"):
        parse_series(column, pl.Series([column.categories[0]] * 2 + ["pink"]), first=1000)


def test_a_message_lists_at_most_ten_categories_and_shortens_a_long_value() -> None:
    column = CategoricalColumn(tuple(f"c{index:04}" for index in range(1200)))
    first_ten = ", ".join(f"c{index:04}" for index in range(10))
    message = f"one of {first_ten}, … (1,200 in all) was expected, and '{'x' * 40}…' was found"
    for parse in (parse_text, parse_json):
        with pytest.raises(ParseError, match=f"^{re.escape(message)}$"):
            parse(column, "x" * 50)
    assert one_of(COLORS * 3 + ("a",)) == "one of blue, green, red, blue, green, red, blue, green, red, a"
    assert one_of(("", "a")) == "one of nothing, a"


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (NumericColumn(), "five", "a number was expected, and 'five' was found"),
        (NumericColumn(), True, "a number was expected, and true was found"),
        (NumericColumn(), [1.0], "a number was expected, and an array was found"),
        (NumericColumn(), {}, "a number was expected, and an object was found"),
        (NumericColumn(), 1e39, "a finite number within ±3.4e38 was expected, and '1e+39' was found"),
        (CategoricalColumn(COLORS), 5.0, "one of blue, green, red was expected, and '5' was found"),
        (CategoricalColumn(COLORS), True, "a text was expected, and true was found"),
        (BOOLEANS, 1.0, "one of false, true was expected, and '1' was found"),
    ],
)
def test_a_json_value_of_another_type_is_refused(column: ColumnSpec, value: Any, message: str) -> None:
    with pytest.raises(ParseError, match=f"^{re.escape(message)}$"):
        parse_json(column, value)


def test_a_json_value_is_described_in_words() -> None:
    values = ("a", "x" * 50, False, None, 1.5, [1.0], {})
    descriptions = ["the text 'a'", f"the text '{'x' * 40}…'", "false", "null", "a number", "an array", "an object"]
    assert [describe_json(value) for value in values] == descriptions


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    "text", ["1_000", "0x10", "inf", "-Infinity", "٣", "1e", "1,5", "--1", "e5", ".", "1 2", "abc"]
)
def test_a_text_that_is_not_a_number_is_refused(text: str, missing: bool) -> None:
    column = NumericColumn(missing=missing)
    message = re.escape(f"a number was expected, and {text!r} was found")
    with pytest.raises(ParseError, match=f"^{message}$"):
        parse_text(column, text)
    with pytest.raises(ParseError, match=f"^row 2: {message}$"):
        parse_series(column, pl.Series(["1", text]))


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1_0", "nan", "inf", "-Infinity", "0x10", "1e", "e1", ".", "١", "1,5", "1e39", "-1e400"]
)
def test_a_number_is_written_without_spaces_and_fits_float32(text: str) -> None:
    with pytest.raises(ParseError, match="was expected, and"):
        parse_number(text)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_any_float32_is_read_back(value: float) -> None:
    assert parse_number(repr(value)) == value


@given(st.text(max_size=12) | st.text("0123456789.eE+-", max_size=8))
def test_a_text_is_a_finite_number_or_is_refused(text: str) -> None:
    with contextlib.suppress(ParseError):
        value = parse_number(text)
        assert math.isfinite(value)
        assert value == float(text)


@given(st.text(st.sampled_from("0123456789.eE+-_ nax\n٣"), max_size=8))
def test_a_text_is_a_number_if_python_and_json_both_read_it_as_one(text: str) -> None:
    """Python alone also reads spaces, underscores, digits of other scripts, and nan."""
    try:
        value = float(text)
        is_number = text.isascii() and text == text.strip() and "_" not in text and abs(value) < 3.4e38
    except ValueError:
        is_number = False
    if is_number:
        assert parse_number(text) == value
    else:
        with pytest.raises(ParseError, match="was expected, and"):
            parse_number(text)


@pytest.mark.parametrize("value", [1e39, -1e39, math.inf, math.nan])
def test_a_number_that_float32_cannot_hold_is_refused(value: float) -> None:
    with pytest.raises(ParseError, match=r"a finite number within ±3.4e38 was expected, and 'written so' was found"):
        check_float32(value, "written so")


def test_the_first_wrong_row_is_named() -> None:
    with pytest.raises(ParseError, match=r"^row 3: a number was expected, and 'x' was found$"):
        parse_series(NumericColumn(missing=True), pl.Series(["1", "NA", "x", "y"]))
