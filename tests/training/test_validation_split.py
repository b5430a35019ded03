"""Rows to learn from and rows held out: nothing lost, nothing twice, every class alike, all by the key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import Network, init_params, loss, table_from_arrays
from model.tables.table import Table
from model.training.shuffle import shuffle
from model.training.validation_split import MAX_HELD_OUT, balanced_weights, hold_out, padded_size, split_rows

KEY = jax.random.key(0)


def table_of(counts: list[int], task: str = "multiclass") -> Table:
    """So many rows of each class, in a fixed disorder."""
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.float32)
    rows = len(y)
    names = tuple(str(index) for index in range(len(counts)))
    return Table(np.arange(2 * rows, dtype=np.float32).reshape(rows, 2), y, ("a", "b"), "y", names, task)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.floats(0, 0.5), st.integers(0, 9))
def test_holding_out_is_a_partition_of_the_share_that_was_asked_for(counts: list[int], share: float, seed: int) -> None:
    rows = sum(counts)
    for task in ("multiclass", "regression"):
        learn, held = hold_out(table_of(counts, task), share, key=jax.random.key(seed))
        assert sorted([*learn, *held]) == list(range(rows))
        assert learn.tolist() == sorted(learn)
        assert len(held) == min(round(share * rows), rows - 1)


@given(st.lists(st.integers(1, 60), min_size=2, max_size=3), st.floats(0, 0.5), st.integers(0, 9))
def test_each_class_is_held_out_within_one_row_of_its_share(counts: list[int], share: float, seed: int) -> None:
    table = table_of(counts)
    _, held = hold_out(table, share, key=jax.random.key(seed))
    for index, count in enumerate(counts):
        found = int((table.y[held] == index).sum())
        assert abs(found - count * len(held) / len(table.y)) <= 1 + 1e-9


def test_a_rare_class_is_held_out_and_learnt_from() -> None:
    table = table_of([990, 10])
    learn, held = hold_out(table, 0.2, key=KEY)
    assert [int((table.y[rows] == 1).sum()) for rows in (learn, held)] == [8, 2]


def test_what_is_held_out_depends_on_the_key_alone() -> None:
    table = table_of([40, 40])
    first, again = (hold_out(table, 0.25, key=jax.random.key(5))[1] for _ in range(2))
    assert first.tolist() == again.tolist()
    other = hold_out(table, 0.25, key=jax.random.key(6))[1]
    assert set(first) != set(other)


def test_every_row_is_held_out_by_some_key() -> None:
    table = table_of([10, 10])
    found = {int(row) for seed in range(60) for row in hold_out(table, 0.25, key=jax.random.key(seed))[1]}
    assert found == set(range(20))


def test_at_most_so_many_rows_are_held_out() -> None:
    assert MAX_HELD_OUT == 10_000
    table = table_of([60, 20])
    learn, held = hold_out(table, 0.5, key=KEY, limit=7)
    assert (len(learn), len(held)) == (73, 7)
    assert int((table.y[held] == 1).sum()) in (1, 2)


@given(st.integers(1, 200_000))
def test_an_array_is_filled_up_by_an_eighth_or_16_at_most(rows: int) -> None:
    size = padded_size(rows)
    assert rows <= size <= rows + max(15, rows // 8)
    assert padded_size(size) == size


def test_few_sizes_do_for_many_numbers_of_rows() -> None:
    assert len({padded_size(rows) for rows in range(1, 100_001)}) < 100
    assert padded_size(100_001) == 100_001


def test_balanced_weights_weights_are_those_by_hand() -> None:
    """Six rows of three classes: each class counts two of the six."""
    learnt = np.array([0, 0, 0, 1, 1, 2], np.float32)
    by_hand = np.array([2 / 3, 2 / 3, 2 / 3, 1, 1, 2])
    np.testing.assert_allclose(balanced_weights(learnt, learnt), by_hand, rtol=1e-6)
    np.testing.assert_allclose(balanced_weights(learnt, np.array([2.0, 0.0], np.float32)), [2, 2 / 3], rtol=1e-6)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_balanced_weights_weights_have_mean_1_and_the_same_sum_in_each_class(classes: list[int]) -> None:
    y = np.array(classes, np.float32)
    weights = balanced_weights(y, y).astype(np.float64)
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    sums = [weights[y == index].sum() for index in set(classes)]
    np.testing.assert_allclose(sums, len(y) / len(sums), rtol=1e-5)


@given(st.integers(1, 30), st.integers(0, 1000))
def test_shuffling_permutes_the_rows_that_count(count: int, seed: int) -> None:
    order = jnp.arange(100, 130, dtype=jnp.int32)
    found = jax.jit(shuffle)(order, count, key=jax.random.key(seed)).tolist()
    assert sorted(found[:count]) == list(range(100, 100 + count))


def test_shuffling_many_rows_is_a_permutation_that_no_line_tells() -> None:
    found = np.asarray(shuffle(jnp.arange(100_003), 100_003, key=KEY))
    assert np.array_equal(np.sort(found), np.arange(100_003))
    assert abs(np.corrcoef(found, np.arange(100_003))[0, 1]) < 0.015
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.015
    assert (found == np.arange(100_003)).sum() < 8


def test_shuffling_depends_on_the_key_and_puts_every_row_everywhere() -> None:
    several = jax.jit(jax.vmap(lambda seed: shuffle(jnp.arange(6), 4, key=jax.random.key(seed))[:4]))
    found = several(jnp.arange(600))
    np.testing.assert_array_equal(found, several(jnp.arange(600)))
    assert len(np.unique(found, axis=0)) == 24
    for place in np.asarray(found).T:
        assert np.bincount(place, minlength=4).min() > 100


@pytest.mark.parametrize("class_weights", [False, True])
def test_the_rows_on_the_device_are_the_tables_and_what_fills_up_does_not_count(class_weights: bool) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [30, 11])
    table = table_from_arrays(rng.normal(size=(41, 2)), y, ("no", "yes"))
    learn, held = hold_out(table, 0.25, key=KEY)
    rows = split_rows(table, learn, held, class_weights)
    assert rows.order[: rows.learned].tolist() == learn.tolist()
    np.testing.assert_array_equal(rows.x[:41], table.x)
    np.testing.assert_array_equal(rows.y[:41], table.y)
    learnt = y[learn]
    by_class = len(learn) / (2 * np.bincount(learnt)) if class_weights else np.ones(2)
    if class_weights:
        np.testing.assert_allclose(rows.weights[learn], by_class[learnt], rtol=1e-6)
    else:
        assert rows.weights is None
    network = Network((2, 1))
    params = init_params(network, key=KEY)
    each = [float(loss(params, table.x[[row]], table.y[[row]], network)) for row in held]
    found = float(loss(params, rows.held_out.x, rows.held_out.y, network, rows.held_out.weights))
    assert found == pytest.approx(np.mean(each * by_class[y[held]]), rel=1e-5)


def test_without_a_share_no_rows_are_held_out() -> None:
    table = table_of([5, 5])
    rows = split_rows(table, *hold_out(table, 0.0, key=KEY), False)
    assert rows.held_out is None
    assert rows.learned == 10
