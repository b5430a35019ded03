"""Ensembles and the temperature of their logits, against NumPy and SciPy in float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from model import Layer, Network
from model.ensembles import Bins, Members, bin_inputs, member_logits, predict_ensemble, predict_from_logits, to_numpy
from model.evaluation.batches import concatenate, logits_of_rows, padded_batches, predict_rows
from model.evaluation.temperature import LOG_TEMPERATURE_DEVIATION, fit_temperature
from tests.examples import ensemble_of, predictions_by_hand

MEMBERS = 3
X = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
NETWORKS = {
    "binary": Network((2, 3, 1), "tanh"),
    "multiclass": Network((2, 3, 4), "tanh", "multiclass"),
    "regression": Network((2, 3, 1), "tanh", "regression"),
}


@pytest.mark.parametrize("task", NETWORKS)
def test_the_prediction_is_the_mean_of_the_members_and_the_spread_is_their_deviation(task: str) -> None:
    network = NETWORKS[task]
    params = ensemble_of(network, MEMBERS)
    predict = jax.jit(predict_ensemble)
    for temperature in (1.0, 2.5):
        mean, spread = predict((Members(network, params),), X, temperature)
        predictions = predictions_by_hand(params, X, network, temperature)
        expected_mean = predictions.mean(axis=0)
        np.testing.assert_allclose(mean, expected_mean, rtol=1e-5, atol=1e-6)
        if task == "multiclass":
            likeliest = expected_mean.argmax(axis=1)
            assert len(set(likeliest)) > 1
            predictions = predictions[:, np.arange(len(X)), likeliest]
        np.testing.assert_allclose(spread, predictions.std(axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("task", NETWORKS)
def test_a_single_network_has_no_spread(task: str) -> None:
    network = NETWORKS[task]
    params = ensemble_of(network, MEMBERS)
    single = jax.tree.map(lambda leaf: leaf[1], params)
    assert (Members(network, params).size, Members(network, single).size) == (MEMBERS, 1)
    mean, spread = predict_ensemble((Members(network, single),), X)
    np.testing.assert_allclose(mean, predictions_by_hand(params, X, network)[1], rtol=1e-5, atol=1e-6)
    assert spread.tolist() == [0.0] * len(X)


@pytest.mark.parametrize("task", NETWORKS)
def test_numpy_and_jax_predict_the_same(task: str) -> None:
    network = NETWORKS[task]
    ensemble = (Members(network, ensemble_of(network, MEMBERS)),)
    z = member_logits(to_numpy(ensemble), X)
    assert type(z) is np.ndarray
    np.testing.assert_allclose(z, member_logits(ensemble, X), rtol=1e-5, atol=1e-6)
    for found, expected in zip(predict_from_logits(z, task, 2.0), predict_ensemble(ensemble, X, 2.0), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def miscalibrated_network(
    task: str, rows: int, factor: float, rng: np.random.Generator
) -> tuple[Any, np.ndarray, np.ndarray]:
    """Two equal members whose logits are `factor` times those that the classes are drawn from: params, x and y."""
    outputs = 1 if task == "binary" else 3
    weight = rng.normal(size=(2, outputs))
    x = rng.normal(size=(rows, 2)).astype(np.float32)
    z = x @ weight
    class_logits = np.concatenate([np.zeros_like(z), z], axis=1) if task == "binary" else z
    y = (class_logits + rng.gumbel(size=class_logits.shape)).argmax(axis=1)
    weights = np.stack([factor * weight] * 2).astype(np.float32)
    return [Layer(jnp.asarray(weights), jnp.zeros((2, outputs)))], x, y


def temperature_of(params: Any, x: np.ndarray, y: np.ndarray, task: str, weights: np.ndarray | None = None) -> float:
    """The temperature for the rows, given in two parts."""
    z = logits_of_rows((Members(Network((2, params[0].bias.shape[1]), task=task), params),), x)
    cut = len(x) // 3
    parts = (slice(0, cut), slice(cut, None))
    counts = None if weights is None else [weights[part] for part in parts]
    return fit_temperature([z[:, part] for part in parts], [y[part] for part in parts], task, counts)


@pytest.mark.parametrize(("task", "rows", "factor"), [("binary", 3000, 3.0), ("multiclass", 3000, 0.4)])
def test_the_temperature_minimizes_the_loss_and_undoes_the_miscalibration(task: str, rows: int, factor: float) -> None:
    params, x, y = miscalibrated_network(task, rows, factor, np.random.default_rng(1))
    network = Network((2, params[0].bias.shape[1]), task=task)
    temperature = temperature_of(params, x, y, task)

    def objective(log_temperature: float) -> float:
        mean = predictions_by_hand(params, x, network, np.exp(log_temperature)).mean(axis=0)
        probability = np.where(y == 1, mean, 1 - mean) if task == "binary" else mean[np.arange(rows), y]
        return float(-np.log(probability).sum() + log_temperature**2 / (2 * LOG_TEMPERATURE_DEVIATION**2))

    expected = scipy.optimize.minimize_scalar(objective, bounds=(-2.5, 2.5), method="bounded")
    assert np.log(temperature) == pytest.approx(expected.x, abs=0.011)
    assert temperature == pytest.approx(factor, rel=0.15)


def test_few_rows_leave_the_temperature_near_1() -> None:
    params, x, y = miscalibrated_network("binary", 400, 4.0, np.random.default_rng(2))
    from_few_rows = temperature_of(params, x[:8], y[:8], "binary")
    from_all_rows = temperature_of(params, x, y, "binary")
    assert abs(np.log(from_few_rows)) < LOG_TEMPERATURE_DEVIATION * 2 < np.log(from_all_rows)


def test_weights_change_the_temperature_as_repeated_rows_do() -> None:
    params, x, y = miscalibrated_network("binary", 60, 3.0, np.random.default_rng(3))
    counts = np.random.default_rng(4).integers(1, 9, 60)
    weighted = temperature_of(params, x, y, "binary", counts)
    repeated = temperature_of(params, x.repeat(counts, axis=0), y.repeat(counts), "binary")
    assert weighted == pytest.approx(repeated, rel=1e-3)
    assert weighted != pytest.approx(temperature_of(params, x, y, "binary"), rel=1e-2)


def test_a_regression_has_no_temperature() -> None:
    network = NETWORKS["regression"]
    params = ensemble_of(network, MEMBERS)
    z = logits_of_rows((Members(network, params),), X)
    assert fit_temperature([z], [np.zeros(len(X))], "regression") == 1.0
    mean = predict_rows((Members(network, params),), X, temperature=7.0).mean
    np.testing.assert_allclose(mean, predictions_by_hand(params, X, network).mean(axis=0), rtol=1e-5, atol=1e-6)


def test_predictions_do_not_depend_on_how_rows_fall_into_batches() -> None:
    network = NETWORKS["multiclass"]
    ensemble = (Members(network, ensemble_of(network, MEMBERS)),)
    x = np.random.default_rng(3).normal(size=(71, 2)).astype(np.float32)
    expected = predict_ensemble(ensemble, x, 2.0)
    for rows in (1, 15, 16, 17, 31, 33, 64, 71):
        mean, spread = predict_rows(ensemble, x[:rows], 2.0, batch_sizes=(16, 32))
        assert (mean.shape, spread.shape) == ((rows, 4), (rows,))
        np.testing.assert_allclose(mean, expected.mean[:rows], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(spread, expected.spread[:rows], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 9])
def test_padded_batches_hold_every_row_once_and_zeros_after_them(rows: int) -> None:
    x = np.arange(1.0, 2 * rows + 1, dtype=np.float32).reshape(rows, 2)
    batches = list(padded_batches(x, batch_sizes=(2, 4)))
    assert {len(batch) for batch, _ in batches} <= {2, 4}
    np.testing.assert_array_equal(np.concatenate([batch[:count] for batch, count in batches]), x)
    assert not any(batch[count:].any() for batch, count in batches)


def test_concatenated_predictions_are_those_of_all_rows() -> None:
    network = NETWORKS["binary"]
    ensemble = to_numpy((Members(network, ensemble_of(network, MEMBERS)),))
    parts = [predict_ensemble(ensemble, rows) for rows in (X[:4], X[4:])]
    for found, expected in zip(concatenate(parts), predict_ensemble(ensemble, X), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("task", NETWORKS)
def test_members_that_see_bins_predict_beside_those_that_see_numbers(task: str) -> None:
    bins = Bins(
        np.array([0, 0, 1], np.int32),
        np.array([-1, 0, 0], np.float32),
        np.array([1, 0.5, 1], np.float32),
        np.array([0, 0, -np.inf], np.float32),
        np.array([1, 1, np.inf], np.float32),
    )
    network = NETWORKS[task]
    binned = Network((3, *network.sizes[1:]), "tanh", task)
    params, others = ensemble_of(network, 2), ensemble_of(binned, MEMBERS)
    ensemble = (Members(network, params), Members(binned, others, bins))
    seen = np.stack([np.clip(X[:, 0] + 1, 0, 1), np.clip(X[:, 0] / 2, 0, 1), X[:, 1]], axis=1)
    np.testing.assert_array_equal(bin_inputs(X, bins), seen)
    by_member = [predictions_by_hand(params, X, network), predictions_by_hand(others, seen, binned)]
    expected = np.concatenate(by_member).mean(axis=0)
    for found in (predict_ensemble(ensemble, X), predict_ensemble(to_numpy(ensemble), X), predict_rows(ensemble, X)):
        np.testing.assert_allclose(found.mean, expected, rtol=1e-5, atol=1e-6)
