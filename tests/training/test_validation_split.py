"""Rows to learn from and rows held out: every row is in one of them, and every class has its share."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import Network, Params, init_params, loss, table_from_arrays
from model.tables.table import Table
from model.training.padding import padded_size, padded_width
from model.training.validation_split import (
    MAX_HELD_OUT,
    Fold,
    Rows,
    balanced_weights,
    hold_out,
    place_rows,
    row_weights,
    split_folds,
)

KEY = jax.random.key(0)


def table_of(class_counts: list[int], task: str = "multiclass") -> Table:
    """A table with so many rows of each class, mixed in a fixed way."""
    classes = np.repeat(np.arange(len(class_counts)), class_counts)
    y = np.random.default_rng(0).permutation(classes).astype(np.float32)
    x = np.arange(2 * len(y), dtype=np.float32).reshape(len(y), 2)
    return Table(x, y, ("a", "b"), "y", tuple(str(index) for index in range(len(class_counts))), task)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.floats(0, 0.5), st.integers(0, 9))
def test_every_row_is_either_learned_from_or_held_out(class_counts: list[int], share: float, seed: int) -> None:
    """A row of every class is left to learn from. In a regression it is one row of all."""
    rows = sum(class_counts)
    for task, left in (("multiclass", len(class_counts)), ("regression", 1)):
        learn, held_out = hold_out(table_of(class_counts, task), share, key=jax.random.key(seed))
        assert sorted([*learn, *held_out]) == list(range(rows))
        assert learn.tolist() == sorted(learn)
        assert len(held_out) == min(round(share * rows), rows - left)


@given(st.lists(st.integers(1, 60), min_size=2, max_size=5), st.floats(0, 0.5), st.integers(0, 9))
def test_each_class_is_learned_from_and_held_out_if_it_can_be(class_counts: list[int], share: float, seed: int) -> None:
    table = table_of(class_counts)
    learn, held_out = hold_out(table, share, key=jax.random.key(seed))
    assert set(table.y[learn]) == set(range(len(class_counts)))
    with_two = {index for index, count in enumerate(class_counts) if count > 1}
    assert len(set(table.y[held_out])) == min(len(with_two), len(held_out))
    assert set(table.y[held_out]) <= with_two


@given(st.lists(st.integers(40, 90), min_size=2, max_size=3), st.floats(0.15, 0.5), st.integers(0, 9))
def test_a_class_that_is_not_rare_is_held_out_within_one_row_of_its_share(
    class_counts: list[int], share: float, seed: int
) -> None:
    table = table_of(class_counts)
    _, held_out = hold_out(table, share, key=jax.random.key(seed))
    for index, count in enumerate(class_counts):
        held_out_of_class = int((table.y[held_out] == index).sum())
        assert abs(held_out_of_class - count * len(held_out) / len(table.y)) <= 1 + 1e-9


def test_of_three_positives_in_three_thousand_rows_one_is_held_out() -> None:
    table = table_of([2997, 3], "binary")
    for seed in range(20):
        learn, held_out = hold_out(table, 0.15, key=jax.random.key(seed))
        assert (int(table.y[learn].sum()), int(table.y[held_out].sum()), len(held_out)) == (2, 1, 450)


def test_a_rare_class_is_both_held_out_and_learned_from() -> None:
    table = table_of([990, 10])
    learn, held_out = hold_out(table, 0.2, key=KEY)
    assert [int((table.y[rows] == 1).sum()) for rows in (learn, held_out)] == [8, 2]


def test_the_key_decides_which_rows_are_held_out() -> None:
    table = table_of([40, 40])
    first, second = (hold_out(table, 0.25, key=jax.random.key(5))[1] for _ in range(2))
    assert first.tolist() == second.tolist()
    other = hold_out(table, 0.25, key=jax.random.key(6))[1]
    assert set(first) != set(other)


def test_every_row_can_be_held_out() -> None:
    table = table_of([10, 10])
    held_out = {int(row) for seed in range(60) for row in hold_out(table, 0.25, key=jax.random.key(seed))[1]}
    assert held_out == set(range(20))


def test_the_number_of_rows_held_out_is_limited() -> None:
    assert MAX_HELD_OUT == 10_000
    table = table_of([60, 20])
    learn, held_out = hold_out(table, 0.5, key=KEY, limit=7)
    assert (len(learn), len(held_out)) == (73, 7)
    assert int((table.y[held_out] == 1).sum()) in (1, 2)


@given(st.integers(1, 200_000))
def test_padding_adds_at_most_an_eighth_or_15_rows(rows: int) -> None:
    size = padded_size(rows)
    assert rows <= size <= rows + max(15, rows // 8)
    assert padded_size(size) == size


def test_padding_leads_to_few_sizes() -> None:
    assert len({padded_size(rows) for rows in range(1, 100_001)}) < 100
    assert padded_size(100_001) == 100_001


def test_balanced_weights_are_those_of_a_worked_example() -> None:
    """Six rows of three classes: each class has the weight of two rows."""
    learned = np.array([0, 0, 0, 1, 1, 2], np.float32)
    expected = np.array([2 / 3, 2 / 3, 2 / 3, 1, 1, 2])
    np.testing.assert_allclose(balanced_weights(learned, learned), expected, rtol=1e-6)
    np.testing.assert_allclose(balanced_weights(learned, np.array([2.0, 0.0], np.float32)), [2, 2 / 3], rtol=1e-6)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_balanced_weights_have_mean_1_and_the_same_sum_in_each_class(classes: list[int]) -> None:
    y = np.array(classes, np.float32)
    weights = balanced_weights(y, y).astype(np.float64)
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    sums = [weights[y == index].sum() for index in set(classes)]
    np.testing.assert_allclose(sums, len(y) / len(sums), rtol=1e-5)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=40))
def test_weights_balance_classes_as_repeated_rows_do(rows: list[tuple[int, int]]) -> None:
    y, counts = np.array([row[0] for row in rows], np.float32), np.array([row[1] for row in rows])
    weighted = balanced_weights(y, y, counts.astype(np.float32))
    np.testing.assert_allclose(weighted.repeat(counts), balanced_weights(y.repeat(counts), y.repeat(counts)), rtol=1e-6)


def validation_loss_of(params: Params, rows: Rows, network: Network) -> float:
    """The validation loss of the first fold."""
    assert rows.held_out is not None
    held_out, weights = rows.held_out.rows[0], rows.held_out.weights[0]
    x = rows.x[held_out][:, : network.sizes[0]]
    return float(loss(params, x, rows.y[held_out], network, weights))


@pytest.mark.parametrize("class_weights", [False, True])
def test_the_weights_of_a_table_count_in_training_and_in_validation(class_weights: bool) -> None:
    """The training loss is that of repeated rows, and the validation loss is a weighted mean."""
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 6, 41)
    table = table_from_arrays(rng.normal(size=(41, 2)), np.repeat([0, 1], [30, 11]), ("no", "yes"), weights=counts)
    learn, held_out = hold_out(table, 0.25, key=KEY)
    rows = place_rows(table, [Fold(len(table.y), held_out)], class_weights)
    network, copies = Network((2, 1)), learn.repeat(counts[learn])
    params = init_params(network, key=KEY)
    by_class = balanced_weights(table.y[copies], table.y) if class_weights else np.ones(41, np.float32)
    by_row = np.array([float(loss(params, table.x[[row]], table.y[[row]], network)) for row in range(41)]) * by_class
    weights = rows.weights[0, learn]
    assert float((weights * table.y[learn]).mean()) == pytest.approx((by_class * table.y)[copies].mean(), rel=1e-5)
    assert float(weights.mean()) == pytest.approx(1, rel=1e-5)
    training = float(loss(params, table.x[learn], table.y[learn], network, weights))
    assert training == pytest.approx(by_row[copies].mean(), rel=1e-5)
    validation = validation_loss_of(params, rows, network)
    assert validation == pytest.approx(np.average(by_row[held_out], weights=counts[held_out]), rel=1e-5)


def test_rows_without_weights_have_none() -> None:
    table = table_of([5, 5])
    assert row_weights(table, np.arange(10), np.arange(10), class_weights=False) is None


@pytest.mark.parametrize("class_weights", [False, True])
def test_padding_changes_neither_the_rows_nor_the_validation_loss(class_weights: bool) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [30, 11])
    table = table_from_arrays(rng.normal(size=(41, 2)), y, ("no", "yes"))
    learn, held_out = hold_out(table, 0.25, key=KEY)
    rows = place_rows(table, [Fold(len(table.y), held_out)], class_weights)
    assert rows.order[0, : int(rows.learned[0])].tolist() == learn.tolist()
    np.testing.assert_array_equal(rows.x[:41, :2], table.x)
    np.testing.assert_array_equal(rows.y[:41], table.y)
    learned = y[learn]
    weight_of_class = len(learn) / (2 * np.bincount(learned)) if class_weights else np.ones(2)
    if class_weights:
        np.testing.assert_allclose(rows.weights[0, learn], weight_of_class[learned], rtol=1e-6)
    else:
        assert rows.weights is None
    network = Network((2, 1))
    params = init_params(network, key=KEY)
    losses = [float(loss(params, table.x[[row]], table.y[[row]], network)) for row in held_out]
    assert validation_loss_of(params, rows, network) == pytest.approx(
        np.mean(losses * weight_of_class[y[held_out]]), rel=1e-5
    )


def test_the_rows_that_a_table_names_are_held_out_whatever_the_share_and_the_limit() -> None:
    named = np.arange(20) % 3 == 0
    table = replace(table_of([10, 10]), held_out=named)
    for share in (0.0, 0.1, 0.5):
        learn, held_out = hold_out(table, share, key=KEY, limit=2)
        assert (learn.tolist(), held_out.tolist()) == (np.nonzero(~named)[0].tolist(), np.nonzero(named)[0].tolist())


def test_the_latest_rows_are_a_share_of_those_with_a_time() -> None:
    times = np.random.default_rng(0).permutation(40).astype(float)
    times[times >= 30] = np.nan
    table = replace(table_of([20, 20]), times=times)
    for seed in range(3):
        learn, held_out = hold_out(table, 0.2, key=jax.random.key(seed))
        assert sorted(times[held_out]) == [24, 25, 26, 27, 28, 29]
        assert len(learn) == 34


def test_groups_stay_together_and_the_key_draws_them() -> None:
    groups = np.random.default_rng(1).integers(0, 20, 200)
    table = replace(table_of([150, 50]), groups=groups)
    drawn = [hold_out(table, 0.2, key=jax.random.key(seed)) for seed in (0, 0, *range(1, 100))]
    assert all(not set(groups[learn]) & set(groups[held_out]) for learn, held_out in drawn)
    assert drawn[0][1].tolist() == drawn[1][1].tolist()
    assert {int(group) for _, held_out in drawn for group in groups[held_out]} == set(range(20))


def test_the_classes_of_groups_are_held_out_nearer_to_their_shares_than_by_chance() -> None:
    groups = np.random.default_rng(1).integers(0, 40, 400)
    by_task = {}
    for task in ("multiclass", "regression"):
        table = replace(table_of([300, 100], task), groups=groups)
        drawn = [hold_out(table, 0.2, key=jax.random.key(seed))[1] for seed in range(40)]
        assert max(abs(len(held_out) - 80) for held_out in drawn) <= 8
        by_task[task] = np.mean([abs((table.y[held_out] == 1).mean() - 0.25) for held_out in drawn])
    assert 2 * by_task["multiclass"] < by_task["regression"]


def test_a_share_of_0_holds_out_no_rows() -> None:
    table = table_of([5, 5])
    rows = place_rows(table, split_folds(table, 0.0, 1, key=KEY), False)
    assert rows.held_out is None
    assert rows.learned.tolist() == [10]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=4).filter(any), st.integers(2, 6), st.integers(0, 99))
def test_folds_hold_out_every_row_once_and_their_share_of_every_class(counts: list[int], count: int, seed: int) -> None:
    table = table_of(counts)
    folds = split_folds(table, 0.5, count, key=jax.random.key(seed))
    rows = np.arange(len(table.y))
    if len(rows) == 1:
        assert [len(fold.held_out) for fold in folds] == [0]
        return
    assert len(folds) == min(count, len(rows))
    assert np.sort(np.concatenate([fold.held_out for fold in folds])).tolist() == rows.tolist()
    for learn, held_out in ((fold.learn, fold.held_out) for fold in folds):
        assert np.sort(np.concatenate([learn, held_out])).tolist() == rows.tolist()
        assert len(learn) > 0 < len(held_out)
        for label, total in enumerate(counts):
            assert abs((table.y[held_out] == label).sum() - total / len(folds)) < 1


def test_a_fold_of_a_large_table_holds_out_at_most_ten_thousand_rows() -> None:
    folds = split_folds(table_of([60_000]), 0.5, 4, key=KEY)
    assert [len(fold.held_out) for fold in folds] == [MAX_HELD_OUT] * 4
    assert len(set(np.concatenate([fold.held_out for fold in folds]).tolist())) == 4 * MAX_HELD_OUT
    assert [len(fold.learn) for fold in folds] == [50_000] * 4


@given(st.integers(1, 5000))
def test_a_network_is_padded_by_at_most_an_eighth_or_eight_inputs(inputs: int) -> None:
    width = padded_width(inputs, 1000)
    assert inputs <= width < inputs + max(8, inputs / 8 + 1)
    assert padded_width(inputs, 10**6) == inputs
