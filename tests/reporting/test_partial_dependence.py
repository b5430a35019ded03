"""Partial dependence, against predictions by NumPy."""

import numpy as np
import pytest

from model import Predictor, encode
from model.reporting.partial_dependence import dependence_on, number_points, partial_dependence
from tests.examples import COLUMN_SPECS, checkpoint_of, predictions_by_hand, values_of


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_it_is_the_mean_prediction_with_one_value_for_all_rows(task: str) -> None:
    checkpoint, rows = checkpoint_of(task), values_of(20)
    points = np.array([2.0, 11.0, np.nan])
    found = partial_dependence(Predictor(checkpoint), rows, 0, points)
    for point, mean in zip(points, found, strict=True):
        changed = np.column_stack([np.full(20, point), rows[:, 1:]])
        x = encode(COLUMN_SPECS, list(changed.T))
        by_hand = predictions_by_hand(checkpoint.params, x, checkpoint.network, checkpoint.temperature).mean(axis=0)
        expected = by_hand * 20.0 + 100.0 if task == "regression" else by_hand
        np.testing.assert_allclose(mean, expected.mean(axis=0), rtol=1e-5)


def test_a_column_of_texts_has_a_point_for_each_category() -> None:
    rows = values_of(50)
    rows[:3, 1] = 2.0  # a text that training never saw
    found = dependence_on(Predictor(checkpoint_of("binary")), rows, 1)
    assert found is not None
    assert found.categories == ("blue", "red", "(never seen in training)")
    assert found.outputs == ("yes",)
    assert found.counts.tolist() == [(rows[:, 1] == index).sum() for index in range(3)]


def test_a_column_of_numbers_has_quantiles_and_a_histogram() -> None:
    rows = values_of(2000)
    found = dependence_on(Predictor(checkpoint_of("multiclass")), rows, 3)
    assert found is not None
    assert found.means.shape == (41, 3)
    assert found.outputs == ("1", "2", "3")
    np.testing.assert_allclose(found.means.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.points[[0, 20, 40]], np.quantile(rows[:, 3], [0.01, 0.5, 0.99]))
    inside = (rows[:, 3] >= found.points[0]) & (rows[:, 3] <= found.points[-1])
    assert found.counts.sum() == inside.sum()


def test_a_constant_column_has_no_dependence() -> None:
    assert dependence_on(Predictor(checkpoint_of("binary")), values_of(9), 2) is None
    assert len(number_points(np.full(3, np.nan))[0]) == 0
