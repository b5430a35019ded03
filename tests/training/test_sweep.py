"""Sweeps: every run is what `fit` does with its arguments, however the runs are trained together."""

from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import (
    DivergedError,
    FinishedRun,
    Hyperparameters,
    Network,
    Result,
    Table,
    default_network,
    fit,
    sweep,
    table_from_arrays,
)
from model.training.joined_runs import alike
from model.training.sweep_plan import MAX_RUNS, Combination, Run, plan_groups
from tests.training.examples import EARLY_STOPPING, NOISY_TABLE, XOR

pytestmark = [pytest.mark.core, pytest.mark.usefixtures("quick_compilation")]

HIDDEN = (3,)
# Two folds, both encodings, class weights, a schedule, and a weight decay for each restart.
MINIBATCHES: dict[str, Any] = {
    "epochs": 10,
    "restarts": 4,
    "ensemble": 3,
    "folds": 2,
    "batch_size": 16,
    "class_weights": True,
    "patience": 3,
    "activation": "tanh",
    "hidden": HIDDEN,
    "log_every": 1,
}
# More restarts than a chunk holds, so that the last chunk is filled up.
ALL_ROWS: dict[str, Any] = {"epochs": 10, "restarts": 66, "optimizer": "momentum", "log_every": 4, "hidden": (2,)}


def fitted(table: Table, run: FinishedRun, **options: Any) -> Result:
    """The same run by itself."""
    named = options | run.values
    network = default_network(table, named.pop("hidden"), named.pop("activation", "relu"))
    return fit(network, table, key=jax.random.key(run.run.seed), **named)


def assert_close(found: Any, expected: Any) -> None:
    """Check that two pytrees have the same structure, and leaves that are equal to 1e-5."""
    assert str(jax.tree.structure(found)) == str(jax.tree.structure(expected))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("table", "grid", "options"),
    [
        (NOISY_TABLE, {"learning_rate": (0.03, 0.003), "weight_decay": ((1.0, 0.3), (0.1,))}, MINIBATCHES),
        (XOR, {"learning_rate": (0.5, 0.1)}, ALL_ROWS),
    ],
    ids=["minibatches", "all rows"],
)
def test_every_run_is_what_fit_does(table: Table, grid: dict[str, Any], options: dict[str, Any]) -> None:
    runs = list(sweep(table, grid, seeds=2, **options))
    assert [(*run.values.values(), run.run.seed) for run in runs] == [
        (*values.values(), seed) for values in combinations_of(grid) for seed in range(2)
    ]
    for run in runs:
        expected, found = fitted(table, run, **options), run.result
        assert found is not None
        assert_close((found.state, found.ensemble), (expected.state, expected.ensemble))
        assert_close((found.losses, found.history), (expected.losses, expected.history))
        assert_close((found.loss, found.temperature), (expected.loss, expected.temperature))
        assert_close(found.metrics, expected.metrics)
        assert_close(run.progress.result().evaluation.intervals, expected.evaluation.intervals)
        assert (found.epoch, found.best, found.solved) == (expected.epoch, expected.best, expected.solved)
        assert found.hyperparameters == expected.hyperparameters
    assert len({run.result.loss for run in runs if run.result}) == len(runs)


def combinations_of(grid: dict[str, Any]) -> list[dict[str, Any]]:
    """Every combination, by recursion."""
    if not grid:
        return [{}]
    (name, values), *others = grid.items()
    return [{name: value} | rest for value in values for rest in combinations_of(dict(others))]


def test_runs_that_end_at_different_epochs_stop_where_fit_stops() -> None:
    options = EARLY_STOPPING | {"activation": "tanh", "hidden": HIDDEN, "patience": 3}
    runs = list(sweep(NOISY_TABLE, {}, seeds=6, **options))
    assert len({run.progress.epoch for run in runs}) > 1
    for run in runs:
        expected = fitted(NOISY_TABLE, run, **options)
        assert run.result is not None
        assert (run.result.epoch, run.result.history.epochs.tolist()) == (
            expected.epoch,
            expected.history.epochs.tolist(),
        )


def test_a_run_that_diverges_leaves_the_others_alone() -> None:
    options: dict[str, Any] = {"epochs": 40, "restarts": 3, "activation": "gelu", "log_every": 1}
    diverged, other = sweep(XOR, {"learning_rate": [1e38, 0.1]}, seeds=1, **options)
    assert diverged.result is None
    with pytest.raises(DivergedError) as error:
        fitted(XOR, diverged, hidden=None, **options)
    assert diverged.progress.epoch == error.value.epoch < 40
    assert other.result is not None
    assert_close(other.result.losses, fitted(XOR, other, hidden=None, **options).losses)


def test_the_scale_of_the_target_is_tried_for_each_run() -> None:
    """The targets are such that the trials of some seeds favour one scale, and of some the other."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 2))
    table = table_from_arrays(x, np.exp(1.8 * x[:, 0]) + 0.3 * rng.normal(size=60))
    options = MINIBATCHES | {"encodings": ("numbers",), "class_weights": False, "target_scale": "auto"}
    runs = list(sweep(table, {}, seeds=2, **options))
    for run in runs:
        expected = fitted(table, run, **options)
        assert run.result is not None
        assert run.result.target_scaling == expected.target_scaling
        assert_close(run.result.metrics, expected.metrics)
    assert len({run.result.target_scaling for run in runs if run.result}) == 2


@given(
    rates=st.lists(st.floats(0.001, 1.0), min_size=1, max_size=4, unique=True),
    widths=st.lists(st.integers(1, 2000), min_size=1, max_size=3, unique=True),
    batch_sizes=st.lists(st.sampled_from([None, 4, 8]), min_size=1, max_size=3, unique=True),
    seeds=st.integers(1, 100),
    epochs=st.sampled_from([1, 10**4, 10**9]),
)
def test_groups_hold_every_run_once_and_only_runs_of_one_shape(
    rates: list[float], widths: list[int], batch_sizes: list[int | None], seeds: int, epochs: int
) -> None:
    combinations = [
        Combination({}, Network((2, width, 1)), Hyperparameters(learning_rate=rate, batch_size=size, epochs=epochs))
        for rate in rates
        for width in widths
        for size in batch_sizes
    ]
    groups = plan_groups(XOR, combinations, seeds)
    runs = [run for group in groups for run in group]
    assert sorted(runs) == [Run(index, seed) for index in range(len(combinations)) for seed in range(seeds)]
    for group in groups:
        own = [combinations[run.combination] for run in group]
        assert len(group) <= MAX_RUNS
        assert len({(each.network, alike(each.hyperparameters)) for each in own}) == 1
        assert epochs < 10**9 or len(group) == 1
    assert groups == plan_groups(XOR, combinations, seeds)


@pytest.mark.parametrize(
    ("grid", "options", "error", "message"),
    [
        ({"learning_rate": [-1.0]}, {}, ValueError, "the learning rate must be a finite number above 0"),
        ({"rate": [1.0]}, {}, TypeError, "rate"),
        ({}, {"seeds": 0}, ValueError, "seeds must be a whole number from 1, not 0"),
    ],
)
def test_a_wrong_grid_is_refused_before_training(
    grid: dict[str, Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        next(sweep(XOR, grid, **options))
