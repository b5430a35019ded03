"""The bins of a reliability diagram, against scikit-learn and pandas' idea of quantiles."""

import numpy as np
import pytest
from scipy import stats

from model.evaluation.evaluate import evaluate
from model.evaluation.reliability import reliability_bins


def test_the_bins_of_two_classes_are_those_of_scikit_learn() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    rng = np.random.default_rng(0)
    p, y = rng.uniform(0, 0.8, 300), rng.integers(0, 2, 300)
    bins = reliability_bins("binary", p, y)
    observed, predicted = calibration.calibration_curve(y, p, n_bins=10)
    assert [each.observed for each in bins] == pytest.approx(observed)
    assert [each.predicted for each in bins] == pytest.approx(predicted)
    assert [each.rows for each in bins] == np.histogram(p, 10, (0, 1))[0][:8].tolist()
    for each in bins:
        expected = stats.binomtest(round(each.observed * each.rows), each.rows).proportion_ci(0.9, "wilson")
        assert (each.lower, each.upper) == pytest.approx((expected.low, expected.high))


def test_the_bins_of_several_classes_are_those_of_the_likeliest_one() -> None:
    p = np.array([[0.2, 0.7, 0.1], [0.75, 0.15, 0.1], [0.4, 0.3, 0.3], [1.0, 0.0, 0.0]])
    bins = reliability_bins("multiclass", p, np.array([1, 2, 0, 0]))
    expected = [(1, 0.4, 1.0), (2, 0.725, 0.5), (1, 1.0, 1.0)]
    assert [(each.rows, each.predicted, each.observed) for each in bins] == [pytest.approx(each) for each in expected]


def test_the_bins_of_numbers_have_equally_many_rows_in_the_order_of_the_predictions() -> None:
    rng = np.random.default_rng(0)
    p = rng.normal(size=1000)
    y = p + rng.normal(size=1000)
    bins = reliability_bins("regression", p, y)
    order = np.argsort(p).reshape(10, 100)
    assert [each.rows for each in bins] == [100] * 10
    assert [each.predicted for each in bins] == pytest.approx(p[order].mean(axis=1))
    assert [each.observed for each in bins] == pytest.approx(y[order].mean(axis=1))
    assert [each.lower for each in bins] == np.sort(y[order])[:, 4].tolist()
    assert [each.upper for each in bins] == np.sort(y[order])[:, 89 + 5].tolist()


@pytest.mark.parametrize(("rows", "bins"), [(1, 1), (9, 1), (10, 2), (50, 10), (73, 10)])
def test_few_rows_make_few_bins_of_numbers(rows: int, bins: int) -> None:
    found = reliability_bins("regression", np.arange(rows) * 1.0, np.arange(rows))
    assert len(found) == bins
    assert sum(each.rows for each in found) == rows


def test_an_evaluation_measures_with_the_threshold_that_it_chooses() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(1, 4, 200)
    y = (rng.uniform(size=200) < p).astype(float)
    plain, tuned = evaluate("binary", p, y), evaluate("binary", p, y, threshold="f1")
    assert plain.threshold == 0.5
    assert tuned.metrics["F1"] > plain.metrics["F1"]
    hits, misses = tuned.confusion[1][1], tuned.confusion[1][0]
    assert tuned.metrics["recall"] == pytest.approx(hits / (hits + misses))
    assert sum(map(sum, tuned.confusion)) == 200
    for name in ("AUC", "average precision", "log loss", "Brier score", "calibration error"):
        assert tuned.metrics[name] == plain.metrics[name]
    assert tuned.reliability == plain.reliability
