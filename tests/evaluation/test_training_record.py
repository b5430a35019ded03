"""What a checkpoint keeps of a training for a report."""

import jax
import numpy as np

from model import default_network, fit, make_checkpoint, table_from
from model.evaluation.reliability import sample_pairs
from model.evaluation.training_record import loss_points


def test_losses_are_those_of_the_best_restart_at_equal_distances() -> None:
    epochs = np.arange(1, 1001)
    points = loss_points(epochs, 1 / epochs, np.full(1000, np.nan))
    assert (len(points), points[0].epoch, points[-1].epoch) == (60, 1, 1000)
    assert all(point.training == 1 / point.epoch and point.validation is None for point in points)
    assert loss_points(epochs, np.full(1000, np.inf), 1 / epochs) == ()


def test_a_record_has_the_losses_and_the_pairs_of_its_training() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    table = table_from({"x": x, "y": x + rng.normal(size=400)}, target="y", task="regression")
    options = {"epochs": 12, "restarts": 2, "ensemble": 1, "log_every": 1}
    result = fit(default_network(table, hidden=(4,)), table, key=jax.random.key(0), **options)
    record = make_checkpoint(result, table, table_name="t", seed=0).training
    by_epoch = {point.epoch: point for point in record.losses}
    assert by_epoch[2].training == result.history.losses[1, result.best]
    held_out = result.history.validation[:, result.best]
    assert min(point.validation for point in record.losses if point.validation is not None) == np.nanmin(held_out)
    predicted, actual = np.array(record.pairs).T
    assert len(predicted) == min(record.held_out, 300)
    if record.held_out <= 300:
        np.testing.assert_allclose(np.mean((predicted - actual) ** 2) ** 0.5, record.metrics["RMSE"])


def test_pairs_are_of_rows_at_equal_distances() -> None:
    numbers = np.arange(3001.0)
    pairs = sample_pairs("regression", numbers, numbers + 1)
    assert (len(pairs), pairs[0], pairs[-1]) == (300, (0.0, 1.0), (3000.0, 3001.0))
    assert sample_pairs("binary", numbers, numbers) == ()
