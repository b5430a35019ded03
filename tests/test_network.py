"""The network, against the same computation in NumPy, and under JAX's transformations."""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from model import Layer, Network, chain_rule, check_gradients, init_params, logits, loss, predict
from model.activations import ACTIVATIONS
from model.network import as_layers, parameter_count, preactivations
from model.tasks import cross_entropy
from tests.examples import same_bits
from tests.extent import extent

pytestmark = pytest.mark.core

NUMPY_ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": special.expit,
    "gelu": lambda z: z * 0.5 * (1 + special.erf(z / np.sqrt(2))),
}


def numpy_logits(params: Any, x: np.ndarray, activation: str) -> np.ndarray:
    """The logits, [rows, outputs] float64."""
    a = x.astype(np.float64)
    for index, (weight, bias) in enumerate(params):
        z = a @ np.asarray(weight, np.float64) + np.asarray(bias, np.float64)
        a = NUMPY_ACTIVATIONS[activation](z) if index < len(params) - 1 else z
    return a


def numpy_loss(z: np.ndarray, y: np.ndarray) -> float:
    """The mean cross-entropy of binary targets."""
    return float(np.mean(-y * special.log_expit(z) - (1 - y) * special.log_expit(-z)))


@pytest.mark.slow
@settings(max_examples=extent(12, 6))
@given(
    sizes=st.lists(st.sampled_from([1, 2, 3, 8, 9, 12]), min_size=2, max_size=5),
    activation=st.sampled_from(list(ACTIVATIONS)),
    rows=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_logits_predictions_and_loss_are_those_of_numpy(
    sizes: list[int], activation: str, rows: int, seed: int
) -> None:
    network = Network(sizes, activation)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, network.sizes[0])).astype(np.float32)
    params = init_params(network, key=jax.random.key(seed))
    expected = numpy_logits(params, x, network.activation)
    y = rng.uniform(size=expected.shape).astype(np.float32)
    if network.sizes[-1] == 1:
        expected, y = expected[:, 0], y[:, 0]
    scale = np.max(np.abs(expected)) + 1
    np.testing.assert_allclose(logits(params, x, network) / scale, expected / scale, atol=2e-5)
    np.testing.assert_allclose(predict(params, x, network), special.expit(expected), atol=1e-3)
    np.testing.assert_allclose(loss(params, x, y, network), numpy_loss(expected, y), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("sizes", [(2, 2, 1), (3, 9, 2)])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_restarts_on_a_trailing_axis_are_computed_as_single_networks(sizes: tuple[int, ...], activation: str) -> None:
    network = Network(sizes, activation)
    single = [init_params(network, key=jax.random.key(seed)) for seed in range(5)]
    restarts = jax.tree.map(lambda *leaves: jnp.stack(leaves, axis=-1), *single)
    x = np.random.default_rng(0).normal(size=(4, sizes[0])).astype(np.float32)
    y = np.ones((4, sizes[-1]), np.float32).squeeze()
    all_logits, all_losses = logits(restarts, x, network), loss(restarts, x, y, network)
    for index, params in enumerate(single):
        np.testing.assert_allclose(all_logits[..., index], logits(params, x, network), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(all_losses[index], loss(params, x, y, network), rtol=1e-5)


def test_a_wide_network_agrees_with_numpy() -> None:
    network = Network((784, 512, 512, 10))
    params = init_params(network, key=jax.random.key(0))
    x = np.random.default_rng(0).normal(size=(3, 784)).astype(np.float32)
    expected = numpy_logits(params, x, "relu")
    assert logits(params, x, network).shape == (3, 10)
    np.testing.assert_allclose(logits(params, x, network), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("z", [1e4, -1e4, 0.0, 88.0, -88.0, 3e38, -3e38])
@pytest.mark.parametrize("y", [0.0, 1.0, 0.25])
def test_the_loss_and_its_derivative_are_finite_for_large_logits(z: float, y: float) -> None:
    value, slope = jax.value_and_grad(cross_entropy)(jnp.float32(z), jnp.float32(y))
    assert value.dtype == jnp.float32
    assert np.isfinite([value, slope]).all()
    assert value == pytest.approx(-y * special.log_expit(z) - (1 - y) * special.log_expit(-z), rel=1e-6, abs=1e-30)
    assert slope == pytest.approx(special.expit(z) - y, abs=1e-7)


def test_a_network_with_large_logits_has_a_finite_loss_and_gradient() -> None:
    network = Network((1, 1))
    params = [Layer(jnp.array([[1e4]], jnp.float32), jnp.zeros(1))]
    x, y = jnp.array([[1.0], [-1.0]]), jnp.array([0.0, 1.0])
    value, grads = jax.value_and_grad(loss)(params, x, y, network)
    assert float(value) == 1e4
    np.testing.assert_array_equal(grads[0].weight, [[1.0]])


def test_the_loss_has_a_derivative_by_its_targets() -> None:
    assert jax.grad(cross_entropy, argnums=1)(jnp.float32(0.7), jnp.float32(1.0)) == pytest.approx(-0.7)


def test_whole_numbers_give_the_same_gradient_as_floats() -> None:
    network = Network((2, 3, 1))
    params = init_params(network, key=jax.random.key(0))
    x, y = np.array([[0, 1], [1, 1]]), np.array([1, 0])
    of_integers = jax.grad(loss)(params, x, y, network)
    of_floats = jax.grad(loss)(params, x.astype(np.float32), y.astype(np.float32), network)
    for found, expected in zip(jax.tree.leaves(of_integers), jax.tree.leaves(of_floats), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert check_gradients(loss, params, x, y, network, by_hand=chain_rule).ok


def test_initial_parameters_are_standard_normal_and_depend_only_on_the_key() -> None:
    network = Network((100, 100, 1))
    params = init_params(network, key=jax.random.key(3))
    values = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])
    assert values.dtype == np.float32
    assert abs(values.mean()) < 0.05
    assert abs(values.std() - 1) < 0.05
    assert same_bits(params, init_params(network, key=jax.random.key(3)))
    assert not (params[0].weight == init_params(network, key=jax.random.key(4))[0].weight).any()


def test_every_transformation_of_jax_works() -> None:
    network = Network((2, 3, 1), "tanh")
    params = init_params(network, key=jax.random.key(0))
    x, y = jnp.ones((4, 2)), jnp.zeros(4)
    hessian = jax.jit(jax.hessian(loss))(params, x, y, network)
    assert hessian[0].weight[0].weight.shape == (2, 3, 2, 3)
    value, tangent = jax.jvp(lambda p: loss(p, x, y, network), (params,), (params,))
    assert value.shape == tangent.shape == ()
    by_row = jax.vmap(lambda row: predict(params, row[None], network)[0])(x)
    np.testing.assert_allclose(by_row, predict(params, x, network), rtol=1e-6)
    keys = jax.random.split(jax.random.key(0), 7)
    batched = jax.vmap(lambda key: init_params(network, key=key))(keys)
    losses = jax.vmap(loss, in_axes=(0, None, None, None))(batched, x, y, network)
    assert losses.shape == (7,)


def test_a_network_is_hashable_and_takes_a_list() -> None:
    assert Network([2, 2, 1]) == Network((2, 2, 1))
    assert hash(Network([2, 2, 1])) == hash(Network((2, 2, 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": (2,)}, "sizes must be two or more whole numbers of at least 1, such as (2, 2, 1), not (2,)"),
        (
            {"sizes": (2, 0, 1)},
            "sizes must be two or more whole numbers of at least 1, such as (2, 2, 1), not (2, 0, 1)",
        ),
        ({"sizes": (2, 1), "activation": "elu"}, "activation must be one of relu, tanh, sigmoid, gelu, not 'elu'"),
        ({"sizes": (2, 1), "task": "poetry"}, "task must be one of binary, multiclass, regression, not 'poetry'"),
    ],
)
def test_a_network_that_cannot_be_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        Network(**arguments)
    assert str(caught.value) == message


def test_shapes_that_do_not_fit_are_refused() -> None:
    network = Network((2, 2, 1))
    params = init_params(network, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"x must have the shape \[rows, 2\] .* not \[4, 3\]"):
        logits(params, jnp.ones((4, 3)), network)
    with pytest.raises(ValueError, match="params must have the layers of"):
        logits(params[:1], jnp.ones((4, 2)), network)
    with pytest.raises(ValueError, match=r"y must have the logits' shape \[4\], not \[4, 1\]"):
        loss(params, jnp.ones((4, 2)), jnp.ones((4, 1)), network)


def test_the_last_preactivation_is_the_logits() -> None:
    network = Network((2, 3, 1))
    params = init_params(network, key=jax.random.key(0))
    zs = preactivations(params, jnp.ones((4, 2)), network)
    assert [z.shape for z in zs] == [(4, 3), (4, 1)]
    np.testing.assert_array_equal(zs[-1][:, 0], logits(params, jnp.ones((4, 2)), network))


def test_he_normal_parameters_have_the_variance_2_by_inputs_and_a_small_last_layer() -> None:
    network = Network((200, 100, 50))
    first, last = init_params(network, key=jax.random.key(0), init="he")
    assert float(first.weight.std()) == pytest.approx(np.sqrt(2 / 200), rel=0.02)
    assert float(last.weight.std()) == pytest.approx(0.1 * np.sqrt(2 / 100), rel=0.05)
    assert not first.bias.any()
    assert not last.bias.any()


def test_an_unknown_init_is_refused() -> None:
    with pytest.raises(ValueError, match="init must be one of normal, he, not 'zeros'"):
        init_params(Network((2, 1)), key=jax.random.key(0), init="zeros")


@pytest.mark.parametrize("sizes", [(2, 1), (1, 3, 2), (4, 3, 5, 1)])
def test_a_vector_of_all_parameters_is_cut_into_layers(sizes: tuple[int, ...]) -> None:
    network = Network(sizes)
    vector = jnp.arange(float(parameter_count(network)))
    layers = as_layers(vector, network)
    assert [layer.weight.shape for layer in layers] == list(pairwise(sizes))
    np.testing.assert_array_equal(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(layers)]), vector)
