"""What a network without a hidden layer cannot learn, and the proof, recomputed."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import Hyperparameters, Network, Table, table_from_arrays, truth_table, why_stuck
from model.diagnosing.straight_limits import shared_point, straight_suspicion
from model.tables.truth_tables import TRUTH_TABLES
from tests.diagnosing.examples import XOR, parabola, random_params

LINE, FEW = Network((2, 1)), Hyperparameters(epochs=100)


def is_separated_by_some_line(table: Table) -> bool:
    """Whether one of many lines separates the rows of a truth table; whole numbers are enough for two columns."""
    tried = product(range(-2, 3), range(-2, 3), np.arange(-4.5, 5))
    return any(((table.x @ (a, b) + c > 0) == (table.y > 0.5)).all() for a, b, c in tried)


@pytest.mark.parametrize("name", TRUTH_TABLES)
def test_a_truth_table_has_a_shared_point_if_no_line_separates_it(name: str) -> None:
    table = truth_table(name)
    assert (shared_point(table) is None) == is_separated_by_some_line(table)


@given(seed=st.integers(0, 2**31), rows=st.integers(2, 60), columns=st.integers(1, 4), classes=st.integers(2, 4))
def test_a_shared_point_is_a_weighted_mean_of_both_classes(seed: int, rows: int, columns: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(classes), rng.integers(0, classes, rows)]
    x = rng.normal(size=(len(y), columns)).astype(np.float32) * 10.0 ** rng.integers(-20, 20)
    table = table_from_arrays(x, y, [f"k{index}" for index in range(classes)])
    found = shared_point(table)
    if found is None:
        return
    chosen, weights = np.array(found.rows), np.array(found.weights)
    assert (weights > 0).all()
    for index in found.classes:
        own = table.y[chosen] == index
        assert weights[own].sum() == pytest.approx(1, abs=1e-5)
        mean = weights[own] @ table.x[chosen[own]].astype(np.float64)
        assert np.abs(mean - found.place).max() <= 1e-4 * np.ptp(table.x, axis=0).max()


@given(seed=st.integers(0, 2**31), columns=st.integers(1, 5))
def test_rows_that_a_plane_separates_have_no_shared_point(seed: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, columns))
    side = x @ rng.normal(size=columns)
    table = table_from_arrays(x[np.abs(side) > 0.01], (side > 0).astype(int)[np.abs(side) > 0.01], ("no", "yes"))
    assert shared_point(table) is None


def test_xor_without_a_hidden_layer_is_stuck_since_no_line_separates_it() -> None:
    diagnosis = why_stuck(random_params(LINE, 0), XOR, LINE, hyperparameters=FEW)
    first = diagnosis.findings[0]
    assert diagnosis.reason == "no_hidden_layer"
    assert first.confirmed
    assert first.numbers["place"] == [0.5, 0.5]
    assert str(diagnosis).splitlines()[:3] == [
        "Why it is stuck: no hidden layer.",
        "The network has no hidden layer, so it can draw only one straight line, and no straight line separates the "
        "rows.",
        "Shown: One place (a = 0.5, b = 0.5) lies between rows with xor=0 and also between rows with xor=1. So these "
        "cannot all be on different sides. Remedy: add a hidden layer.",
    ]
    data = diagnosis.as_data()
    assert data["meaning"].startswith("The network has no hidden layer")
    assert data["findings"][0]["proof"].startswith("One place")


def test_what_a_line_separates_is_not_said_to_need_a_hidden_layer() -> None:
    assert why_stuck(random_params(LINE, 0), truth_table("and"), LINE, hyperparameters=FEW).reason != "no_hidden_layer"
    assert straight_suspicion(XOR, Network((2, 2, 1))) is None


def test_rows_that_contradict_each_other_are_no_reason_for_a_hidden_layer() -> None:
    x = np.array([[0.0, 0], [0, 0], [1, 0], [1, 1]])
    assert shared_point(table_from_arrays(x, np.array([0, 1, 1, 1]), ("no", "yes"))) is None
    assert shared_point(table_from_arrays(x[:2], np.array([0, 1]), ("no", "yes"))) is None


def test_a_regression_that_no_line_solves_needs_a_hidden_layer() -> None:
    table = parabola()
    x, y = table.x[:, 0].astype(float), table.y.astype(float)
    found = straight_suspicion(table, Network((1, 1), task="regression"))
    assert found is not None
    assert found.numbers["best_loss"] == pytest.approx(np.mean((np.polyval(np.polyfit(x, y, 1), x) - y) ** 2))
    straight = table_from_arrays(table.x, 3 * x - 1, task="regression")
    assert straight_suspicion(straight, Network((1, 1), task="regression")) is None
