"""Training with the rows in windows: against a loop in NumPy, in memory and in a file, and resumed within an epoch."""

import hashlib
import tracemalloc
from dataclasses import fields, replace
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import DivergedError, Network, Table, fit, init_params, loss, table_from_arrays, train
from model.tables.row_file import RowFile
from model.tables.streamed_table import StreamedTable, sorted_by_group
from model.training.result import make_checkpoint
from model.training.run import SHUFFLE_KEY, SPLIT_KEY
from model.training.shuffle import shuffle
from model.training.streamed_run import BLOCK_KEY
from model.training.validation_split import hold_out
from model.training.windows import epoch_windows, plan_windows
from tests.examples import same_bits
from tests.training.examples import KEY, NOISY_TABLE, TANH_NETWORK

pytestmark = pytest.mark.usefixtures("quick_compilation")

OPTIONS: dict[str, Any] = {
    "epochs": 3,
    "restarts": 2,
    "ensemble": 2,
    "encodings": ("numbers",),
    "optimizer": "sgd",
    "learning_rate": 0.3,
    "weight_decay": (0.0,),
    "clip": 0.0,
    "init": "he",
    "schedule": "constant",
    "batch_size": 7,
    "window": 20,
    "validation": 0.25,
    "patience": 99,
    "log_every": 1,
}

compiled_gradient = jax.jit(jax.value_and_grad(loss))


def streamed(table: Table) -> StreamedTable:
    """The same table with its inputs in a file."""
    file = RowFile(table.input_count, len(table.y))
    file.write(0, table.x)
    hashes = tuple(
        hashlib.sha256(x) for x in (table.x, table.x if table.held_out is None else table.x[~table.held_out])
    )
    named = {field.name: getattr(table, field.name) for field in fields(Table) if field.name != "x"}
    return StreamedTable(file=file, hashes=hashes, **named)


def grouped(table: Table) -> Table:
    """The same table in ten groups of different sizes."""
    groups = np.random.default_rng(1).integers(0, 10, len(table.y)).astype(np.int32)
    return sorted_by_group(replace(table, groups=groups))


@given(
    st.integers(1, 500),
    st.integers(1, 200),
    st.none() | st.lists(st.integers(1, 90), min_size=1, max_size=30),
    st.integers(0, 99),
)
def test_an_epoch_takes_every_row_once_and_never_splits_a_group(
    rows: int, window: int, sizes: list[int] | None, epoch: int
) -> None:
    groups = None if sizes is None else np.repeat(np.arange(len(sizes))[::-1], sizes)
    rows = rows if groups is None else len(groups)
    plan = plan_windows(rows, window, groups)
    windows = epoch_windows(plan, epoch, key=KEY)
    assert len(windows) == plan.windows == -(-rows // window)
    taken = [
        np.concatenate([np.arange(plan.bounds[block], plan.bounds[block + 1]) for block in blocks] or [[]])
        for blocks in windows
    ]
    assert sorted(np.concatenate(taken).tolist()) == list(range(rows))
    assert max(map(len, taken)) <= plan.capacity
    if groups is not None:
        of_group = [
            {window for window, own in enumerate(taken) if group in groups[own.astype(int)]} for group in groups
        ]
        assert all(len(each) == 1 for each in of_group)
    again = epoch_windows(plan, epoch, key=KEY)
    assert all(np.array_equal(first, second) for first, second in zip(windows, again, strict=True))


def test_a_window_of_a_table_sorted_by_its_target_has_rows_of_both_classes() -> None:
    plan, y = plan_windows(64_000, 6_400), np.arange(64_000) >= 32_000
    for blocks in epoch_windows(plan, 0, key=KEY):
        rows = np.concatenate([np.arange(plan.bounds[block], plan.bounds[block + 1]) for block in blocks])
        assert 0.3 < y[rows].mean() < 0.7


def test_each_epoch_has_other_windows() -> None:
    plan = plan_windows(1000, 100)
    first, second = (np.concatenate(epoch_windows(plan, epoch, key=KEY)).tolist() for epoch in (0, 1))
    assert first != second


def test_rows_of_a_group_that_are_apart_are_refused() -> None:
    table = replace(NOISY_TABLE, groups=np.arange(48, dtype=np.int32) % 2)
    with pytest.raises(ValueError, match="rows of the same group must follow each other if there is a window; sort"):
        fit(TANH_NETWORK, table, key=KEY, **OPTIONS)


def train_by_hand(table: Table, restart: int, window: int, batch_size: int, class_weights: bool) -> list[list[float]]:
    """Train one restart in NumPy, in float64 with gradients in float32. Returns both losses of each epoch."""
    learn, held_out = hold_out(table, 0.25, key=jax.random.fold_in(KEY, SPLIT_KEY))
    weights = np.ones(len(table.y), np.float32)
    if class_weights:
        counts = np.bincount(table.y[learn].astype(int))
        weights = (len(learn) / (2 * counts))[table.y.astype(int)].astype(np.float32)
    params = init_params(TANH_NETWORK, key=jax.random.fold_in(KEY, restart), init="he")
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(params)]

    def value_and_grads(rows: np.ndarray) -> tuple[float, list[np.ndarray]]:
        now = jax.tree.unflatten(jax.tree.structure(params), [leaf.astype(np.float32) for leaf in leaves])
        value, grads = compiled_gradient(now, table.x[rows], table.y[rows], TANH_NETWORK, weights[rows])
        return float(value), [np.asarray(grad, np.float64) for grad in jax.tree.leaves(grads)]

    shuffle_key = jax.random.fold_in(KEY, SHUFFLE_KEY)
    plan = plan_windows(len(table.y), window, table.groups)
    found = []
    for epoch in range(3):
        losses = []
        for place, blocks in enumerate(epoch_windows(plan, epoch, key=jax.random.fold_in(shuffle_key, BLOCK_KEY))):
            rows = np.concatenate([np.arange(plan.bounds[block], plan.bounds[block + 1]) for block in blocks])
            own = np.flatnonzero(np.isin(rows, learn)).astype(np.int32)
            key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(shuffle_key, restart), epoch), place)
            order = rows[np.asarray(shuffle(own, len(own), key=key))] if len(own) else rows[:0]
            for first in range(0, len(order), batch_size):
                first = max(min(first, len(order) - batch_size), 0)
                value, grads = value_and_grads(order[first : first + batch_size])
                losses.append(value)
                leaves = [leaf - 0.3 * grad for leaf, grad in zip(leaves, grads, strict=True)]
        found.append([float(np.mean(losses)), value_and_grads(held_out)[0]])
    return found


@pytest.mark.parametrize(
    ("table", "window", "batch_size", "class_weights"),
    [(NOISY_TABLE, 20, 7, True), (NOISY_TABLE, 11, 11, False), (grouped(NOISY_TABLE), 12, 6, False)],
    ids=["class weights", "fewer rows than a batch", "groups"],
)
def test_training_in_windows_is_a_loop_in_numpy_over_the_same_rows(
    table: Table, window: int, batch_size: int, class_weights: bool
) -> None:
    changes = {"window": window, "batch_size": batch_size, "class_weights": class_weights}
    result = fit(TANH_NETWORK, table, key=KEY, **(OPTIONS | changes))
    for restart in range(2):
        expected = train_by_hand(table, restart, window, batch_size, class_weights)
        found = np.stack([result.history.losses[:, restart], result.history.validation[:, restart]], axis=1)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_single_window_is_an_epoch_in_memory() -> None:
    changes = {"optimizer": "adam", "schedule": "cosine", "folds": 2, "mask": 0.3, "weight_decay": (0.1, 0.3)}
    options = OPTIONS | changes | {"epochs": 5, "patience": 2}
    whole, windows = (fit(TANH_NETWORK, NOISY_TABLE, key=KEY, **(options | {"window": size})) for size in (None, 48))
    np.testing.assert_allclose(windows.history.losses, whole.history.losses, rtol=1e-5)
    np.testing.assert_allclose(windows.history.validation, whole.history.validation, rtol=1e-5)
    np.testing.assert_allclose(windows.predictions, whole.predictions, rtol=1e-4)


def make_numbers() -> Table:
    """60 rows of a number with a long tail to predict."""
    x = np.random.default_rng(0).normal(size=(60, 2))
    return table_from_arrays(x, np.exp(2 * x[:, 0]))


NUMBERS_NETWORK = Network((2, 3, 1), "tanh", "regression")
WEIGHED = replace(NOISY_TABLE, weights=np.linspace(1, 3, 48, dtype=np.float32))


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        (WEIGHED, {"encodings": ("numbers", "bins"), "restarts": 4, "ensemble": 4, "folds": 2}),
        (grouped(NOISY_TABLE), {"class_weights": True, "optimizer": "adam"}),
        (make_numbers(), {"target_scale": "auto", "learning_rate": 0.01}),
        (replace(NOISY_TABLE, held_out=np.arange(48) >= 40), {"validation": 0.1}),
    ],
    ids=["weights and bins", "groups", "numbers", "rows that are named"],
)
def test_rows_in_a_file_give_the_same_bits_as_rows_in_memory(table: Table, changes: dict[str, Any]) -> None:
    network = Network((2, 3, 1), "tanh", table.task)
    results = [fit(network, each, key=KEY, **(OPTIONS | changes)) for each in (table, streamed(table))]
    checkpoints = [
        make_checkpoint(each, own, table_name="", seed=0)
        for each, own in zip(results, (table, streamed(table)), strict=True)
    ]
    assert same_bits((results[0].state, results[0].ensemble), (results[1].state, results[1].ensemble))
    assert same_bits(results[0].history, results[1].history)
    assert checkpoints[0].training == checkpoints[1].training


def test_a_run_that_is_resumed_within_an_epoch_has_the_same_bits() -> None:
    """It stops after each of its windows in turn."""
    options = OPTIONS | {
        "optimizer": "adam",
        "encodings": ("numbers", "bins"),
        "restarts": 4,
        "ensemble": 4,
        "epochs": 2,
    }
    snapshots = list(train(TANH_NETWORK, NOISY_TABLE, key=KEY, stretch_seconds=1e-9, **options))
    assert [snapshot.epoch for snapshot in snapshots] == [0, 0, 1, 1, 1, 2]
    assert [len(snapshot.records[-1].epochs) for snapshot in snapshots] == [0, 0, 1, 0, 0, 1]
    assert all(np.isfinite(snapshot.losses).all() for snapshot in snapshots if snapshot.losses is not None)
    for snapshot in snapshots[:-1]:
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(snapshot.state)]
        *_, last = train(TANH_NETWORK, streamed(NOISY_TABLE), key=KEY, resume=(leaves, snapshot.epoch), **options)
        assert same_bits(last.state, snapshots[-1].state)


def test_a_checkpoint_within_the_first_epoch_has_the_parameters_so_far() -> None:
    first = next(train(TANH_NETWORK, NOISY_TABLE, key=KEY, stretch_seconds=1e-9, **OPTIONS))
    result = first.result()
    assert result.epoch == 0
    assert np.isfinite(result.loss)
    best = np.asarray(first.state[0].params[0].weight)[result.best]
    assert same_bits(best, np.asarray(result.ensemble[0].member(0)[0].weight))


def test_an_epoch_that_leaves_the_finite_numbers_is_told() -> None:
    options = OPTIONS | {"learning_rate": 1e38, "clip": 0.0, "validation": 0.0, "folds": 1}
    for seconds in (1e-9, 1e9):
        with pytest.raises(DivergedError, match=r"after epoch \d+ the loss of every restart is no longer a finite"):
            list(train(NUMBERS_NETWORK, make_numbers(), key=KEY, stretch_seconds=seconds, **options))


def test_restarts_that_have_ended_no_longer_change() -> None:
    options = OPTIONS | {"epochs": 60, "patience": 3, "optimizer": "adam", "learning_rate": 0.05, "restarts": 4}
    snapshots = list(train(TANH_NETWORK, NOISY_TABLE, key=KEY, stretch_seconds=1e9, **options))
    assert snapshots[-1].epoch < 60
    last = jax.tree.map(np.asarray, snapshots[-1].state[0])
    compared = 0
    for snapshot in snapshots[:-1]:
        params = jax.tree.map(np.asarray, snapshot.state[0].params)
        for restart in np.flatnonzero(last.best.epoch + 3 <= snapshot.epoch).tolist():
            own = [[layer.weight[restart] for layer in each] for each in (params, last.params)]
            assert same_bits(*own)
            compared += 1
    assert compared


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 6}, "window must be at least the batch_size, 7, not 6"),
        ({"window": 0}, "window must be a whole number from 1"),
        ({"batch_size": None}, "batch_size must be given if there is a window"),
    ],
)
def test_a_window_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(TANH_NETWORK, NOISY_TABLE, key=KEY, **(OPTIONS | changes))


def test_a_table_in_a_file_needs_a_window() -> None:
    with pytest.raises(ValueError, match="window must be a number of rows for a table in a file, not None"):
        fit(TANH_NETWORK, streamed(NOISY_TABLE), key=KEY, **(OPTIONS | {"window": None}))


def peak_of_training(rows: int) -> int:
    """The most bytes that NumPy and Python hold while a table in a file is learned from."""
    width = 64
    file, rng = RowFile(width, rows), np.random.default_rng(0)
    for start in range(0, rows, 1000):
        file.write(start, rng.normal(size=(1000, width)).astype(np.float32))
    y = rng.integers(0, 2, rows).astype(np.float32)
    names = tuple(f"x{index}" for index in range(width))
    table = StreamedTable(file=file, hashes=(None, None), y=y, columns=names, target="y", complete=False)
    options = OPTIONS | {"window": 1000, "batch_size": 500, "epochs": 1, "validation": 500 / rows}
    tracemalloc.start()
    try:
        fit(Network((width, 2, 1)), table, key=KEY, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_larger_table_in_a_file_needs_less_than_a_fifth_of_its_size_more() -> None:
    """The programs and the windows are the same, and so is what they need."""
    peak_of_training(10_000)  # compiles
    small, large = (peak_of_training(rows) for rows in (10_000, 100_000))
    assert large - small < 90_000 * 64 * 4 / 5
