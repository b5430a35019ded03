"""Columns become inputs of the network: scaled numbers and one-hot categories."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.tables.columns import CategoricalColumn, NumericColumn, count_inputs, fits_float32
from model.tables.encoding import aligned_empty, encode
from model.tables.numeric_scaling import fit_numeric
from model.tables.target_scaling import fit_target_scaling

COLORS = ("blue", "green", "red")


def drawn_together(z: float) -> float:
    """3 asinh(z / 3), from its logarithm."""
    return 3 * math.copysign(math.log(abs(z) / 3 + math.hypot(z / 3, 1)), z)


def test_inputs_are_scaled_numbers_and_one_hot_categories() -> None:
    """The quartiles of 2, 3, 5 and 10 are 2, 3 and 5: the smallest values that a quarter, half, … do not exceed."""
    numbers, colors = np.array([3.0, 5.0, 10.0, 2.0]), np.array([2.0, 0.0, 1.0, 2.0])
    column = fit_numeric(numbers)
    assert (column.center, column.scale, column.knee) == (3.0, 3.0, 3.0)
    assert (column.minimum, column.maximum, column.missing) == (2.0, 10.0, False)
    x = encode((column, CategoricalColumn(COLORS)), [numbers, colors])
    expected = np.column_stack([[drawn_together((value - 3) / 3) for value in numbers], np.eye(3)[[2, 0, 1, 2]]])
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, expected, rtol=1e-6)
    assert column.edges == tuple(np.sort(x[:, 0]).tolist())


def test_a_column_whose_quartiles_are_the_same_has_its_standard_deviation_as_scale() -> None:
    column = fit_numeric(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 10.0]))
    assert (column.center, column.scale) == (0.0, pytest.approx(math.sqrt(5 / 36) * 10))
    assert len(column.edges) == 2


def test_a_missing_number_counts_as_the_center_and_sets_a_second_input() -> None:
    values = np.array([1.0, np.nan, 5.0, 3.0, 4.0])
    column = fit_numeric(values)
    assert (column.center, column.scale, column.missing, column.input_count) == (3.0, 3.0, True, 2)
    expected = [[drawn_together(-2 / 3), 0], [0, 1], [drawn_together(2 / 3), 0], [0, 0], [drawn_together(1 / 3), 0]]
    np.testing.assert_allclose(encode((column,), [values]), expected, rtol=1e-6)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 4)), min_size=1, max_size=30))
def test_a_weighted_row_counts_like_as_many_rows(rows: list[tuple[float, int]]) -> None:
    values, counts = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    weighted, repeated = fit_numeric(values, counts.astype(float)), fit_numeric(np.repeat(values, counts))
    assert (weighted.center, weighted.minimum, weighted.maximum) == (
        repeated.center,
        repeated.minimum,
        repeated.maximum,
    )
    assert weighted.scale == pytest.approx(repeated.scale, rel=1e-6)
    np.testing.assert_allclose(weighted.edges, repeated.edges, rtol=1e-5, atol=1e-6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_edges_are_values_of_the_column_and_the_bins_between_them_are_no_more_than_sixteen(values: list[float]) -> None:
    column = fit_numeric(np.array(values))
    assert list(column.edges) == sorted(set(column.edges))
    assert len(column.edges) <= 17
    if column.scale:
        seen = column.scaled(np.array(values)).astype(np.float32)
        assert set(column.edges) <= set(seen.tolist())
        assert {column.edges[0], column.edges[-1]} == {float(seen.min()), float(seen.max())}


def test_a_missing_text_is_the_last_category() -> None:
    column = CategoricalColumn(COLORS, missing=True)
    assert encode((column,), [np.array([np.nan, 1.0])]).tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]]


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=9))
def test_a_constant_column_is_always_0(later_values: list[float]) -> None:
    column = fit_numeric(np.full(4, 7.5))
    assert (column.center, column.scale) == (7.5, 0.0)
    assert encode((column,), [np.array(later_values)]).tolist() == [[0.0]] * len(later_values)


def test_a_column_without_values_is_always_0_and_may_be_missing() -> None:
    column = fit_numeric(np.full(3, np.nan))
    assert (column.minimum, column.maximum) == (None, None)
    assert encode((column,), [np.array([np.nan, 4.0])]).tolist() == [[0.0, 1.0], [0.0, 0.0]]


@given(st.integers(1, 9), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_scaled_values_have_mean_0_and_deviation_1_and_can_be_unscaled(factor: int, values: list[float]) -> None:
    array = np.array(values) * factor
    column = fit_target_scaling(array)
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
