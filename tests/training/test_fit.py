"""Training against SGD by hand, and what it promises: the same bits, restarts that are alone what they are together."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from model import DivergedError, Network, Table, chain_rule, fit, init_params, logits, loss, train, truth_table
from model.training.state import initial_state

pytestmark = pytest.mark.core

NETWORK = Network((2, 2, 1))
XOR = truth_table("xor")
KEY = jax.random.key(0)


def same_bits(a: Any, b: Any) -> bool:
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in leaves)


def sgd_by_hand(params: Any, epochs: int, learning_rate: float) -> Any:
    for _ in range(epochs):
        grads = chain_rule(params, XOR.x, XOR.y, NETWORK)
        params = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
    return params


def test_training_is_sgd() -> None:
    result = fit(NETWORK, XOR, key=KEY, epochs=20, restarts=1, learning_rate=0.5, log_every=10)
    expected = sgd_by_hand(init_params(NETWORK, key=jax.random.fold_in(KEY, 0)), 20, 0.5)
    for found, wanted in zip(jax.tree.leaves(result.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert result.history.epochs.tolist() == [10, 20]
    assert result.history.losses[-1, 0] == result.loss
    assert result.loss == pytest.approx(float(loss(expected, XOR.x, XOR.y, NETWORK)), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "transformation"),
    [("sgd", optax.sgd(0.05)), ("momentum", optax.sgd(0.05, momentum=0.9)), ("adam", optax.adam(0.05))],
)
def test_an_optimizer_by_name_is_optaxs(name: str, transformation: Any) -> None:
    by_name = fit(NETWORK, XOR, key=KEY, epochs=50, restarts=3, optimizer=name, learning_rate=0.05)
    by_hand = fit(NETWORK, XOR, key=KEY, epochs=50, restarts=3, optimizer=transformation)
    assert same_bits(by_name.params, by_hand.params)
    params = init_params(NETWORK, key=jax.random.fold_in(KEY, by_name.best))
    opt_state = transformation.init(params)
    for _ in range(50):
        grads = jax.grad(loss)(params, XOR.x, XOR.y, NETWORK)
        updates, opt_state = transformation.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
    for found, wanted in zip(jax.tree.leaves(by_name.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=1e-5)


def test_an_optimizer_sees_one_restart_at_a_time() -> None:
    """Clipping by the global norm would mix the restarts if it saw them all at once."""
    clipped = optax.chain(optax.clip_by_global_norm(0.01), optax.sgd(1.0))
    together = fit(NETWORK, XOR, key=KEY, epochs=30, restarts=5, optimizer=clipped)
    alone = fit(NETWORK, XOR, key=KEY, epochs=30, restarts=1, optimizer=clipped)
    assert together.losses[0] == pytest.approx(alone.losses[0], rel=1e-5)


@pytest.mark.parametrize("restarts", [2, 64, 100])
def test_restart_0_starts_from_the_same_parameters_and_agrees_to_rounding(restarts: int) -> None:
    sgd = optax.sgd(0.01)
    alone = initial_state(KEY, NETWORK, sgd, 1).params
    together = initial_state(KEY, NETWORK, sgd, restarts).params
    assert same_bits(jax.tree.map(lambda leaf: leaf[0], alone), jax.tree.map(lambda leaf: leaf[0, ..., 0], together))
    assert same_bits(jax.tree.map(lambda leaf: leaf[0], alone), init_params(NETWORK, key=jax.random.fold_in(KEY, 0)))
    one = fit(NETWORK, XOR, key=KEY, epochs=1000, restarts=1)
    many = fit(NETWORK, XOR, key=KEY, epochs=1000, restarts=restarts)
    assert many.history.losses.shape == (10, restarts)
    np.testing.assert_allclose(many.history.losses[:, 0], one.history.losses[:, 0], rtol=1e-5)


def test_the_best_restart_is_kept() -> None:
    result = fit(NETWORK, XOR, key=KEY, epochs=5000, restarts=100)
    assert result.best == np.argmin(result.losses)
    assert result.loss == result.losses.min() == result.history.losses[-1].min()
    assert result.loss == pytest.approx(float(loss(result.params, XOR.x, XOR.y, NETWORK)), rel=1e-5)
    assert result.restarts == 100


def test_solved_counts_the_restarts_with_every_row_right() -> None:
    expected = 0
    for restart in range(12):
        params = sgd_by_hand_scanned(init_params(NETWORK, key=jax.random.fold_in(KEY, restart)), 20_000)
        expected += bool(((logits(params, XOR.x, NETWORK) > 0) == (XOR.y > 0.5)).all())
    result = fit(NETWORK, XOR, key=KEY, epochs=20_000, restarts=12)
    assert result.solved == expected > 0


@jax.jit
def sgd_by_hand_scanned(params: Any, epochs: int) -> Any:
    def epoch(_: Any, params: Any) -> Any:
        grads = chain_rule(params, jnp.asarray(XOR.x), jnp.asarray(XOR.y), NETWORK)
        return jax.tree.map(lambda p, g: p - 0.01 * g, params, grads)

    return jax.lax.fori_loop(0, epochs, epoch, params)


def test_the_same_call_gives_the_same_bits_however_it_falls_into_stretches() -> None:
    first = fit(NETWORK, XOR, key=KEY, epochs=3050, restarts=5)
    assert same_bits(first.params, fit(NETWORK, XOR, key=KEY, epochs=3050, restarts=5).params)
    fine = list(train(NETWORK, XOR, key=KEY, epochs=3050, restarts=5, stretch_seconds=1e-4))
    assert len(fine) > 10
    result = fine[-1].result()
    assert same_bits(first.params, result.params)
    np.testing.assert_array_equal(first.history.losses, result.history.losses)
    np.testing.assert_array_equal(first.history.epochs, np.arange(100, 3001, 100))
    assert first.epoch == result.epoch == 3050
    other = fit(NETWORK, XOR, key=KEY, epochs=3050, restarts=5, log_every=7)
    assert same_bits(first.params, other.params)
    assert other.history.epochs.tolist() == list(range(7, 3051, 7))


def test_stretches_stay_short_whatever_log_every_is() -> None:
    stretches = train(NETWORK, XOR, key=KEY, epochs=10**9, restarts=64, log_every=10**9)
    epochs = [next(stretches).epoch for _ in range(6)]
    assert epochs == sorted(set(epochs))
    assert epochs[-1] < 10**8


def test_a_run_that_diverges_names_the_first_epoch() -> None:
    table = Table(XOR.x, XOR.y, XOR.columns, XOR.target)
    growing = optax.GradientTransformation(
        lambda params: jnp.zeros((), jnp.int32),
        lambda grads, count, params: (
            jax.tree.map(lambda g: jnp.where(count == 1233, jnp.nan, 0.0 * g), grads),
            count + 1,
        ),
    )
    for restarts, log_every in ((1, 100), (3, 100), (3, 10**6)):
        with pytest.raises(
            DivergedError, match=r"diverged: after epoch 1,234 .* try a smaller learning rate"
        ) as caught:
            fit(NETWORK, table, key=KEY, epochs=5000, restarts=restarts, optimizer=growing, log_every=log_every)
        assert caught.value.epoch == 1234


def test_restarts_that_diverge_lose_to_those_that_do_not() -> None:
    """A step that ruins every network whose first bias is above 0."""

    def update(grads: Any, state: Any, params: Any) -> Any:
        ruined = params[0].bias[0] > 0
        return jax.tree.map(lambda g: jnp.where(ruined, jnp.nan, -0.01 * g), grads), state

    ruinous = optax.GradientTransformation(lambda params: (), update)
    result = fit(NETWORK, XOR, key=KEY, epochs=10, restarts=20, optimizer=ruinous)
    assert 0 < np.isnan(result.losses).sum() < 20
    assert np.isfinite(result.loss)
    assert result.loss == np.nanmin(result.losses)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number from 1 to 2^63 - 1, not 0"),
        ({"restarts": 0}, "restarts must be a whole number from 1 to 2^63 - 1, not 0"),
        ({"log_every": -1}, "log_every must be a whole number from 1 to 2^63 - 1, not -1"),
        ({"log_every": 2**63}, "log_every must be a whole number from 1 to 2^63 - 1, not 9223372036854775808"),
        ({"optimizer": "lbfgs"}, "the optimizer must be one of sgd, momentum, adam, not 'lbfgs'"),
        ({"learning_rate": 0.0}, "the learning rate must be a finite number above 0 in float32, not 0.0"),
        ({"learning_rate": 1e39}, "the learning rate must be a finite number above 0 in float32, not 1e+39"),
        ({"learning_rate": 1e-39}, "the learning rate must be a finite number above 0 in float32, not 1e-39"),
        ({"learning_rate": "fast"}, "the learning rate must be a finite number above 0 in float32, not fast"),
        ({"weight_decay": ["much"]}, "weight_decay must be finite numbers from 0, not ('much',)"),
        ({"clip": None}, "clip must be a finite number from 0, not None"),
        ({"learning_rate": float("nan")}, "the learning rate must be a finite number above 0 in float32, not nan"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        train(NETWORK, XOR, key=KEY, **options)


def test_a_table_without_rows_is_refused() -> None:
    empty = Table(XOR.x[:0], XOR.y[:0], XOR.columns, XOR.target)
    with pytest.raises(ValueError, match="the table must have at least one row, and it has none"):
        train(NETWORK, empty, key=KEY)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("train(network, xor, key=key, epochs=1e5)", "epochs must be a whole number from 1 to 2^63 - 1, not 100000.0"),
        ("train(network, xor, key=key, restarts=True)", "restarts must be a whole number from 1 to 2^63 - 1, not True"),
        ("train(network, replace(xor, x=[[0, 0]]), key=key)", "x must be an array, not a list"),
        ("predict(params, [[0, 0]], network)", "x must be an array, not a list; numpy.array makes one of it"),
        ("loss(params, xor.x, [0, 1, 1, 0], network)", "y must be an array, not a list"),
    ],
)
def test_values_of_a_wrong_type_are_refused_in_one_sentence(call: str, message: str) -> None:
    """In a process of its own, without the checks of types that these tests run under."""
    script = "from dataclasses import replace; import jax; from model import *; network = Network((2, 2, 1)); "
    script += f"key = jax.random.key(0); params = init_params(network, key=key); xor = truth_table('xor'); {call}"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=120
    )
    assert run.stderr.splitlines()[-1].startswith(f"ValueError: {message}")


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [optax.lbfgs(), optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau())])
def test_an_optimizer_may_ask_for_the_value_and_the_function(optimizer: Any) -> None:
    together = fit(NETWORK, XOR, key=KEY, epochs=20, restarts=5, optimizer=optimizer)
    params = init_params(NETWORK, key=jax.random.fold_in(KEY, together.best))
    opt_state = optimizer.init(params)

    def value_fn(params: Any) -> Any:
        return loss(params, XOR.x, XOR.y, NETWORK)

    @jax.jit
    def step(params: Any, opt_state: Any) -> Any:
        value, grad = jax.value_and_grad(value_fn)(params)
        updates, opt_state = optimizer.update(grad, opt_state, params, value=value, grad=grad, value_fn=value_fn)
        return optax.apply_updates(params, updates), opt_state

    for _ in range(20):
        params, opt_state = step(params, opt_state)
    assert together.loss == pytest.approx(float(value_fn(params)), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu"])
def test_every_activation_learns(activation: str) -> None:
    result = fit(Network((2, 4, 1), activation), XOR, key=KEY, epochs=3000, restarts=8, optimizer="adam")
    assert result.solved > 0
    assert result.loss < 0.3


@pytest.mark.slow
def test_fifty_seeds_all_solve_xor() -> None:
    """Of which `python -m bench.seeds` tries two hundred."""
    for seed in range(50):
        result = fit(NETWORK, XOR, key=jax.random.key(seed))
        labels = logits(result.params, XOR.x, NETWORK) > 0
        assert labels.tolist() == [False, True, True, False], f"seed {seed}"
        assert result.loss < 0.01, f"seed {seed}"
        assert result.solved >= 1, f"seed {seed}"
