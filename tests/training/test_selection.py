"""Which restarts are kept, and the rows that they are measured on."""

import jax
import numpy as np
import pytest

from model import default_network, fit, table_from_arrays


@pytest.mark.parametrize("ensemble", [1, 2, 3])
def test_each_prediction_belongs_to_the_row_that_was_held_out(ensemble: int) -> None:
    """Few restarts are kept, so that some folds are held out by none of them. The target is easy to learn."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    table = table_from_arrays(x, 2 * x[:, 0])
    options = {"epochs": 20, "restarts": 4, "ensemble": ensemble, "encodings": ("numbers",)}
    for seed in range(3):
        result = fit(default_network(table, (8,)), table, key=jax.random.key(seed), **options)
        assert len(result.held_out) == len(result.predictions) == 50 * ensemble
        assert (np.diff(result.held_out) > 0).all()
        assert np.corrcoef(result.predictions, table.y[result.held_out])[0, 1] > 0.8
