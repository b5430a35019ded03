"""The importance of columns, against finite differences and against columns of known importance."""

from dataclasses import replace

import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from model import Checkpoint, Layer, Network, encode
from model.ensembles import Members
from model.reporting.importance import column_importances, input_gradient_sizes
from model.tables.target_scaling import expected_values
from tests.examples import (
    COLUMN_SPECS,
    COLUMNS,
    INPUTS,
    RECORD,
    checkpoint_of,
    members_by_hand,
    predictions_by_hand,
    values_of,
    with_bins,
    with_knee,
)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_gradient_of_a_prediction_is_a_finite_difference(task: str) -> None:
    checkpoint = checkpoint_of(task)
    x = encode(COLUMN_SPECS, list(values_of(16).T))
    rows = np.arange(16)

    def mean_predictions(inputs: np.ndarray) -> np.ndarray:
        predictions = predictions_by_hand(checkpoint.params, inputs, checkpoint.network, checkpoint.temperature)
        return predictions.mean(axis=0).reshape(16, -1)

    likeliest = mean_predictions(x).argmax(axis=1)
    expected = []
    for index in range(INPUTS):
        step = 1e-5 * np.eye(INPUTS)[index]
        upper, lower = (mean_predictions(x.astype(np.float64) + each)[rows, likeliest] for each in (step, -step))
        expected.append(checkpoint.target_scaling.scale * np.abs((upper - lower) / 2e-5).mean())
    np.testing.assert_allclose(input_gradient_sizes(checkpoint, x, batch_rows=8), expected, rtol=1e-4)


def test_the_gradient_is_per_interquartile_range_whatever_the_network_sees() -> None:
    """Bins, numbers drawn together and a target drawn together: a small change of a value changes the prediction."""
    checkpoint = with_knee(with_bins(checkpoint_of("regression")))
    size, *others = checkpoint.column_specs
    size = msgspec.structs.replace(size, knee=3.0)
    checkpoint = replace(checkpoint, column_specs=(size, *others))
    values = values_of(40)
    values = values[~np.isnan(values[:, 0])]
    scaling, residuals = checkpoint.target_scaling, checkpoint.residuals
    ends = scaling.scaled(np.array([scaling.minimum, scaling.maximum]))

    def expected(sizes: np.ndarray) -> np.ndarray:
        x = np.array(encode(checkpoint.column_specs, list(values.T)), np.float64)
        x[:, 0] = 3 * np.arcsinh((sizes - 10) / 4 / 3)
        return expected_values(scaling, members_by_hand(checkpoint, x).mean(axis=0), residuals)

    x = encode(checkpoint.column_specs, list(values.T))
    inside = (lambda scaled: (scaled > ends[0]) & (scaled < ends[1]))(members_by_hand(checkpoint, x).mean(axis=0))
    assert inside.sum() > 5
    step = 1e-6
    slopes = (expected(values[:, 0] + 4 * step) - expected(values[:, 0] - 4 * step)) / (2 * step)
    found = input_gradient_sizes(checkpoint, x[inside])[0]
    assert found == pytest.approx(np.abs(slopes[inside]).mean(), rel=1e-3)


def linear_checkpoint(task: str) -> Checkpoint:
    """A checkpoint that depends on size and colour, and not on the useless column. The constant has a large weight."""
    network = Network((INPUTS, 1), "tanh", task)
    weight = np.array([[[2.0], [0.5], [0.7], [-0.7], [3.0], [0.0]]] * 2, np.float32)
    params = [Layer(jnp.asarray(weight), jnp.zeros((2, 1)))]
    example = checkpoint_of(task)
    return Checkpoint(
        (Members(network, params),),
        COLUMNS,
        "y",
        example.classes,
        RECORD,
        COLUMN_SPECS,
        target_scaling=example.target_scaling,
    )


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_an_informative_column_is_ranked_above_a_useless_one_and_a_constant_one(task: str) -> None:
    checkpoint, values = linear_checkpoint(task), values_of(200)
    x = encode(COLUMN_SPECS, list(values.T))
    mean = predictions_by_hand(checkpoint.params, x, checkpoint.network).mean(axis=0)
    y = checkpoint.target_scaling.unscale(mean) if task == "regression" else (mean >= 0.5).astype(float)
    importances = column_importances(checkpoint, values, y, seed=3)
    assert [each.name for each in importances[:2]] == ["size", "colour"]
    size, colour, *others = importances
    assert size.loss_rise > colour.loss_rise > 0
    assert min(size.spread, colour.spread) > 0
    assert {each.name for each in others} == {"constant", "useless"}
    assert [(each.loss_rise, each.spread, each.gradient) for each in others] == [(0.0, 0.0, 0.0)] * 2
    slope = checkpoint.target_scaling.scale if task == "regression" else (mean * (1 - mean)).mean()
    assert size.gradient == pytest.approx(slope * (2.0 + 0.5), rel=1e-4)
    assert colour.gradient == pytest.approx(slope * (0.7 + 0.7), rel=1e-4)


def test_the_seed_decides_the_shuffles() -> None:
    checkpoint, values = linear_checkpoint("binary"), values_of(50)
    y = (values[:, 3] > 0).astype(float)
    first = column_importances(checkpoint, values, y, seed=3)
    assert first == column_importances(checkpoint, values, y, seed=3)
    assert first != column_importances(checkpoint, values, y, seed=4)


def test_shuffling_the_only_column_doubles_the_mean_square() -> None:
    """The prediction is the column itself. A shuffled value is independent of the target and has the same variance."""
    network = Network((1, 1), task="regression")
    values = np.random.default_rng(5).normal(size=(4000, 1))
    params = [Layer(jnp.ones((1, 1)), jnp.zeros(1))]
    checkpoint = Checkpoint((Members(network, params),), ("a",), "y", (), RECORD)
    [importance] = column_importances(checkpoint, values, values[:, 0])
    assert importance.loss_rise == pytest.approx(np.sqrt(2) * values.std(), rel=0.03)
