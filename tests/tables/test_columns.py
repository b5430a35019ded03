"""Columns become inputs of the network: scaled numbers and one-hot categories."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.tables.columns import (
    CategoricalColumn,
    NumericColumn,
    aligned_empty,
    count_inputs,
    encode,
    fit_numeric,
    fits_float32,
)

COLORS = ("blue", "green", "red")


def test_inputs_are_standardized_numbers_and_one_hot_categories() -> None:
    numbers, colors = np.array([3.0, 5.0, 10.0, 2.0]), np.array([2.0, 0.0, 1.0, 2.0])
    column = fit_numeric(numbers)
    assert (column.mean, column.scale) == (5.0, pytest.approx(np.sqrt((4 + 0 + 25 + 9) / 4)))
    assert (column.minimum, column.maximum, column.missing) == (2.0, 10.0, False)
    x = encode((column, CategoricalColumn(COLORS)), [numbers, colors])
    expected = np.column_stack([(numbers - numbers.mean()) / numbers.std(), np.eye(3)[[2, 0, 1, 2]]])
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, expected, rtol=1e-6)


def test_a_missing_number_counts_as_the_mean_and_sets_a_second_input() -> None:
    values = np.array([1.0, np.nan, 5.0])
    column = fit_numeric(values)
    assert (column.mean, column.scale, column.missing, column.input_count) == (3.0, 2.0, True, 2)
    assert encode((column,), [values]).tolist() == [[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]


def test_a_missing_text_is_the_last_category() -> None:
    column = CategoricalColumn(COLORS, missing=True)
    assert encode((column,), [np.array([np.nan, 1.0])]).tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]]


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=9))
def test_a_constant_column_is_always_0(later_values: list[float]) -> None:
    column = fit_numeric(np.full(4, 7.5))
    assert (column.mean, column.scale) == (7.5, 0.0)
    assert encode((column,), [np.array(later_values)]).tolist() == [[0.0]] * len(later_values)


def test_a_column_without_values_is_always_0_and_may_be_missing() -> None:
    column = fit_numeric(np.full(3, np.nan))
    assert (column.minimum, column.maximum) == (None, None)
    assert encode((column,), [np.array([np.nan, 4.0])]).tolist() == [[0.0, 1.0], [0.0, 0.0]]


@given(st.integers(1, 9), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_scaled_values_have_mean_0_and_deviation_1_and_can_be_unscaled(factor: int, values: list[float]) -> None:
    array = np.array(values) * factor
    column = fit_numeric(array)
    if column.scale > 1e-3:
        scaled = column.scaled(array)
        assert np.mean(scaled) == pytest.approx(0, abs=1e-6)
        assert np.std(scaled) == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(column.unscale(scaled), array, rtol=1e-9, atol=1e-6)


def test_rows_are_encoded_alike_alone_and_in_blocks() -> None:
    rng = np.random.default_rng(0)
    column_specs = (NumericColumn(1.0, 2.0, missing=True), CategoricalColumn(COLORS), NumericColumn(-1.0, 0.5))
    values = [rng.normal(size=23), rng.integers(0, 3, 23).astype(float), rng.normal(size=23)]
    values[0][::4] = np.nan
    alone = np.concatenate([encode(column_specs, [column[row : row + 1] for column in values]) for row in range(23)])
    assert encode(column_specs, values, block_rows=5).tolist() == alone.tolist()
    assert count_inputs(column_specs) == alone.shape[1] == 6


def test_numbers_beyond_float32_are_refused() -> None:
    message = "numbers within ±3.4e38 were expected, and -1.7e+308 to 1.7e+308 was found"
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_numeric(np.array([-1.7e308, 1.7e308]))


@given(st.floats())
def test_a_number_fits_if_float32_holds_it_as_a_finite_number(number: float) -> None:
    with np.errstate(over="ignore"):
        assert fits_float32(np.array([number])).tolist() == [bool(np.isfinite(np.float32(number)))]


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_an_aligned_array_begins_at_a_multiple_of_64_bytes(rows: int) -> None:
    array = aligned_empty(rows, 3)
    assert (array.shape, array.dtype, array.ctypes.data % 64) == ((rows, 3), np.float32, 0)
