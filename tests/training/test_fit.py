"""Training with all rows at once, against SGD by hand: restarts, stretches, optimizers, and what is refused."""

import re
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from model import DivergedError, Network, Table, chain_rule, fit, init_params, logits, loss, predict, train
from model.training.state import initial_state
from tests.examples import same_bits
from tests.training.examples import KEY, TANH_NETWORK, XOR

pytestmark = pytest.mark.core

NETWORK = Network((2, 2, 1))
OUT_OF_RANGE = "must be a whole number from 1 to 2^63 - 1, not"
WRONG_RATE = "the learning rate must be a finite number above 0 in float32, not"


def init_restart(restart: int, network: Network = NETWORK) -> Any:
    """The parameters from which a restart starts."""
    return init_params(network, key=jax.random.fold_in(KEY, restart))


def sgd_by_hand(params: Any, epochs: int, learning_rate: float) -> Any:
    for _ in range(epochs):
        grads = chain_rule(params, XOR.x, XOR.y, NETWORK)
        params = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
    return params


@jax.jit
def compiled_sgd_by_hand(params: Any, epochs: int) -> Any:
    def epoch(_: Any, params: Any) -> Any:
        grads = chain_rule(params, jnp.asarray(XOR.x), jnp.asarray(XOR.y), NETWORK)
        return jax.tree.map(lambda p, g: p - 0.01 * g, params, grads)

    return jax.lax.fori_loop(0, epochs, epoch, params)


def assert_close(found: Any, expected: Any, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Check that two pytrees agree to rounding."""
    for leaf, expected_leaf in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(leaf, expected_leaf, rtol=rtol, atol=atol)


def test_training_is_sgd() -> None:
    result = fit(NETWORK, XOR, key=KEY, epochs=20, restarts=1, learning_rate=0.5, log_every=10)
    expected = sgd_by_hand(init_restart(0), 20, 0.5)
    assert_close(result.params, expected)
    assert result.history.epochs.tolist() == [10, 20]
    assert result.history.losses[-1, 0] == result.loss
    assert result.loss == pytest.approx(float(loss(expected, XOR.x, XOR.y, NETWORK)), rel=1e-5)


def test_the_cosine_schedule_scales_each_step() -> None:
    options: dict[str, Any] = {"epochs": 10, "restarts": 1, "learning_rate": 0.5, "schedule": "cosine", "log_every": 4}
    result = fit(TANH_NETWORK, XOR, key=KEY, **options)
    params = init_restart(0, TANH_NETWORK)
    for epoch in range(10):
        rate = np.float32(0.25 * (1 + np.cos(np.pi * epoch / 10)))
        grads = jax.grad(loss)(params, XOR.x, XOR.y, TANH_NETWORK)
        params = jax.tree.map(lambda p, g, rate=rate: np.asarray(p - rate * g), params, grads)
    assert_close(result.params, params)


@pytest.mark.parametrize(
    ("name", "transformation"),
    [("sgd", optax.sgd(0.05)), ("momentum", optax.sgd(0.05, momentum=0.9)), ("adam", optax.adam(0.05))],
)
def test_an_optimizer_by_name_trains_as_that_of_optax(name: str, transformation: Any) -> None:
    by_name = fit(NETWORK, XOR, key=KEY, epochs=50, restarts=3, optimizer=name, learning_rate=0.05)
    by_transformation = fit(NETWORK, XOR, key=KEY, epochs=50, restarts=3, optimizer=transformation)
    assert same_bits(by_name.params, by_transformation.params)
    params = init_restart(by_name.best)
    opt_state = transformation.init(params)
    for _ in range(50):
        grads = jax.grad(loss)(params, XOR.x, XOR.y, NETWORK)
        updates, opt_state = transformation.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
    assert_close(by_name.params, params, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", pytest.param(optax.lbfgs(), id="lbfgs", marks=pytest.mark.slow)])
def test_weights_train_as_repeated_rows_do(optimizer: Any) -> None:
    counts = np.array([1, 4, 2, 1])
    weighted = replace(XOR, weights=counts.astype(np.float32))
    repeated = replace(XOR, x=XOR.x.repeat(counts, axis=0), y=XOR.y.repeat(counts))
    options: dict[str, Any] = {"key": KEY, "epochs": 9, "restarts": 3, "optimizer": optimizer, "log_every": 1}
    even = replace(XOR, weights=np.ones(4, np.float32))
    by_weight, by_copies, evenly = (fit(TANH_NETWORK, table, **options) for table in (weighted, repeated, even))
    np.testing.assert_allclose(by_weight.history.losses, by_copies.history.losses, rtol=1e-4)
    for first, second in zip(*map(jax.tree.leaves, (by_weight.params, by_copies.params)), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-4)
    assert np.abs(by_weight.history.losses - evenly.history.losses).max() > 0.01


def test_an_optimizer_sees_one_restart_at_a_time() -> None:
    """Clipping by the global norm would mix the restarts if the optimizer saw them all at once."""
    clipped = optax.chain(optax.clip_by_global_norm(0.01), optax.sgd(1.0))
    together = fit(NETWORK, XOR, key=KEY, epochs=30, restarts=5, optimizer=clipped)
    alone = fit(NETWORK, XOR, key=KEY, epochs=30, restarts=1, optimizer=clipped)
    assert together.losses[0] == pytest.approx(alone.losses[0], rel=1e-5)


@pytest.mark.parametrize("restarts", [2, 64, 100])
def test_a_restart_trains_alike_alone_and_among_others(restarts: int) -> None:
    """It starts from the same bits, and its losses agree to rounding."""
    sgd = optax.sgd(0.01)
    alone = jax.tree.map(lambda leaf: leaf[0], initial_state(KEY, NETWORK, sgd, 1).params)
    together = jax.tree.map(lambda leaf: leaf[0, ..., 0], initial_state(KEY, NETWORK, sgd, restarts).params)
    assert same_bits(alone, together)
    assert same_bits(alone, init_restart(0))
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


def test_solved_counts_the_restarts_that_predict_every_row_right() -> None:
    expected = 0
    for restart in range(12):
        params = compiled_sgd_by_hand(init_restart(restart), 20_000)
        expected += bool(((logits(params, XOR.x, NETWORK) > 0) == (XOR.y > 0.5)).all())
    result = fit(NETWORK, XOR, key=KEY, epochs=20_000, restarts=12)
    assert result.solved == expected > 0


def test_the_same_call_gives_the_same_bits_however_the_epochs_fall_into_stretches() -> None:
    first = fit(NETWORK, XOR, key=KEY, epochs=3050, restarts=5)
    assert same_bits(first.params, fit(NETWORK, XOR, key=KEY, epochs=3050, restarts=5).params)
    snapshots = list(train(NETWORK, XOR, key=KEY, epochs=3050, restarts=5, stretch_seconds=1e-4))
    assert len(snapshots) > 10
    result = snapshots[-1].result()
    assert same_bits(first.params, result.params)
    np.testing.assert_array_equal(first.history.losses, result.history.losses)
    np.testing.assert_array_equal(first.history.epochs, np.arange(100, 3001, 100))
    assert first.epoch == result.epoch == 3050
    other = fit(NETWORK, XOR, key=KEY, epochs=3050, restarts=5, log_every=7)
    assert same_bits(first.params, other.params)
    assert other.history.epochs.tolist() == list(range(7, 3051, 7))


def test_stretches_are_short_even_if_log_every_is_large() -> None:
    stretches = train(NETWORK, XOR, key=KEY, epochs=10**9, restarts=64, log_every=10**9)
    epochs = [next(stretches).epoch for _ in range(6)]
    assert epochs == sorted(set(epochs))
    assert epochs[-1] < 10**8


def test_a_run_that_diverges_names_the_first_epoch_without_a_finite_loss() -> None:
    ends_at_1234 = optax.GradientTransformation(
        lambda params: jnp.zeros((), jnp.int32),
        lambda grads, count, params: (
            jax.tree.map(lambda g: jnp.where(count == 1233, jnp.nan, 0.0 * g), grads),
            count + 1,
        ),
    )
    message = r"diverged: after epoch 1,234 .* try a smaller learning rate"
    for restarts, log_every in ((1, 100), (3, 100), (3, 10**6)):
        with pytest.raises(DivergedError, match=message) as caught:
            fit(NETWORK, XOR, key=KEY, epochs=5000, restarts=restarts, optimizer=ends_at_1234, log_every=log_every)
        assert caught.value.epoch == 1234


def test_a_restart_that_diverges_is_not_the_best() -> None:
    """The optimizer turns every network whose first bias is above 0 into NaN."""

    def update(grads: Any, opt_state: Any, params: Any) -> Any:
        diverges = params[0].bias[0] > 0
        return jax.tree.map(lambda g: jnp.where(diverges, jnp.nan, -0.01 * g), grads), opt_state

    diverging = optax.GradientTransformation(lambda params: (), update)
    result = fit(NETWORK, XOR, key=KEY, epochs=10, restarts=20, optimizer=diverging)
    assert 0 < np.isnan(result.losses).sum() < 20
    assert np.isfinite(result.loss)
    assert result.loss == np.nanmin(result.losses)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, f"epochs {OUT_OF_RANGE} 0"),
        ({"restarts": 0}, f"restarts {OUT_OF_RANGE} 0"),
        ({"log_every": -1}, f"log_every {OUT_OF_RANGE} -1"),
        ({"log_every": 2**63}, f"log_every {OUT_OF_RANGE} 9223372036854775808"),
        ({"optimizer": "lbfgs"}, "the optimizer must be one of sgd, momentum, adam, not 'lbfgs'"),
        ({"learning_rate": 0.0}, f"{WRONG_RATE} 0.0"),
        ({"learning_rate": 1e39}, f"{WRONG_RATE} 1e+39"),
        ({"learning_rate": 1e-39}, f"{WRONG_RATE} 1e-39"),
        ({"learning_rate": "fast"}, f"{WRONG_RATE} fast"),
        ({"learning_rate": float("nan")}, f"{WRONG_RATE} nan"),
        ({"weight_decay": ["much"]}, "weight_decay must be finite numbers from 0, not ('much',)"),
        ({"clip": None}, "clip must be a finite number from 0, not None"),
    ],
)
def test_an_option_out_of_its_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        train(NETWORK, XOR, key=KEY, **options)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="momentum"):
        train(NETWORK, XOR, key=KEY, momentum=0.9)


def test_a_table_without_rows_is_refused() -> None:
    empty = Table(XOR.x[:0], XOR.y[:0], XOR.columns, XOR.target)
    with pytest.raises(ValueError, match="the table must have at least one row, and it has none"):
        train(NETWORK, empty, key=KEY)


def test_a_network_for_another_task_is_refused() -> None:
    with pytest.raises(ValueError, match="the network's task must be the table's, binary, not regression"):
        train(Network((2, 1), task="regression"), XOR, key=KEY)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("train(network, xor, key=key, epochs=1e5)", f"epochs {OUT_OF_RANGE} 100000.0"),
        ("train(network, xor, key=key, restarts=True)", f"restarts {OUT_OF_RANGE} True"),
        ("train(network, replace(xor, x=[[0, 0]]), key=key)", "x must be an array, not a list"),
        ("predict(params, [[0, 0]], network)", "x must be an array, not a list; numpy.array makes one of it"),
        ("loss(params, xor.x, [0, 1, 1, 0], network)", "y must be an array, not a list"),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_a_value_of_a_wrong_type_is_refused_in_one_sentence(call: str, message: str) -> None:
    names = {"network": NETWORK, "xor": XOR, "key": KEY, "params": init_restart(0)}
    functions = {"train": train, "predict": predict, "loss": loss, "replace": replace}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        eval(call, functions | names)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [optax.lbfgs(), optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau())])
def test_an_optimizer_may_need_the_value_and_the_function(optimizer: Any) -> None:
    together = fit(NETWORK, XOR, key=KEY, epochs=20, restarts=5, optimizer=optimizer)
    params = init_restart(together.best)
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
def test_a_network_with_any_activation_learns(activation: str) -> None:
    result = fit(Network((2, 4, 1), activation), XOR, key=KEY, epochs=3000, restarts=8, optimizer="adam")
    assert result.solved > 0
    assert result.loss < 0.3


@pytest.mark.slow
def test_xor_is_solved_from_fifty_seeds() -> None:
    """`python -m bench.seeds` tries two hundred seeds."""
    for seed in range(50):
        result = fit(NETWORK, XOR, key=jax.random.key(seed))
        labels = logits(result.params, XOR.x, NETWORK) > 0
        assert labels.tolist() == [False, True, True, False], f"seed {seed}"
        assert result.loss < 0.01, f"seed {seed}"
        assert result.solved >= 1, f"seed {seed}"
