"""The scale of a target: drawn together and back, the mean that a prediction stands for, and its interval."""

import math

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import Hyperparameters, default_network, encode, fit, table_from_arrays
from model.evaluation.batches import predict_rows
from model.tables.columns import NumericColumn
from model.tables.target_scaling import (
    draw_together,
    expected_values,
    fit_residuals,
    fit_target_scaling,
    has_long_tail,
    interval_of,
)

KEY = jax.random.key(0)


def long_tail(rows: int, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Three columns and a target that is the exponential of a sum, with noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3))
    return x, np.exp(1.2 * x.sum(axis=1) + noise * rng.normal(size=rows)) * 1000


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=40).filter(lambda values: len(set(values)) > 2))
def test_a_target_that_is_drawn_together_comes_back(values: list[float]) -> None:
    y = np.array(values)
    scaling = draw_together(y, fit_target_scaling(y))
    scaled = scaling.scaled(y)
    assert np.std(scaled) == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(scaling.unscale(scaled), y, rtol=1e-7, atol=1e-7 * np.ptp(y))


def test_a_long_tail_is_one_of_a_skewness_beyond_1() -> None:
    rng = np.random.default_rng(0)
    normal, tail = rng.normal(size=500), np.exp(rng.normal(size=500))
    for y, expected in ((normal, False), (tail, True), (-tail, True), (np.full(9, 3.0), False)):
        scaling = fit_target_scaling(y)
        assert has_long_tail(scaling, scaling.scaled(y)) is expected


@pytest.mark.parametrize("sign", [1, -1])
def test_the_expected_value_is_the_mean_over_the_errors(sign: int) -> None:
    """Not the median that the inverse of the scale gives: the mean of a lognormal number is larger."""
    rng = np.random.default_rng(1)
    y = sign * np.exp(3 + rng.normal(size=4000))
    scaling = draw_together(y, fit_target_scaling(y))
    center = np.full(4000, scaling.scaled(np.array([sign * np.median(np.abs(y))]))[0])
    residuals = fit_residuals(scaling, scaling.scaled(y) - center)
    predicted = expected_values(scaling, center[:1], residuals)[0]
    assert predicted == pytest.approx(y.mean(), rel=0.1)
    assert abs(predicted) > 1.3 * np.median(np.abs(y))


def test_a_prediction_beyond_the_targets_of_training_counts_as_the_nearest_of_them() -> None:
    _, y = long_tail(500)
    scaling = draw_together(y, fit_target_scaling(y))
    far = expected_values(scaling, np.array([1e9, -1e9]), fit_residuals(scaling, np.zeros(9)))
    assert far == pytest.approx([y.max(), y.min()], rel=1e-6)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=60))
def test_the_margin_is_the_order_statistic_of_conformal_prediction(errors: list[float]) -> None:
    margin = fit_residuals(NumericColumn(), np.array(errors)).margin
    rank = math.ceil(0.9 * (len(errors) + 1))
    assert (rank <= len(errors)) == (len(errors) >= 9)
    assert margin == (sorted(abs(error) for error in errors)[rank - 1] if len(errors) >= 9 else 0.0)


@pytest.mark.parametrize("scale", ["linear", "asinh"])
def test_intervals_of_new_rows_hold_about_nine_of_ten(scale: str) -> None:
    x, y = long_tail(900)
    table = table_from_arrays(x[:300], y[:300])
    options = {"epochs": 20, "encodings": ("numbers",), "restarts": 4, "ensemble": 4}
    result = fit(default_network(table, (8,)), table, key=KEY, target_scale=scale, **options)
    assert (result.target_scaling.knee > 0) == (scale == "asinh")
    scaled = predict_rows(result.ensemble, encode(table.column_specs, list(x[300:].T))).mean
    low, high = interval_of(result.target_scaling, np.asarray(scaled), result.residuals).T
    assert 0.85 < np.mean((low <= y[300:]) & (y[300:] <= high)) < 0.95


def test_the_scale_is_the_one_with_the_smaller_error_on_rows_held_out() -> None:
    x, y = long_tail(300, noise=0.1)
    for target, expected in ((y, True), (np.abs(x[:, 0]) ** 3, None)):
        table = table_from_arrays(x, target)
        network = default_network(table, (16,))
        options = {"epochs": 20, "encodings": ("numbers",), "restarts": 4, "ensemble": 4}
        chosen = fit(network, table, key=KEY, target_scale="auto", **options)
        errors = {
            scale: fit(network, table, key=KEY, target_scale=scale, **options).metrics["RMSE"]
            for scale in ("linear", "asinh")
        }
        assert (chosen.target_scaling.knee > 0) is (errors["asinh"] < errors["linear"])
        assert expected is None or (chosen.target_scaling.knee > 0) is expected
        assert chosen.metrics["RMSE"] == min(errors.values())


def test_classes_and_even_targets_keep_their_scale() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    classes = table_from_arrays(x, (x[:, 0] > 1).astype(int), ("no", "yes"))
    even = table_from_arrays(x, x[:, 0])
    for table in (classes, even):
        result = fit(default_network(table, (4,)), table, key=KEY, epochs=2)
        assert result.target_scaling == table.target_scaling


def test_another_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="the target_scale must be one of linear, asinh, auto, not 'log'"):
        Hyperparameters(target_scale="log")
