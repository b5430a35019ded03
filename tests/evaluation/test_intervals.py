"""Intervals, against SciPy, against their definitions, and by how often they hold what they should."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from model.evaluation import intervals
from model.evaluation.intervals import Z, auc_interval, metric_intervals, wilson_interval
from model.metrics import auc, metrics


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def scores_of(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right on average, and the classes drawn with them."""
    p = rng.beta(1.2, 2, rows)
    return p, (rng.uniform(size=rows) < p).astype(float)


@pytest.mark.parametrize(("hits", "count"), [(0, 5), (5, 5), (3, 20), (700, 1000)])
def test_the_interval_of_a_share_is_that_of_scipy(hits: int, count: int) -> None:
    expected = stats.binomtest(hits, count).proportion_ci(0.9, "wilson")
    assert wilson_interval(hits / count, float(count)) == pytest.approx((expected.low, expected.high))


def test_shares_have_the_intervals_of_the_rows_of_which_they_are_shares(rng: np.random.Generator) -> None:
    p, y = scores_of(rng, 60)
    labels = p >= 0.4
    found = metric_intervals("binary", p, y, threshold=0.4)
    for name, hits, rows in (
        ("accuracy", labels == y, np.ones(60, bool)),
        ("recall", labels, y == 1),
        ("precision", y == 1, labels),
    ):
        expected = stats.binomtest(int(hits[rows].sum()), int(rows.sum())).proportion_ci(0.9, "wilson")
        assert found[name] == pytest.approx((expected.low, expected.high)), name
    hits, either = int((labels & (y == 1)).sum()), int((labels | (y == 1)).sum())
    jaccard = stats.binomtest(hits, either).proportion_ci(0.9, "wilson")
    assert found["F1"] == pytest.approx([2 * end / (1 + end) for end in jaccard])


def test_equal_weights_change_no_interval_and_unequal_ones_make_it_wider(rng: np.random.Generator) -> None:
    p, y = scores_of(rng, 50)
    plain = metric_intervals("binary", p, y)
    for name, interval in metric_intervals("binary", p, y, np.full(50, 3.0)).items():
        assert interval == pytest.approx(plain[name]), name
    lower, upper = metric_intervals("binary", p, y, np.repeat([1.0, 20.0], 25))["accuracy"]
    assert upper - lower > 1.2 * np.ptp(plain["accuracy"])


@pytest.mark.parametrize("area", [0.0, 0.4, 0.9, 1.0])
def test_the_ends_of_the_interval_of_an_auc_are_1645_of_their_own_errors_away(area: float) -> None:
    ones, zeros = 7.0, 11.0
    for end in auc_interval(area, ones, zeros):
        if end in (0.0, 1.0):
            continue
        q1, q2 = end / (2 - end), 2 * end**2 / (1 + end)
        variance = end * (1 - end) + (ones - 1) * (q1 - end**2) + (zeros - 1) * (q2 - end**2)
        assert abs(end - area) == pytest.approx(Z * (variance / ones / zeros) ** 0.5, abs=5e-5)


def test_z_is_the_quantile_of_the_level() -> None:
    assert stats.norm.ppf((1 + intervals.LEVEL) / 2) == pytest.approx(Z, rel=1e-15)


def test_about_90_of_100_intervals_hold_the_metric_of_endless_rows(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "MAX_RESAMPLES", 200)
    truth = metrics("binary", *scores_of(rng, 1_000_000))
    del truth["calibration error"]
    found = [metric_intervals("binary", *scores_of(rng, 60)) for _ in range(300)]
    for name, value in truth.items():
        share = np.mean([each[name][0] <= value <= each[name][1] for each in found])
        assert 0.84 <= share <= 0.96, name


def test_the_bootstrap_is_that_of_scipy(rng: np.random.Generator) -> None:
    y = rng.normal(10, 3, 80)
    p = y + rng.normal(0, 2, 80)
    found = metric_intervals("regression", p, y)

    def rmse(indices: np.ndarray) -> float:
        return float(np.sqrt(np.mean((p - y)[indices.astype(int)] ** 2)))

    expected = stats.bootstrap(
        (np.arange(80),), rmse, confidence_level=0.9, method="percentile", vectorized=False, n_resamples=2000, rng=rng
    ).confidence_interval
    assert found["RMSE"] == pytest.approx((expected.low, expected.high), rel=0.03)
    assert list(found) == ["R²", "RMSE", "MAE", "median absolute error", "90 % absolute error"]


def test_the_interval_of_many_rows_is_that_of_all_of_them(rng: np.random.Generator) -> None:
    """Resamples are of 2,500 of the rows, so that the half-width must shrink by the root of 2,500 / rows."""
    errors = rng.normal(0, 1, 40_000)
    lower, upper = metric_intervals("regression", errors, np.zeros(40_000))["MAE"]
    deviation = float(np.std(np.abs(errors))) / 200
    middle = float(np.abs(errors).mean())
    assert (lower, upper) == pytest.approx((middle - Z * deviation, middle + Z * deviation), abs=0.35 * deviation)


def test_the_same_rows_have_the_same_intervals_and_another_seed_moves_them(rng: np.random.Generator) -> None:
    p, y = scores_of(rng, 30)
    first, again = metric_intervals("binary", p, y), metric_intervals("binary", p, y)
    assert first == again
    other = metric_intervals("binary", p, y, seed=1)
    assert first["log loss"] != other["log loss"]
    assert first["log loss"] == pytest.approx(other["log loss"], rel=0.1)


def every_task() -> Any:
    certain = np.array([0.99, 0.01] * 4)
    y = np.array([1.0, 0.0] * 4)
    return [
        ("binary", certain, y),
        ("binary", certain[:1], y[:1]),
        ("multiclass", np.stack([1 - certain, certain, certain * 0], axis=1), y),
        ("regression", certain, certain),
        ("regression", certain[:1], y[:1]),
    ]


@pytest.mark.parametrize(("task", "predictions", "y"), every_task())
def test_a_metric_that_is_the_same_in_all_resamples_has_no_interval_of_no_width(
    task: str, predictions: np.ndarray, y: np.ndarray
) -> None:
    for name, (lower, upper) in metric_intervals(task, predictions, y).items():
        assert lower < upper, name


def test_a_share_of_1_and_an_auc_of_1_have_an_interval() -> None:
    _, p, y = every_task()[0]
    assert auc(p, y) == 1
    found = metric_intervals("binary", p, y)
    assert found["accuracy"] == pytest.approx((8 / (8 + Z**2), 1))
    assert found["AUC"][0] < 0.9
    assert found["AUC"][1] == 1
