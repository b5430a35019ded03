"""Training from given params, stretch by stretch."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from model import Layer, Network, Params, Table, fit, init_params, loss, point_set, train_params, truth_table
from model.training.train_params import opt_state_shapes, train_starts
from tests.examples import same_bits

XOR, NETWORK = truth_table("xor"), Network((2, 3, 1), "tanh")
OPTIMIZERS: dict[str, Any] = {
    "sgd": optax.sgd(0.02),
    "momentum": optax.sgd(0.02, momentum=0.9),
    "adam": optax.adam(0.02),
}


def params_of(seed: int, network: Network = NETWORK) -> Params:
    params: Params = jax.device_get(init_params(network, key=jax.random.key(seed)))
    return params


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_epoch_is_a_step_of_the_optimizer(name: str) -> None:
    optimizer, params = OPTIMIZERS[name], params_of(1)
    table = point_set("circles", 20, key=jax.random.key(1))
    expected: Any = jax.tree.map(jnp.asarray, params)
    state, losses = optimizer.init(expected), []

    @jax.jit
    def step(params: Any, state: Any) -> Any:
        updates, state = optimizer.update(jax.grad(loss)(params, table.x, table.y, NETWORK), state, params)
        params = optax.apply_updates(params, updates)
        return params, state, loss(params, table.x, table.y, NETWORK)

    for _ in range(6):
        expected, state, value = step(expected, state)
        losses.append(float(value))
    found = train_params(params, NETWORK, table, epochs=6, optimizer=name, learning_rate=0.02, records=6)
    for a, b in zip(jax.tree.leaves(found.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.losses, losses, rtol=1e-5)
    assert [leaf.shape for leaf in found.opt_state] == opt_state_shapes(name, NETWORK)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_is_what_fit_does(name: str) -> None:
    key = jax.random.key(0)
    expected = fit(NETWORK, XOR, key=key, epochs=200, restarts=1, optimizer=name)
    start = init_params(NETWORK, key=jax.random.fold_in(key, 0))
    found = train_params(start, NETWORK, XOR, epochs=200, optimizer=name)
    for a, b in zip(jax.tree.leaves(found.params), jax.tree.leaves(expected.params), strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-4, atol=1e-6)


def test_nothing_that_it_is_given_changes() -> None:
    params = params_of(2)
    before = [leaf.copy() for leaf in jax.tree.leaves(params)]
    first = train_params(params, NETWORK, XOR, epochs=3, optimizer="adam")
    state = [leaf.copy() for leaf in first.opt_state]
    train_params(first.params, NETWORK, XOR, epochs=3, optimizer="adam", opt_state=first.opt_state)
    assert same_bits(jax.tree.leaves(params), before)
    assert same_bits(first.opt_state, state)


def test_no_learning_rate_and_no_number_of_epochs_needs_a_program(compilations: list[str]) -> None:
    params = params_of(3)
    train_params(params, NETWORK, XOR, epochs=3, learning_rate=0.5)
    compilations.clear()
    for epochs, records, rate in ((1, 1, 0.1), (50, 7, 0.2), (1000, 1000, 1e-3)):
        assert len(train_params(params, NETWORK, XOR, epochs=epochs, records=records, learning_rate=rate).losses) > 0
    assert compilations == []


def test_weights_of_rows_count() -> None:
    params = params_of(4)
    weighted = replace(XOR, weights=np.array([1, 1, 5, 1], np.float32))
    doubled = Table(
        np.concatenate([XOR.x, XOR.x[[2, 2, 2, 2]]]), np.concatenate([XOR.y, XOR.y[[2, 2, 2, 2]]]), ("a", "b"), "xor"
    )
    one, other = (train_params(params, NETWORK, table, epochs=20).params for table in (weighted, doubled))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("init", ["normal", "he"])
def test_each_start_is_trained_as_if_it_were_alone(init: str) -> None:
    key = jax.random.key(9)
    params, losses = train_starts(NETWORK, XOR, key=key, starts=5, epochs=100, init=init, optimizer="momentum")
    for index in range(5):
        start = init_params(NETWORK, key=jax.random.fold_in(key, index), init=init)
        alone = train_params(start, NETWORK, XOR, epochs=100, optimizer="momentum")
        assert same_bits(jax.tree.map(lambda leaf, index=index: leaf[index], params), alone.params)
        assert losses[index] == alone.losses[-1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number from 1"),
        ({"epochs": 2**31}, "epochs must be a whole number from 1"),
        ({"records": 0}, "records must be a whole number from 1"),
        ({"records": 1025}, "records must be a whole number from 1"),
        ({"optimizer": "lion"}, "the optimizer must be one of"),
        ({"learning_rate": 0.0}, "the learning rate must be a finite number above 0"),
        ({"opt_state": [np.zeros(3)]}, "opt_state must have the shapes"),
    ],
)
def test_what_is_out_of_range_is_refused(wrong: dict[str, Any], message: str) -> None:
    options: dict[str, Any] = {"epochs": 5} | wrong
    with pytest.raises(ValueError, match=message):
        train_params(params_of(0), NETWORK, XOR, **options)


@pytest.mark.parametrize("wrong", [{"starts": 0}, {"init": "ones"}, {"epochs": 0}])
def test_starts_that_are_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    options: dict[str, Any] = {"starts": 2, "epochs": 5} | wrong
    with pytest.raises(ValueError, match="must be"):
        train_starts(NETWORK, XOR, key=jax.random.key(0), **options)


def test_params_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="params must have the layers"):
        train_params([Layer(np.zeros((2, 2), np.float32), np.zeros(2, np.float32))], Network((2, 1)), XOR, epochs=1)
