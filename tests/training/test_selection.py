"""Which restarts are kept, and the rows that they are measured on."""

import jax
import numpy as np
import pytest

from model import default_network, fit, table_from_arrays, train
from model.hyperparameters import replace
from model.training.defaults import FILE_DEFAULTS
from model.training.selection import select


@pytest.mark.parametrize("ensemble", [1, 2, 3])
def test_each_prediction_belongs_to_the_row_that_was_held_out(ensemble: int) -> None:
    """Few restarts are kept, so all hold out the same rows. The target is easy to learn."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    table = table_from_arrays(x, 2 * x[:, 0])
    options = {"epochs": 20, "restarts": 4, "ensemble": ensemble, "encodings": ("numbers",)}
    for seed in range(3):
        result = fit(default_network(table, (8,)), table, key=jax.random.key(seed), **options)
        assert len(result.held_out) == len(result.predictions) == 30
        assert (np.diff(result.held_out) > 0).all()
        assert np.corrcoef(result.predictions, table.y[result.held_out])[0, 1] > 0.8


def test_numbers_that_float32_cannot_tell_apart_are_in_one_bin() -> None:
    """P-values of which most are tiny: the bins have a finite width, and the networks that see them learn."""
    rng = np.random.default_rng(0)
    p = np.where(np.arange(80) % 5 < 3, 10.0 ** rng.uniform(-60, -30, 80), rng.uniform(size=80))
    table = table_from_arrays(p[:, None], (p > 0.1).astype(int), ("no", "yes"))
    edges = table.column_specs[0].edges
    assert min(np.diff(edges)) > 1e-6
    result = fit(default_network(table, (4,)), table, key=jax.random.key(0), epochs=15)
    assert np.isfinite(result.losses).all()
    assert np.isfinite(result.metrics["log loss"])


def test_a_restart_without_a_finite_loss_is_left_out() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    table = table_from_arrays(x, (x[:, 0] > 0).astype(int), ("no", "yes"))
    options = {"epochs": 2, "encodings": ("numbers",), "restarts": 4, "ensemble": 4}
    *_, progress = train(default_network(table, (4,)), table, key=jax.random.key(0), **options)
    losses = np.array([0.5, np.inf, 0.4, np.nan], np.float32)
    assert sorted(select(progress.run, progress.state, losses).kept.tolist()) == [0, 2]


def test_folds_fit_the_restarts_and_the_networks_that_are_kept() -> None:
    defaults = FILE_DEFAULTS
    assert (replace(defaults, folds=5).restarts, replace(defaults, folds=5).ensemble) == (10, 10)
    assert [replace(defaults, restarts=count).folds for count in (1, 3, 4, 8, 16)] == [1, 1, 2, 4, 4]
    assert [replace(defaults, ensemble=count).folds for count in (1, 7, 8)] == [1, 1, 4]
