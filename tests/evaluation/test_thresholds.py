"""The threshold that a rule chooses, against a search over all of them and scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.thresholds import check_two_classes, choose_threshold, mistake_costs, parse_threshold

ROWS = st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.integers(1, 3)), min_size=2, max_size=20)


def cost_of(p: np.ndarray, y: np.ndarray, weights: np.ndarray, threshold: float, costs: tuple[float, float]) -> float:
    labels = p >= threshold
    return float(costs[0] * weights[labels & (y == 0)].sum() + costs[1] * weights[~labels & (y == 1)].sum())


def f1_of(p: np.ndarray, y: np.ndarray, weights: np.ndarray, threshold: float) -> float:
    labels = p >= threshold
    mistakes = cost_of(p, y, weights, threshold, (1, 1))
    hits = float(weights[labels & (y == 1)].sum())
    return 2 * hits / (2 * hits + mistakes)


@given(ROWS)
def test_no_threshold_is_better_than_the_one_that_is_chosen(rows: list[tuple[int, bool, int]]) -> None:
    p, y, weights = np.array([score / 8 for score, _, _ in rows]), *np.array([row[1:] for row in rows], float).T
    if not 0 < y.sum() < len(y):
        assert choose_threshold("f1", p, y, weights) == 0.5
        assert choose_threshold("cost:1,3", p, y, weights) == 0.25
        return
    others = np.linspace(0, 1, 65)
    chosen = choose_threshold("f1", p, y, weights)
    best = max(f1_of(p, y, weights, other) for other in others)
    assert f1_of(p, y, weights, chosen) == pytest.approx(best)
    for costs in ((1, 1), (1, 5), (10, 1)):
        chosen = choose_threshold(f"cost:{costs[0]},{costs[1]}", p, y, weights)
        best = min(cost_of(p, y, weights, other, costs) for other in others)
        assert cost_of(p, y, weights, chosen, costs) == pytest.approx(best)


def test_the_threshold_lies_in_the_middle_between_two_probabilities() -> None:
    p, y = np.array([0.1, 0.2, 0.6, 0.7]), np.array([0, 0, 1, 1])
    assert choose_threshold("f1", p, y) == pytest.approx(0.4)
    assert choose_threshold("f1", p[::-1], y[::-1]) == choose_threshold("f1", p, y)


def test_of_equally_good_thresholds_the_one_nearest_to_the_best_in_theory_is_chosen() -> None:
    """Between 0.1 and 0.9 there are three middles with one mistake each: 0.25, 0.5 and 0.75."""
    p, y = np.array([0.1, 0.4, 0.6, 0.9]), np.array([0, 1, 0, 1])
    assert choose_threshold("cost:3,3", p, y) in (pytest.approx(0.25), pytest.approx(0.75))
    assert choose_threshold("cost:10,10.0001", p, y) == pytest.approx(0.25)
    assert choose_threshold("cost:10.0001,10", p, y) == pytest.approx(0.75)


def test_f1_is_as_good_as_the_best_of_scikit_learns_thresholds() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    p = rng.uniform(size=300).astype(np.float32)
    y = (rng.uniform(size=300) < p**2).astype(int)
    precision, recall, _ = sklearn.precision_recall_curve(y, p)
    best = np.nanmax(2 * precision * recall / np.maximum(precision + recall, 1e-9))
    labels = p.astype(np.float64) >= choose_threshold("f1", p, y)
    assert sklearn.f1_score(y, labels) == pytest.approx(best)


def test_a_probability_of_1_always_has_the_second_label() -> None:
    p, y = np.array([0.0, 0.5, 1.0]), np.array([1, 0, 0])
    assert choose_threshold("cost:100,1", p, y) == 0.75
    assert choose_threshold("cost:1,100", p, y) == 0.0


@pytest.mark.parametrize("text", ["0.3", "0", "1", "f1", "cost:1,5", "cost:0.5,1e3"])
def test_a_threshold_is_parsed_to_itself(text: str) -> None:
    assert parse_threshold(text) == (float(text) if text[0] in "01" else text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan",
        "-0.1",
        "1.5",
        "50%",
        "F1",
        "f2",
        "cost",
        "cost:1",
        "cost:1,0",
        "cost:-1,5",
        "cost:1,inf",
        "cost:1,2,3",
    ],
)
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^threshold must be a number from 0 to 1, f1, or cost:FP,FN with two costs"):
        parse_threshold(text)


def test_the_costs_are_those_of_the_rule() -> None:
    assert mistake_costs("cost:0.5,20") == (0.5, 20.0)
    assert mistake_costs(0.5) is None


@pytest.mark.parametrize(
    ("task", "is_complete", "found"),
    [("binary", True, "a truth table"), ("multiclass", False, "several classes"), ("regression", False, "a number")],
)
def test_only_a_file_with_two_classes_has_a_threshold(task: str, is_complete: bool, found: str) -> None:
    with pytest.raises(ValueError, match=f"found {found}"):
        check_two_classes(task, is_complete)
    check_two_classes("binary", is_complete=False)
