"""The arrays of a trace are those of the functions that compute them elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings

from model import Layer, Network, chain_rule, init_params, logits, loss, predict, trace, truth_table
from model.activations import ACTIVATIONS
from model.network import preactivations
from tests.examples import ensemble_of, same_bits
from tests.explaining.networks import NETWORKS, Arguments, arguments, drawn_example, example_of

pytestmark = pytest.mark.core


@settings(max_examples=10)
@given(drawn=arguments())
def test_the_numbers_are_bit_for_bit_those_of_the_functions(drawn: Arguments) -> None:
    example = drawn_example(drawn)
    params, x, y, network = example
    traced = trace(params, x, y, network, 0.1)
    zs = preactivations(params, x, network)
    assert same_bits(traced.preactivations, zs)
    assert same_bits(traced.inputs, [x, *(ACTIVATIONS[network.activation](z) for z in zs[:-1])])
    assert same_bits(np.ravel(traced.predictions), np.ravel(predict(params, x, network)))
    assert same_bits(np.ravel(traced.preactivations[-1]), np.ravel(logits(params, x, network)))
    assert same_bits(traced.loss, loss(params, x, y, network))
    assert same_bits(traced.grads, chain_rule(params, x, y, network))
    assert same_bits(traced.loss_after, loss(traced.updated, x, y, network))


@settings(max_examples=10)
@given(drawn=arguments())
def test_the_gradient_and_the_step_are_those_of_jax_and_optax(drawn: Arguments) -> None:
    example = drawn_example(drawn)
    params, x, y, network = example
    traced = trace(params, x, y, network, 0.1)
    grads = jax.jit(jax.grad(loss))(params, x, y, network)
    for found, expected in zip(jax.tree.leaves(traced.grads), jax.tree.leaves(grads), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * (1 + float(jnp.abs(expected).max())))
    descent = optax.sgd(0.1)
    updates, _ = descent.update(traced.grads, descent.init(params))
    assert same_bits(traced.updated, optax.apply_updates(params, updates))


@settings(max_examples=10)
@given(drawn=arguments())
def test_a_delta_is_the_derivative_by_what_is_added_to_a_z(drawn: Arguments) -> None:
    """The same number is added to the z of one row: JAX differentiates by it, through a network written anew."""
    example = drawn_example(drawn)
    params, x, y, network = example
    activate = ACTIVATIONS[network.activation]

    def loss_with(offsets: list[jax.Array]) -> jax.Array:
        a = jnp.asarray(x)
        for index, (layer, offset) in enumerate(zip(params, offsets, strict=True)):
            z = jnp.dot(a, layer.weight) + layer.bias[None] + offset
            a = activate(z) if index < len(params) - 1 else z
        identity = [Layer(jnp.eye(z.shape[1]), jnp.zeros(z.shape[1]))]
        return loss(identity, a, y, Network((z.shape[1], z.shape[1]), "relu", network.task))

    traced = trace(params, x, y, network)
    deltas = jax.jit(jax.grad(loss_with))([jnp.zeros(z.shape) for z in traced.preactivations])
    for found, expected in zip(traced.deltas, deltas, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * (1 + float(jnp.abs(expected).max())))


def test_the_loss_is_the_mean_of_the_losses_and_a_small_step_lowers_it() -> None:
    for place in (0, 5, 8):
        assert NETWORKS[place].task == ("binary", "multiclass", "regression")[place // 4]
        traced = trace(*example_of(NETWORKS[place], rows=3, seed=1), learning_rate=1e-3)
        assert float(traced.loss) == pytest.approx(float(np.mean(traced.losses)), rel=1e-6)
        assert traced.loss_after < traced.loss


def test_it_can_be_compiled_and_mapped() -> None:
    table, network = truth_table("xor"), Network((2, 3, 1), "tanh")
    params = init_params(network, key=jax.random.key(0))
    plain, compiled = trace(params, table.x, table.y, network), jax.jit(trace)(params, table.x, table.y, network)
    assert jax.tree.structure(plain) == jax.tree.structure(compiled)
    for one, other in zip(jax.tree.leaves(plain), jax.tree.leaves(compiled), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    several = jax.vmap(lambda each: trace(each, jnp.asarray(table.x), jnp.asarray(table.y), network).loss)
    assert several(ensemble_of(network, 3)).shape == (3,)


def test_nan_is_passed_on() -> None:
    network, table = Network((2, 2, 1), "tanh"), truth_table("xor")
    params = init_params(network, key=jax.random.key(0))
    params[0] = Layer(params[0].weight.at[0, 0].set(jnp.nan), params[0].bias)
    traced = trace(params, table.x, table.y, network)
    assert np.isnan(traced.loss)
    assert np.isnan(np.asarray(traced.updated[0].weight)).any()


def test_what_does_not_fit_is_refused(without_shape_checks: None) -> None:
    network, table = Network((2, 2, 1)), truth_table("xor")
    params = init_params(network, key=jax.random.key(0))
    with pytest.raises(ValueError, match="x must have at least one row, not none"):
        trace(params, table.x[:0], table.y[:0], network)
    with pytest.raises(ValueError, match=r"x must have the shape \[rows, 2\]"):
        trace(params, table.x[0], table.y[:1], network)
    with pytest.raises(ValueError, match="y must have the logits' shape"):
        trace(params, table.x, table.y[:3], network)
    with pytest.raises(ValueError, match="params must have the layers"):
        trace(params, table.x, table.y, Network((2, 3, 1)))
    with pytest.raises(ValueError, match="params must be those of one network"):
        trace(jax.tree.map(lambda leaf: leaf[..., None], params), table.x, table.y, network)
