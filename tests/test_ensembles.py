"""Ensembles, temperatures, the predictor and column_importances, each against NumPy in float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special

from model import (
    CategoricalColumn,
    Checkpoint,
    Layer,
    Network,
    NumericColumn,
    Predictor,
    TrainingRecord,
    encode,
    init_params,
)
from model import inference as inference_module
from model.ensembles import LOG_TEMPERATURE_DEVIATION, fit_temperature, predict_ensemble, predict_rows
from model.importance import column_importances, input_gradient_sizes

RECORD = TrainingRecord(table="a.csv", epoch=1, loss=0.5, seed=0)
MEMBERS = 3
X = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
NETWORKS = {
    "binary": Network((2, 3, 1), "tanh"),
    "multiclass": Network((2, 3, 4), "tanh", "multiclass"),
    "regression": Network((2, 3, 1), "tanh", "regression"),
}


def ensemble_of(network: Network, members: int = MEMBERS) -> Any:
    alone = [init_params(network, key=jax.random.key(seed)) for seed in range(members)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone)


def by_hand(params: Any, x: np.ndarray, network: Network, temperature: float = 1.0) -> np.ndarray:
    """Every member's prediction, [members, rows, …], by NumPy in float64."""
    found = []
    for member in range(len(params[0].bias)):
        a = np.asarray(x, np.float64)
        for index, (weight, bias) in enumerate(params):
            z = a @ np.asarray(weight[member], np.float64) + np.asarray(bias[member], np.float64)
            a = np.tanh(z) if index < len(params) - 1 else z
        if network.task == "multiclass":
            found.append(scipy.special.softmax(a / temperature, axis=1))
        else:
            found.append(a[:, 0] if network.task == "regression" else scipy.special.expit(a[:, 0] / temperature))
    return np.array(found)


@pytest.mark.parametrize("task", NETWORKS)
def test_the_prediction_is_the_members_mean_and_the_spread_their_deviation(task: str) -> None:
    network = NETWORKS[task]
    params = ensemble_of(network)
    predict = jax.jit(predict_ensemble)
    for temperature in (1.0, 2.5):
        mean, spread = predict(params, X, network, temperature)
        each = by_hand(params, X, network, temperature)
        np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-5, atol=1e-6)
        if task == "multiclass":
            likeliest = each.mean(axis=0).argmax(axis=1)
            assert len(set(likeliest)) > 1
            each = each[:, np.arange(len(X)), likeliest]
        np.testing.assert_allclose(spread, each.std(axis=0), rtol=1e-4, atol=1e-6)
    one = jax.tree.map(lambda leaf: leaf[1], params)
    mean, spread = predict(one, X, network, 1.0)
    np.testing.assert_allclose(mean, by_hand(params, X, network)[1], rtol=1e-5, atol=1e-6)
    assert spread.tolist() == [0.0] * len(X)


def miscalibrated(task: str, rows: int, factor: float, rng: np.random.Generator) -> tuple[Any, np.ndarray, np.ndarray]:
    """Two members that agree, whose logits are `factor` times those by which the rows' classes were drawn."""
    outputs = 1 if task == "binary" else 3
    weight = rng.normal(size=(2, outputs))
    x = rng.normal(size=(rows, 2)).astype(np.float32)
    z = x @ weight
    chances = np.concatenate([np.zeros_like(z), z], axis=1) if task == "binary" else z
    y = (chances + rng.gumbel(size=chances.shape)).argmax(axis=1)
    twice = np.stack([factor * weight] * 2).astype(np.float32)
    return [Layer(jnp.asarray(twice), jnp.zeros((2, outputs)))], x, y


@pytest.mark.parametrize(("task", "rows", "factor"), [("binary", 3000, 3.0), ("multiclass", 3000, 0.4)])
def test_the_fitted_temperature_is_scipys_and_the_one_that_undoes_the_miscalibration(
    task: str, rows: int, factor: float
) -> None:
    params, x, y = miscalibrated(task, rows, factor, np.random.default_rng(1))
    network = Network((2, params[0].bias.shape[1]), task=task)
    found = fit_temperature(params, x, y.astype(np.float32), network)

    def cost(log_temperature: float) -> float:
        chances = by_hand(params, x, network, np.exp(log_temperature)).mean(axis=0)
        own = np.where(y == 1, chances, 1 - chances) if task == "binary" else chances[np.arange(rows), y]
        return float(-np.log(own).sum() + log_temperature**2 / (2 * LOG_TEMPERATURE_DEVIATION**2))

    best = scipy.optimize.minimize_scalar(cost, bounds=(-2.5, 2.5), method="bounded")
    assert np.log(found) == pytest.approx(best.x, abs=0.011)
    assert found == pytest.approx(factor, rel=0.15)


def test_few_rows_leave_the_temperature_near_1() -> None:
    """Of ten times as many rows the same is believed, of few it is not."""
    params, x, y = miscalibrated("binary", 400, 4.0, np.random.default_rng(2))
    network = Network((2, 1))
    few = fit_temperature(params, x[:8], y[:8].astype(np.float32), network)
    many = fit_temperature(params, x, y.astype(np.float32), network)
    assert abs(np.log(few)) < LOG_TEMPERATURE_DEVIATION * 2 < np.log(many)


def test_a_regression_has_no_temperature() -> None:
    network = NETWORKS["regression"]
    params = ensemble_of(network)
    assert fit_temperature(params, X, np.zeros(len(X), np.float32), network) == 1.0
    mean = predict_rows(params, X, network, 7.0).mean
    np.testing.assert_allclose(mean, by_hand(params, X, network).mean(axis=0), rtol=1e-5, atol=1e-6)


def test_rows_are_predicted_one_by_one_whatever_their_number() -> None:
    network = NETWORKS["multiclass"]
    params = ensemble_of(network)
    x = np.random.default_rng(3).normal(size=(71, 2)).astype(np.float32)
    each = by_hand(params, x, network, 2.0).mean(axis=0)
    whole = predict_ensemble(params, x, network, 2.0)
    np.testing.assert_allclose(whole.mean, each, rtol=1e-5, atol=1e-6)
    for rows in (1, 15, 16, 17, 31, 33, 64, 71):
        mean, spread = predict_rows(params, x[:rows], network, 2.0, batch_sizes=(16, 32))
        assert (mean.shape, spread.shape) == ((rows, 4), (rows,))
        np.testing.assert_allclose(mean, whole.mean[:rows], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(spread, whole.spread[:rows], rtol=1e-4, atol=1e-6)


SCALING = (
    NumericColumn(10.0, 4.0, missing=True),
    CategoricalColumn(("blue", "red")),
    NumericColumn(5.0, 0.0),
    NumericColumn(0.0, 2.0),
)
INPUTS = 6


def checkpoint_of(task: str, params: Any = None) -> Checkpoint:
    """Of a number with missing values, a text, a constant, and a number."""
    outputs, classes = {"binary": (1, ("no", "yes")), "multiclass": (3, (1, 2, 3)), "regression": (1, ())}[task]
    network = Network((INPUTS, 3, outputs), "tanh", task)
    return Checkpoint(
        network,
        params or ensemble_of(network, 2),
        ("size", "colour", "constant", "useless"),
        "y",
        classes,
        RECORD,
        SCALING,
        NumericColumn(100.0, 20.0) if task == "regression" else NumericColumn(),
        1.0 if task == "regression" else 1.7,
    )


def values_of(rows: int) -> np.ndarray:
    rng = np.random.default_rng(4)
    size = np.where(rng.uniform(size=rows) < 0.2, np.nan, rng.normal(10, 4, rows))
    return np.column_stack([size, rng.integers(0, 2, rows), np.full(rows, 5.0), rng.normal(0, 2, rows)])


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_predictor_says_what_predict_rows_says_of_the_encoded_rows(task: str) -> None:
    checkpoint = checkpoint_of(task)
    predictor = Predictor(checkpoint, numpy_values=8, batch_sizes=(3, 4))
    values = values_of(11)
    assert np.isnan(values).any()
    x = encode(SCALING, list(values.T))
    expected = predict_rows(checkpoint.params, x, checkpoint.network, checkpoint.temperature)
    unit = checkpoint.target_scaling
    for rows in (1, 3, 4, 5, 11):
        mean, spread = predictor.predict(values[:rows])
        np.testing.assert_allclose(mean, unit.mean + unit.scale * expected.mean[:rows], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(spread, unit.scale * expected.spread[:rows], rtol=1e-4, atol=1e-6)
    answers = predictor.answers(values)
    for answer, row, apart in zip(answers, mean.tolist(), spread.tolist(), strict=True):
        assert answer["spread"] == apart
        if task == "regression":
            assert "label" not in answer
            assert answer["prediction"] == row
        elif task == "binary":
            assert (answer["prediction"], answer["label"]) == (row, "yes" if row >= 0.5 else "no")
        else:
            assert answer["prediction"] == dict(zip("123", row, strict=True))
            assert answer["label"] == 1 + int(np.argmax(row))


def test_a_predictor_that_was_compiled_never_compiles_again(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(checkpoint_of("binary"), numpy_values=8, batch_sizes=(3, 4))
    predictor.compile()
    monkeypatch.setattr(inference_module.jax, "jit", None)
    assert len(predictor.answers(values_of(6))) == 6
    assert predictor.answers(values_of(6)[:0]) == []


def test_a_row_that_overflows_is_refused() -> None:
    network = Network((1, 1), task="regression")
    params = [Layer(jnp.array([[1e20]]), jnp.zeros(1))]
    predictor = Predictor(Checkpoint(network, params, ("a",), "y", (), RECORD))
    with pytest.raises(ValueError, match=r"within the network's range were expected, and \[1e\+30\] overflows in it"):
        predictor.answers(np.array([[1.0], [1e30]]))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_gradient_of_a_prediction_is_a_finite_difference(task: str) -> None:
    checkpoint = checkpoint_of(task)
    x = encode(SCALING, list(values_of(16).T))
    rows = x.astype(np.float64)
    arguments = (checkpoint.network, checkpoint.temperature)
    likeliest = by_hand(checkpoint.params, x, *arguments).mean(axis=0).reshape(16, -1).argmax(axis=1)
    expected = []
    for index in range(INPUTS):
        step = 1e-5 * np.eye(INPUTS)[index]
        two = [by_hand(checkpoint.params, rows + sign * step, *arguments).mean(axis=0) for sign in (1, -1)]
        upper, lower = (each.reshape(16, -1)[np.arange(16), likeliest] for each in two)
        expected.append(checkpoint.target_scaling.scale * np.abs((upper - lower) / 2e-5).mean())
    np.testing.assert_allclose(input_gradient_sizes(checkpoint, x, batch_rows=8), expected, rtol=1e-4)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_an_informative_column_is_ranked_above_a_useless_and_a_constant_one(task: str) -> None:
    network = Network((INPUTS, 1), "tanh", task)
    weight = np.array([[[2.0], [0.5], [0.7], [-0.7], [3.0], [0.0]]] * 2, np.float32)
    checkpoint = checkpoint_of(task)
    checkpoint = Checkpoint(
        network,
        [Layer(jnp.asarray(weight), jnp.zeros((2, 1)))],
        checkpoint.columns,
        "y",
        checkpoint.classes,
        RECORD,
        SCALING,
        checkpoint.target_scaling,
    )
    values = values_of(200)
    x = encode(SCALING, list(values.T))
    mean = by_hand(checkpoint.params, x, network).mean(axis=0)
    y = checkpoint.target_scaling.unscale(mean) if task == "regression" else (mean >= 0.5).astype(float)
    found = column_importances(checkpoint, values, y, seed=3)
    assert [each.name for each in found[:2]] == ["size", "colour"]
    size, colour, *others = found
    assert size.loss_rise > colour.loss_rise > 0
    assert min(size.spread, colour.spread) > 0
    assert {each.name for each in others} == {"constant", "useless"}
    assert [(each.loss_rise, each.spread, each.gradient) for each in others] == [(0.0, 0.0, 0.0)] * 2
    slope = checkpoint.target_scaling.scale if task == "regression" else (mean * (1 - mean)).mean()
    assert size.gradient == pytest.approx(slope * (2.0 + 0.5), rel=1e-4)
    assert colour.gradient == pytest.approx(slope * (0.7 + 0.7), rel=1e-4)
    assert (
        found == column_importances(checkpoint, values, y, seed=3) != column_importances(checkpoint, values, y, seed=4)
    )


def test_a_columns_rise_is_what_shuffling_it_costs() -> None:
    """With one column alone that matters, independent of its row: the error doubles in the square."""
    network = Network((1, 1), task="regression")
    values = np.random.default_rng(5).normal(size=(4000, 1))
    params = [Layer(jnp.ones((1, 1)), jnp.zeros(1))]
    checkpoint = Checkpoint(network, params, ("a",), "y", (), RECORD)
    [found] = column_importances(checkpoint, values, values[:, 0])
    assert found.loss_rise == pytest.approx(np.sqrt(2) * values.std(), rel=0.03)
