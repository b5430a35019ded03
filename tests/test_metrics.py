"""Metrics, against scikit-learn and worked examples."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.metrics import auc, baseline_metrics, calibration_error, metrics


@pytest.fixture(scope="module")
def sklearn() -> Any:
    """scikit-learn's metrics."""
    return pytest.importorskip("sklearn.metrics")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


CLASS_SCORES = ["log loss", "Brier score", "calibration error"]
ERRORS = ["median absolute error", "90 % absolute error", "largest absolute error"]
WEIGHINGS = pytest.mark.parametrize("is_weighted", [False, True])


@WEIGHINGS
@pytest.mark.parametrize("threshold", [0.5, 0.3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_metrics_of_two_classes_are_those_of_scikit_learn(
    sklearn: Any, rng: np.random.Generator, dtype: Any, threshold: float, is_weighted: bool
) -> None:
    p, y = rng.uniform(0.001, 0.999, 200).round(2).clip(0.001, 0.999).astype(dtype), rng.integers(0, 2, 200)
    weights = rng.uniform(0.1, 3, 200) if is_weighted else None
    found = metrics("binary", p, y.astype(dtype), weights, threshold)
    names = ["accuracy", "recall", "precision", "F1", "AUC", "average precision"]
    assert list(found) == names + CLASS_SCORES
    exact = p.astype(np.float64)
    labels = exact >= threshold
    for name, score in (("accuracy", "accuracy"), ("recall", "recall"), ("precision", "precision"), ("F1", "f1")):
        expected = getattr(sklearn, f"{score}_score")(y, labels, sample_weight=weights)
        assert found[name] == pytest.approx(expected), name
    for name, score in (
        ("AUC", "roc_auc_score"),
        ("average precision", "average_precision_score"),
        ("log loss", "log_loss"),
        ("Brier score", "brier_score_loss"),
    ):
        assert found[name] == pytest.approx(getattr(sklearn, score)(y, exact, sample_weight=weights)), name


@WEIGHINGS
def test_the_metrics_of_several_classes_are_those_of_scikit_learn(
    sklearn: Any, rng: np.random.Generator, is_weighted: bool
) -> None:
    """Class 3 does not occur, and class 4 is never predicted."""
    p, y = rng.dirichlet(np.ones(5), 200), rng.choice([0, 1, 2, 4], 200)
    p[:, 4] *= 1e-3
    p /= p.sum(axis=1, keepdims=True)
    weights = rng.uniform(0.1, 3, 200) if is_weighted else None
    found, labels = metrics("multiclass", p, y.astype(np.float32), weights), p.argmax(axis=1)
    assert list(found) == ["accuracy", "macro recall", "macro precision", "macro F1", *CLASS_SCORES]
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(y, labels, sample_weight=weights))
    options = {"average": "macro", "sample_weight": weights}
    assert found["macro recall"] == pytest.approx(sklearn.recall_score(y, labels, zero_division=np.nan, **options))
    assert found["macro precision"] == pytest.approx(sklearn.precision_score(y, labels, zero_division=0, **options))
    assert found["macro F1"] == pytest.approx(sklearn.f1_score(y, labels, zero_division=0, **options))
    assert found["log loss"] == pytest.approx(sklearn.log_loss(y, p, labels=range(5), sample_weight=weights))
    expected = sklearn.brier_score_loss(y, p, labels=range(5), sample_weight=weights)
    assert found["Brier score"] == pytest.approx(expected)


@WEIGHINGS
def test_the_metrics_of_numbers_are_those_of_scikit_learn(
    sklearn: Any, rng: np.random.Generator, is_weighted: bool
) -> None:
    y = rng.normal(50, 7, 101)
    p = y + rng.normal(0, 3, 101)
    weights = rng.uniform(0.1, 3, 101) if is_weighted else None
    found = metrics("regression", p, y, weights)
    assert list(found) == ["R²", "RMSE", "MAE", *ERRORS]
    assert found["R²"] == pytest.approx(sklearn.r2_score(y, p, sample_weight=weights))
    assert found["RMSE"] == pytest.approx(sklearn.root_mean_squared_error(y, p, sample_weight=weights))
    assert found["MAE"] == pytest.approx(sklearn.mean_absolute_error(y, p, sample_weight=weights))
    errors, each = np.abs(p - y), np.ones(101) if weights is None else weights
    assert found["median absolute error"] == np.quantile(errors, 0.5, weights=each, method="inverted_cdf")
    assert found["90 % absolute error"] == np.quantile(errors, 0.9, weights=each, method="inverted_cdf")
    assert found["largest absolute error"] == pytest.approx(sklearn.max_error(y, p))
    if not is_weighted:
        assert found["median absolute error"] == pytest.approx(sklearn.median_absolute_error(y, p))


def test_a_weight_of_2_counts_as_a_row_twice(rng: np.random.Generator) -> None:
    weights = rng.integers(1, 4, 60)
    for task, p, y in (
        ("binary", rng.uniform(size=60).round(1), rng.integers(0, 2, 60)),
        ("multiclass", rng.dirichlet(np.ones(3), 60), rng.integers(0, 3, 60)),
        ("regression", rng.normal(size=60), rng.normal(size=60)),
    ):
        repeated = metrics(task, np.repeat(p, weights, axis=0), np.repeat(y, weights))
        assert metrics(task, p, y, weights.astype(float)) == pytest.approx(repeated)


def test_the_second_of_two_classes_is_one_of_the_classes_in_the_macro_means(rng: np.random.Generator) -> None:
    p, y = rng.uniform(size=80), rng.integers(0, 2, 80)
    second, first = metrics("binary", p, y), metrics("binary", 1 - p, 1 - y)
    both = metrics("multiclass", np.stack([1 - p, p, np.zeros(80)], axis=1), y)
    for name in ("recall", "precision", "F1"):
        assert both[f"macro {name}"] == pytest.approx((first[name] + second[name]) / 2)


def test_a_label_that_no_row_has_leaves_out_its_precision() -> None:
    found = metrics("binary", np.array([0.1, 0.2]), np.array([0.0, 1.0]))
    assert (found["recall"], found["F1"]) == (0, 0)
    assert "precision" not in found


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_the_auc_is_the_share_of_pairs_in_order_and_ties_count_half(rows: list[tuple[int, bool]]) -> None:
    ones = [score for score, is_one in rows if is_one]
    zeros = [score for score, is_one in rows if not is_one]
    scores, y = np.array([score / 5 for score, _ in rows]), np.array([is_one for _, is_one in rows], np.float32)
    if not (ones and zeros):
        assert "AUC" not in metrics("binary", scores, y)
        return
    pairs = [1.0 if one > zero else 0.5 if one == zero else 0.0 for one in ones for zero in zeros]
    assert auc(scores, y) == pytest.approx(sum(pairs) / len(pairs))
    assert metrics("binary", scores, y)["AUC"] == auc(scores, y)


def test_the_calibration_error_is_that_of_a_worked_example() -> None:
    """Two of three rows of 0.9 are right, and no row of 0.62. The last interval has 1.0, which is right, and 0.95."""
    confidence = np.array([0.9, 0.9, 0.9, 0.62, 0.62, 1.0, 0.95])
    right = np.array([True, True, False, False, False, True, False])
    expected = (abs(2.7 - 2) + abs(1.24 - 0) + abs(1.95 - 1)) / 7
    assert calibration_error(confidence, right) == pytest.approx(expected)


def test_the_calibration_error_is_that_of_a_loop_over_15_intervals(rng: np.random.Generator) -> None:
    p, y = rng.uniform(size=300), rng.integers(0, 2, 300)
    confidence = np.maximum(p, 1 - p)
    right = (p >= 0.5) == y
    total = 0.0
    for lower in np.arange(15) / 15:
        inside = (confidence >= lower) & (confidence < lower + 1 / 15)
        if inside.any():
            total += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    assert metrics("binary", p, y)["calibration error"] == pytest.approx(total)
    several = np.stack([1 - p, p], axis=1)
    assert metrics("multiclass", several, y)["calibration error"] == pytest.approx(total)


def test_a_prediction_that_is_certain_and_wrong_costs_24_bits() -> None:
    for task, p in (("binary", np.array([1.0, 1.0])), ("multiclass", np.array([[0.0, 1.0], [0.0, 1.0]]))):
        found = metrics(task, p, np.array([0.0, 1.0]))
        assert found["log loss"] == pytest.approx(24 * np.log(2) / 2)
        assert found["accuracy"] == 0.5


def test_the_brier_score_of_a_binary_task_is_half_that_of_two_classes(
    rng: np.random.Generator,
) -> None:
    p, y = rng.uniform(size=50), rng.integers(0, 2, 50)
    binary, several = metrics("binary", p, y), metrics("multiclass", np.stack([1 - p, p], axis=1), y)
    several["Brier score"] /= 2
    for name in ("accuracy", *CLASS_SCORES):
        assert binary[name] == pytest.approx(several[name]), name


def test_a_target_that_does_not_vary_has_no_r2() -> None:
    expected = {"RMSE": 1.0, "MAE": 1.0} | dict.fromkeys(ERRORS, 1.0)
    assert metrics("regression", np.array([1.0, 3.0]), np.array([2.0, 2.0])) == expected


def test_the_baseline_with_weights_knows_the_weighted_shares() -> None:
    learned, y = np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0])
    found = baseline_metrics("binary", learned, y, 2, np.array([6.0, 1.0, 1.0]), np.array([1.0, 3.0]))
    assert found["log loss"] == pytest.approx(-(np.log(0.75) + 3 * np.log(0.25)) / 4)
    assert found["accuracy"] == 0.25
    assert not {"recall", "precision", "F1"} & found.keys()
    found = baseline_metrics("regression", learned, y, 0, np.array([6.0, 1.0, 1.0]), np.array([1.0, 3.0]))
    assert found["MAE"] == pytest.approx((0.25 + 3 * 0.75) / 4)


def test_the_baseline_is_the_dummy_of_scikit_learn(sklearn: Any, rng: np.random.Generator) -> None:
    dummy = pytest.importorskip("sklearn.dummy")
    for task, classes in (("binary", 2), ("multiclass", 3)):
        learned, y = rng.integers(0, classes, 70), rng.integers(0, classes, 40)
        model = dummy.DummyClassifier(strategy="prior").fit(np.zeros((70, 1)), learned)
        probabilities = model.predict_proba(np.zeros((40, 1)))
        found = baseline_metrics(task, learned.astype(np.float32), y.astype(np.float32), classes)
        assert found["log loss"] == pytest.approx(sklearn.log_loss(y, probabilities, labels=range(classes)))
        assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(y, probabilities.argmax(axis=1)))
    learned, y = rng.normal(5, 1, 70), rng.normal(6, 2, 40)
    guess = dummy.DummyRegressor().fit(np.zeros((70, 1)), learned).predict(np.zeros((40, 1)))
    found = baseline_metrics("regression", learned, y, 0)
    assert found["R²"] == pytest.approx(sklearn.r2_score(y, guess))
    assert found["RMSE"] == pytest.approx(sklearn.root_mean_squared_error(y, guess))


def test_a_class_that_was_not_learned_has_probability_0_in_the_baseline() -> None:
    found = baseline_metrics("multiclass", np.array([0.0, 0.0, 1.0]), np.array([2.0]), class_count=3)
    assert found["log loss"] == pytest.approx(24 * np.log(2))
    assert found["Brier score"] == pytest.approx((2 / 3) ** 2 + (1 / 3) ** 2 + 1)
