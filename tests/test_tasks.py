"""The three tasks: their losses and derivatives, against NumPy, SciPy and simpler formulas."""

import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from model import Layer, Network, chain_rule, check_gradients, init_params, logits, loss, predict
from model.tasks import TASKS, cross_entropy, softmax_cross_entropy, squared_error

ROWS = 4
NETWORKS = {
    "binary": Network((2, 3, 1), "tanh"),
    "binary of two outputs": Network((2, 3, 2), "tanh"),
    "multiclass": Network((2, 3, 3), "tanh", "multiclass"),
    "regression": Network((2, 3, 1), "tanh", "regression"),
    "regression of two outputs": Network((2, 3, 2), "tanh", "regression"),
}
X = np.random.default_rng(0).normal(size=(ROWS, 2)).astype(np.float32)
WEIGHTS = np.array([0.0, 1.0, 2.5, 0.5], np.float32)
PARAMS = {name: init_params(network, key=jax.random.key(3)) for name, network in NETWORKS.items()}


def targets_of(name: str) -> np.ndarray:
    """Random targets for a network."""
    rng, outputs = np.random.default_rng(1), NETWORKS[name].sizes[-1]
    shape = (ROWS,) if outputs == 1 else (ROWS, outputs)
    if name == "multiclass":
        return np.array([2, 0, 1, 2])
    return rng.normal(size=shape) if name.startswith("regression") else rng.integers(0, 2, shape).astype(float)


def losses_by_hand(name: str) -> np.ndarray:
    """The loss of each row, by NumPy in float64: the mean over its outputs."""
    (w1, b1), (w2, b2) = [[np.asarray(part, np.float64) for part in layer] for layer in PARAMS[name]]
    z, y = np.tanh(X @ w1 + b1) @ w2 + b2, targets_of(name)
    if name == "multiclass":
        return -scipy.special.log_softmax(z, axis=1)[np.arange(ROWS), y]
    y = y.reshape(z.shape)
    p = 1 / (1 + np.exp(-z))
    losses = (z - y) ** 2 if name.startswith("regression") else -y * np.log(p) - (1 - y) * np.log(1 - p)
    return losses.mean(axis=1)


@partial(jax.jit, static_argnums=0)
def losses_and_derivatives(losses: Any, z: Any, y: Any) -> Any:
    """The losses, and the derivatives of their sum by the logits and by the targets."""
    return losses(z, y), jax.grad(lambda z, y: losses(z, y).sum(), (0, 1))(z, y)


@settings(max_examples=40)
@given(st.sampled_from([1.0, 30.0, 1e4]), st.booleans(), st.integers(0, 2**31))
def test_softmax_cross_entropy_and_its_derivatives_are_those_of_scipy(
    scale: float, is_one_hot: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    z = (scale * rng.normal(size=(3, 4))).astype(np.float32)
    y = (np.eye(4)[rng.integers(0, 4, 3)] if is_one_hot else rng.dirichlet(np.ones(4), 3)).astype(np.float32)
    log_softmax = scipy.special.log_softmax(z.astype(np.float64), axis=1)
    losses, (by_z, by_y) = losses_and_derivatives(softmax_cross_entropy, z, y)
    np.testing.assert_allclose(losses, -(y * log_softmax).sum(axis=1), rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_allclose(by_z, np.exp(log_softmax) - y, atol=1e-6)
    np.testing.assert_allclose(by_y, -log_softmax, rtol=1e-5, atol=1e-6 * scale)


@settings(max_examples=40)
@given(st.sampled_from([1.0, 30.0, 1e4]), st.integers(0, 2**31))
def test_cross_entropy_squared_error_and_their_derivatives_are_those_of_numpy(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, y = (scale * rng.normal(size=6)).astype(np.float32), rng.uniform(size=6).astype(np.float32)
    z64, y64 = z.astype(np.float64), y.astype(np.float64)
    losses, (by_z, by_y) = losses_and_derivatives(cross_entropy, z, y)
    np.testing.assert_allclose(losses, np.logaddexp(0, z64) - z64 * y64, rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_allclose(by_z, scipy.special.expit(z64) - y64, atol=1e-6)
    np.testing.assert_allclose(by_y, -z64, rtol=1e-6)
    losses, (by_z, by_y) = losses_and_derivatives(squared_error, z, y)
    np.testing.assert_allclose(losses, (z64 - y64) ** 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_z, 2 * (z64 - y64), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_y, 2 * (y64 - z64), rtol=1e-5, atol=1e-6)


SIMPLE_FORMULAS = {
    "binary": lambda z, y: -jnp.sum(y * jnp.log(jax.nn.sigmoid(z)) + (1 - y) * jnp.log(1 - jax.nn.sigmoid(z))),
    "multiclass": lambda z, y: -jnp.sum(y * jnp.log(jnp.exp(z) / jnp.sum(jnp.exp(z), axis=1, keepdims=True))),
    "regression": lambda z, y: jnp.sum((z - y) * (z - y)),
}


@pytest.mark.parametrize("task", TASKS)
def test_first_and_second_derivatives_are_those_of_a_simple_formula(task: str) -> None:
    """The targets need not sum to 1."""
    rng = np.random.default_rng(4)

    @partial(jax.jit, static_argnums=0)
    def value_and_derivatives(function: Any, z: Any, y: Any) -> Any:
        return function(z, y), jax.grad(function, (0, 1))(z, y), jax.hessian(function, (0, 1))(z, y)

    with jax.enable_x64(True):
        z, y = jnp.asarray(rng.normal(size=(2, 3))), jnp.asarray(rng.uniform(size=(2, 3)))
        found = value_and_derivatives(lambda z, y: TASKS[task].losses(z, y).sum(), z, y)
        expected = value_and_derivatives(SIMPLE_FORMULAS[task], z, y)
        for found_leaf, expected_leaf in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(found_leaf, expected_leaf, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(TASKS[task].residual(z, y), expected[1][0], rtol=1e-9, atol=1e-12)


def test_a_network_that_is_certain_and_wrong_has_a_finite_loss_and_gradient() -> None:
    params = [Layer(jnp.array([[0.0, 0.0]]), jnp.array([1e4, -1e4]))]
    x = np.zeros((1, 1), np.float32)
    for task, y, expected in (("multiclass", np.array([1]), 2e4), ("binary", np.array([[0.0, 1.0]]), 1e4)):
        network = Network((1, 2), task=task)
        value, grads = jax.jit(jax.value_and_grad(loss))(params, x, y, network)
        assert float(value) == expected
        slope = 1.0 if task == "multiclass" else 0.5
        assert grads[0].bias.tolist() == [slope, -slope]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_loss_is_that_of_numpy_with_and_without_weights(name: str) -> None:
    args = (PARAMS[name], X, targets_of(name), NETWORKS[name])
    losses = losses_by_hand(name)
    assert float(loss(*args)) == pytest.approx(losses.mean(), rel=1e-5)
    assert float(loss(*args, WEIGHTS)) == pytest.approx((losses * WEIGHTS).mean(), rel=1e-5)


@pytest.mark.parametrize("name", ["binary of two outputs", "multiclass", "regression"])
def test_the_four_gradients_agree_with_and_without_weights(name: str) -> None:
    args = (PARAMS[name], X, targets_of(name), NETWORKS[name])
    for weights in ((), (WEIGHTS,)):
        report = check_gradients(loss, *args, *weights, by_hand=chain_rule)
        assert report.ok, str(report)
        assert report.max_relative_error <= 1e-6, str(report)


def test_a_chain_rule_without_the_weights_is_found() -> None:
    args = (PARAMS["regression"], X, targets_of("regression"), NETWORKS["regression"], WEIGHTS)
    assert not check_gradients(loss, *args, by_hand=lambda *args: chain_rule(*args[:4])).ok


def test_restarts_on_a_trailing_axis_are_computed_as_single_networks() -> None:
    network, y = NETWORKS["multiclass"], targets_of("multiclass")

    @jax.jit
    def losses_logits_and_predictions(params: Any) -> Any:
        losses = loss(params, X, y, network), loss(params, X, y, network, WEIGHTS)
        return *losses, logits(params, X, network), predict(params, X, network)

    draw = jax.jit(lambda seed: init_params(network, key=jax.random.key(seed)))
    single = [draw(seed) for seed in range(3)]
    of_restarts = losses_logits_and_predictions(jax.tree.map(lambda *leaves: np.stack(leaves, axis=-1), *single))
    assert of_restarts[0].shape == (3,)
    for found, *of_single in zip(of_restarts, *map(losses_logits_and_predictions, single), strict=True):
        np.testing.assert_allclose(found, np.stack(of_single, axis=-1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_prediction_is_a_probability_or_a_number(name: str) -> None:
    z = np.asarray(logits(PARAMS[name], X, NETWORKS[name]), np.float64)
    links = {"binary": scipy.special.expit, "multiclass": lambda z: scipy.special.softmax(z, axis=1)}
    expected = links.get(NETWORKS[name].task, np.asarray)(z)
    np.testing.assert_allclose(predict(PARAMS[name], X, NETWORKS[name]), expected, rtol=1e-5)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("name", "y", "message"),
    [
        ("multiclass", np.zeros((4, 3)), "y must have the shape of one class a row, [4], not [4, 3]"),
        ("multiclass", np.zeros(5, int), "y must have the shape of one class a row, [4], not [5]"),
        ("binary", np.zeros((4, 1)), "y must have the logits' shape [4], not [4, 1]"),
        ("binary of two outputs", np.zeros(4), "y must have the logits' shape [4, 2], not [4]"),
        ("regression", np.zeros(3), "y must have the outputs' shape [4], not [3]"),
        ("regression of two outputs", np.zeros((4, 3)), "y must have the outputs' shape [4, 2], not [4, 3]"),
    ],
)
def test_targets_of_a_wrong_shape_are_refused(name: str, y: np.ndarray, message: str) -> None:
    for function in (loss, chain_rule):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            function(PARAMS[name], X, y, NETWORKS[name])


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("shape", [(3,), (4, 1), ()])
def test_weights_of_a_wrong_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"weights must have the shape [4], not {list(shape)}")):
        loss(PARAMS["regression"], X, targets_of("regression"), NETWORKS["regression"], np.ones(shape))


@pytest.mark.usefixtures("without_shape_checks")
def test_a_list_of_weights_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^weights must be an array, not a list"):
        loss(PARAMS["regression"], X, targets_of("regression"), NETWORKS["regression"], [1.0] * ROWS)  # type: ignore


@pytest.mark.parametrize(
    ("sizes", "task", "message"),
    [
        ((2, 3, 1), "multiclass", "a multiclass network must have an output for each class, at least 2, not 1"),
        ((2, 1), "ranking", "task must be one of binary, multiclass, regression, not 'ranking'"),
    ],
)
def test_a_network_that_cannot_do_its_task_is_refused(sizes: tuple[int, ...], task: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Network(sizes, task=task)
