"""Columns: what the network sees of a value by hand, and the three roads to it, which all lead to the same place."""

import math
import re
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.tables.columns import CategoricalColumn, ColumnSpec, NumericColumn, count_inputs, encode, fit_numeric
from model.tables.parsing import MISSING, one_of, parse_json, parse_number, parse_series, parse_text

FLOATS = st.floats(-3e38, 3e38, allow_nan=False)
COLOURS = ("blue", "green", "red")


def test_inputs_are_standardised_numbers_and_one_hot_categories() -> None:
    numbers, colours = np.array([3.0, 5.0, 10.0, 2.0]), np.array([2.0, 0.0, 1.0, 2.0])
    column = fit_numeric(numbers)
    assert (column.mean, column.scale) == (5.0, pytest.approx(np.sqrt((4 + 0 + 25 + 9) / 4)))
    assert (column.minimum, column.maximum, column.missing) == (2.0, 10.0, False)
    x = encode((column, CategoricalColumn(COLOURS)), [numbers, colours])
    expected = np.column_stack([(numbers - numbers.mean()) / numbers.std(), np.eye(3)[[2, 0, 1, 2]]])
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, expected, rtol=1e-6)


def test_a_missing_number_counts_as_the_mean_and_has_an_input_of_its_own() -> None:
    values = np.array([1.0, np.nan, 5.0])
    column = fit_numeric(values)
    assert (column.mean, column.scale, column.missing, column.input_count) == (3.0, 2.0, True, 2)
    assert encode((column,), [values]).tolist() == [[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]


def test_a_missing_text_is_the_last_category() -> None:
    column = CategoricalColumn(COLOURS, missing=True)
    assert encode((column,), [np.array([np.nan, 1.0])]).tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]]


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=9))
def test_a_constant_column_is_0_whatever_is_asked_later(asked: list[float]) -> None:
    column = fit_numeric(np.full(4, 7.5))
    assert (column.mean, column.scale) == (7.5, 0.0)
    assert encode((column,), [np.array(asked)]).tolist() == [[0.0]] * len(asked)


def test_a_column_without_any_value_is_0_and_missing() -> None:
    column = fit_numeric(np.full(3, np.nan))
    assert (column.minimum, column.maximum) == (None, None)
    assert encode((column,), [np.array([np.nan, 4.0])]).tolist() == [[0.0, 1.0], [0.0, 0.0]]


@given(st.integers(1, 9), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_the_inputs_of_a_column_have_mean_0_and_deviation_1_and_are_restored(scale: int, values: list[float]) -> None:
    array = np.array(values) * scale
    column = fit_numeric(array)
    if column.scale > 1e-3:
        assert np.mean(column.scaled(array)) == pytest.approx(0, abs=1e-6)
        assert np.std(column.scaled(array)) == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(column.unscale(column.scaled(array)), array, rtol=1e-9, atol=1e-6)


def test_a_long_table_is_encoded_as_its_rows_are() -> None:
    rng = np.random.default_rng(0)
    scaling = (NumericColumn(1.0, 2.0, missing=True), CategoricalColumn(COLOURS), NumericColumn(-1.0, 0.5))
    values = [rng.normal(size=23), rng.integers(0, 3, 23).astype(float), rng.normal(size=23)]
    values[0][::4] = np.nan
    alone = np.concatenate([encode(scaling, [column[row : row + 1] for column in values]) for row in range(23)])
    assert encode(scaling, values, block_rows=5).tolist() == alone.tolist()
    assert count_inputs(scaling) == alone.shape[1] == 6


def test_numbers_beyond_float32_are_refused() -> None:
    message = "numbers within ±3.4e38 were expected, and -1.7e+308 to 1.7e+308 was found"
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_numeric(np.array([-1.7e308, 1.7e308]))


@given(FLOATS, st.sampled_from(["{!r}", "{:e}", "{:+.3f}", "{:.17E}"]))
@example(0.1, "{!r}")
@example(-1e-300, "{!r}")
@example(3e38, "{!r}")
def test_a_number_is_the_same_by_all_three_roads(value: float, form: str) -> None:
    text, column = form.format(value), NumericColumn(2.0, 3.0)
    wanted = float(text)
    assert parse_text(column, text) == wanted
    assert parse_json(column, wanted) == wanted
    series = (pl.Series([text, "1"]), pl.Series([wanted, 1.0]))
    assert [parse_series(column, each)[0] for each in series] == [wanted, wanted]


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_the_same_by_all_three_roads(value: int) -> None:
    column = NumericColumn()
    found = [parse_text(column, str(value)), parse_json(column, float(value))]
    found += [parse_series(column, series)[0] for series in (pl.Series([value]), pl.Series([str(value)]))]
    assert found == [float(value)] * 4


@given(st.lists(st.text(max_size=5), min_size=1, max_size=8, unique=True), st.data())
def test_a_category_is_the_same_by_all_three_roads(texts: list[str], data: st.DataObject) -> None:
    column = CategoricalColumn(tuple(sorted(texts)))
    text = data.draw(st.sampled_from(texts))
    wanted = sorted(texts).index(text)
    assert parse_text(column, text) == parse_json(column, text) == wanted
    assert parse_series(column, pl.Series([text])).tolist() == [wanted]
    assert parse_series(column, pl.Series([text]).cast(pl.Categorical)).tolist() == [wanted]


@pytest.mark.parametrize("text", MISSING)
@pytest.mark.parametrize(
    "column",
    [
        NumericColumn(missing=True),
        CategoricalColumn(COLOURS, missing=True),
        CategoricalColumn(("false", "true"), True, True),
    ],
    ids=str,
)
def test_a_missing_value_is_missing_by_all_three_roads(column: ColumnSpec, text: str) -> None:
    assert math.isnan(parse_text(column, text))
    assert math.isnan(parse_json(column, None))
    if isinstance(column, CategoricalColumn):
        assert math.isnan(parse_json(column, text))
    for series in (pl.Series([text]), pl.Series([None], dtype=pl.String), pl.Series([None])):
        assert np.isnan(parse_series(column, series)).tolist() == [True]


@pytest.mark.parametrize("found", [pl.Series([1.0, math.nan]), pl.Series([1.0, None]), pl.Series([1, None])], ids=str)
def test_a_missing_number_of_a_typed_series_is_missing(found: pl.Series) -> None:
    assert np.isnan(parse_series(NumericColumn(missing=True), found)).tolist() == [False, True]
    with pytest.raises(ValueError, match=r"^row 2: a number was expected, and (nothing|'nan') was found$"):
        parse_series(NumericColumn(), found)


@pytest.mark.parametrize("text", MISSING)
@pytest.mark.parametrize(
    ("column", "expected"), [(NumericColumn(), "a number"), (CategoricalColumn(COLOURS), "one of blue, green, red")]
)
def test_a_missing_value_is_refused_where_training_had_none(column: ColumnSpec, expected: str, text: str) -> None:
    found = repr(text) if text else "nothing"
    message = f"{expected} was expected, and {found} was found"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_text(column, text)
    with pytest.raises(ValueError, match=f"^row 1: {re.escape(message)}$"):
        parse_series(column, pl.Series([text]))
    with pytest.raises(ValueError, match=f"^{re.escape(expected)} was expected, and null was found$"):
        parse_json(column, None)
    with pytest.raises(ValueError, match=f"^row 1: {re.escape(expected)} was expected, and nothing was found$"):
        parse_series(column, pl.Series([None], dtype=pl.String))


def test_a_word_for_missing_that_is_a_category_is_that_category() -> None:
    column = CategoricalColumn(("NA", "SA"), missing=True)
    assert parse_text(column, "NA") == parse_json(column, "NA") == 0.0
    np.testing.assert_array_equal(parse_series(column, pl.Series(["NA", "?", "SA"])), [0.0, np.nan, 1.0])


@pytest.mark.parametrize("truth", [True, False])
def test_a_boolean_in_any_case_is_the_same_by_all_three_roads(truth: bool) -> None:
    column = CategoricalColumn(("false", "true"), boolean=True)
    assert parse_json(column, truth) == truth
    assert parse_series(column, pl.Series([truth])).tolist() == [truth]
    for text in (str(truth), str(truth).lower(), str(truth).upper()):
        assert parse_text(column, text) == parse_json(column, text) == truth
        assert parse_series(column, pl.Series([text])).tolist() == [truth]


def test_a_text_that_is_no_boolean_keeps_its_case() -> None:
    column = CategoricalColumn(("no", "yes"))
    with pytest.raises(ValueError, match="one of no, yes was expected, and 'Yes' was found"):
        parse_text(column, "Yes")
    with pytest.raises(ValueError, match="row 2: one of no, yes was expected, and 'Yes' was found"):
        parse_series(column, pl.Series(["yes", "Yes"]))


@pytest.mark.parametrize("boolean", [False, True])
def test_an_unseen_category_is_refused_by_all_three_roads_with_the_known_ones(boolean: bool) -> None:
    column = CategoricalColumn(("false", "true"), boolean=True) if boolean else CategoricalColumn(COLOURS)
    listed = "false, true" if boolean else "blue, green, red"
    message = f"one of {listed} was expected, and 'pink' was found"
    for road in (parse_text, parse_json):
        with pytest.raises(ValueError, match=f"^{message}$"):
            road(column, "pink")
    with pytest.raises(ValueError, match=f"^row 1,003: {message}$"):
        parse_series(column, pl.Series([column.categories[0]] * 2 + ["pink"]), first=1000)


def test_a_message_lists_at_most_ten_categories_and_cuts_what_is_long() -> None:
    column = CategoricalColumn(tuple(f"c{index:04}" for index in range(1200)))
    first = ", ".join(f"c{index:04}" for index in range(10))
    message = f"one of {first}, … (1,200 in all) was expected, and '{'x' * 40}…' was found"
    for road in (parse_text, parse_json):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            road(column, "x" * 50)
    assert one_of(COLOURS * 3 + ("a",)) == "one of blue, green, red, blue, green, red, blue, green, red, a"
    assert one_of(("", "a")) == "one of nothing, a"


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (NumericColumn(), "5", "a number was expected, and the text '5' was found"),
        (NumericColumn(), True, "a number was expected, and true was found"),
        (NumericColumn(), [1.0], "a number was expected, and an array was found"),
        (NumericColumn(), {}, "a number was expected, and an object was found"),
        (NumericColumn(), 1e39, "a finite number within ±3.4e38 was expected, and '1e+39' was found"),
        (CategoricalColumn(COLOURS), 5.0, "a text was expected, and a number was found"),
        (CategoricalColumn(COLOURS), True, "a text was expected, and true was found"),
        (CategoricalColumn(("false", "true"), boolean=True), 1.0, "true or false was expected, and a number was found"),
    ],
)
def test_a_value_of_another_kind_in_json_is_refused(column: ColumnSpec, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_json(column, value)


NO_NUMBERS = ["1_000", "0x10", "inf", "-Infinity", "٣", "1e", "1,5", "--1", "e5", ".", "1 2", "abc"]


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_refused_as_a_text_and_in_a_series(text: str, missing: bool) -> None:
    message = f"a number was expected, and {text!r} was found"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_text(NumericColumn(missing=missing), text)
    with pytest.raises(ValueError, match=f"^row 2: {re.escape(message)}$"):
        parse_series(NumericColumn(missing=missing), pl.Series(["1", text]))


@pytest.mark.parametrize(
    ("column", "text"),
    [(NumericColumn(missing=True), text) for text in (" NA", "NAN", "-nan", "  ")]
    + [(CategoricalColumn(COLOURS, missing=True), text) for text in (" NA", "  ", " null ")],
)
def test_what_training_reads_as_missing_is_missing_everywhere(column: ColumnSpec, text: str) -> None:
    assert np.isnan(parse_text(column, text))
    assert np.isnan(parse_series(column, pl.Series([text]))[0])


@given(st.text(st.sampled_from("0123456789.eE+-_ nax\n٣"), max_size=8))
def test_a_text_is_a_number_exactly_where_python_and_json_would_agree_on_one(text: str) -> None:
    """Python's float, less what only Python reads: spaces, underscores, other digits, nan."""
    try:
        wanted = float(text)
        readable = text.isascii() and text == text.strip() and "_" not in text and abs(wanted) < 3.4e38
    except ValueError:
        readable = False
    if readable:
        assert parse_number(text) == wanted
    else:
        with pytest.raises(ValueError, match="was expected, and"):
            parse_number(text)


def test_the_first_wrong_row_is_named() -> None:
    with pytest.raises(ValueError, match=r"^row 3: a number was expected, and 'x' was found$"):
        parse_series(NumericColumn(missing=True), pl.Series(["1", "NA", "x", "y"]))
