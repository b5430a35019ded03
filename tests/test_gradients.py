"""The four derivations of one gradient, and the check that compares them."""

import json
import threading
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import Layer, Network, chain_rule, check_gradients, init_params, jvp, loss, nudge, truth_table
from model import gradients as gradients_module
from model.network import ACTIVATIONS

pytestmark = pytest.mark.core


def agree(network: Network, rows: int, seed: int) -> None:
    params = init_params(network, key=jax.random.key(seed))
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, network.sizes[0]))
    outputs = network.sizes[-1]
    y = rng.integers(0, 2, size=rows if outputs == 1 else (rows, outputs)).astype(float)
    report = check_gradients(loss, params, x, y, network, by_hand=chain_rule)
    assert report.max_relative_error <= 1e-6, str(report)
    if network.activation != "relu":  # a bend as sharp as a corner may pass for one, but seldom
        assert sum(parameter.kink for parameter in report.parameters) <= len(report.parameters) / 20


@settings(max_examples=120)
@given(
    sizes=st.sampled_from([(3, 1), (9, 2), (2, 5, 1), (4, 3, 6, 2), (9, 4, 5, 3, 1)]),
    activation=st.sampled_from(list(ACTIVATIONS)),
    seed=st.integers(0, 2**31),
)
def test_the_four_agree(sizes: tuple[int, ...], activation: str, seed: int) -> None:
    """Networks of 1 to 4 layers with random parameters on random data; few shapes, since each compiles anew."""
    agree(Network(sizes, activation), rows=6, seed=seed)


@settings(max_examples=12)
@given(
    hidden=st.lists(st.integers(1, 7), max_size=3),
    activation=st.sampled_from(list(ACTIVATIONS)),
    rows=st.integers(1, 12),
    seed=st.integers(0, 2**31),
)
def test_the_four_agree_for_any_shape(hidden: list[int], activation: str, rows: int, seed: int) -> None:
    agree(Network((2, *hidden, 1), activation), rows, seed)


def wrong_sign(params: Any, *args: Any) -> Any:
    return jax.tree.map(jnp.negative, chain_rule(params, *args))


def without_the_activations_derivative(params: Any, x: Any, y: Any, network: Network) -> Any:
    """Backpropagation that forgets to multiply by the derivative of the activation."""
    derivatives = gradients_module.DERIVATIVES
    ones = dict.fromkeys(derivatives, jnp.ones_like)
    gradients_module.DERIVATIVES = ones  # type: ignore[assignment]
    try:
        return chain_rule(params, x, y, network)
    finally:
        gradients_module.DERIVATIVES = derivatives


def one_weight_off_by_a_thousandth(params: Any, *args: Any) -> Any:
    first, *rest = chain_rule(params, *args)
    return [Layer(first.weight.at[0, 0].multiply(1.001), first.bias), *rest]


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize(
    "broken", [wrong_sign, without_the_activations_derivative, one_weight_off_by_a_thousandth], ids=lambda f: f.__name__
)
def test_a_broken_chain_rule_is_caught(activation: str, broken: Any) -> None:
    network = Network((2, 3, 1), activation)
    table = truth_table("xor")
    params = init_params(network, key=jax.random.key(1))
    assert check_gradients(loss, params, table.x, table.y, network, by_hand=chain_rule).ok
    report = check_gradients(loss, params, table.x, table.y, network, by_hand=broken)
    assert not report.ok
    assert report.max_relative_error > 1e-4
    assert broken.__name__ in str(report)
    assert "DISAGREE" in str(report)


def test_a_wrong_custom_derivative_is_caught_by_the_nudge() -> None:
    @jax.custom_jvp
    def cube(p: Any) -> Any:
        return jnp.sum(p**3)

    cube.defjvp(lambda primals, tangents: (cube(*primals), jnp.sum(3.003 * primals[0] ** 2 * tangents[0])))
    report = check_gradients(cube, jnp.array([1.0, 2.0]))
    assert not report.ok
    assert report.max_relative_error == pytest.approx(0.001, rel=0.01)


@pytest.mark.parametrize("offset", [0.0, 1e-6, -1e-6, 2e-3, -4e-3, 7e-3, 9e-3])
def test_a_kink_within_the_nudge_is_reported_and_not_counted(offset: float) -> None:
    """On row (0, 0) the hidden unit's input is its bias, so the ReLU turns on or off within ±1e-2 of it."""
    network, table = Network((2, 1, 1)), truth_table("xor")
    params = [Layer(jnp.array([[1.0], [2.0]]), jnp.array([offset])), Layer(jnp.array([[1.5]]), jnp.array([-0.5]))]
    report = check_gradients(loss, params, table.x, table.y, network, by_hand=chain_rule)
    kinks = {parameter.name: parameter.kink for parameter in report.parameters}
    assert kinks == {
        "0.weight[0,0]": False,
        "0.weight[1,0]": False,
        "0.bias[0]": True,
        "1.weight[0,0]": False,
        "1.bias[0]": False,
    }
    assert report.ok, str(report)
    assert "1 of 5 parameters have a kink" in str(report)
    bias = next(parameter for parameter in report.parameters if parameter.name == "0.bias[0]")
    assert abs(bias.nudge - bias.grad) > 1e-6


def test_a_kink_outside_the_nudge_is_none() -> None:
    network, table = Network((2, 1, 1)), truth_table("xor")
    params = [Layer(jnp.array([[1.0], [2.0]]), jnp.array([1.1e-2])), Layer(jnp.array([[1.5]]), jnp.array([-0.5]))]
    report = check_gradients(loss, params, table.x, table.y, network)
    assert not any(parameter.kink for parameter in report.parameters)
    assert report.ok
    assert check_gradients(loss, params, table.x, table.y, network, epsilon=2e-2).parameters[2].kink


def test_a_wrong_gradient_at_a_kink_is_still_wrong() -> None:
    network, table = Network((2, 1, 1)), truth_table("xor")
    params = [Layer(jnp.array([[1.0], [2.0]]), jnp.array([0.0])), Layer(jnp.array([[1.5]]), jnp.array([-0.5]))]
    assert not check_gradients(loss, params, table.x, table.y, network, by_hand=wrong_sign).ok


def test_each_way_returns_the_structure_of_params() -> None:
    network, table = Network((2, 3, 1), "tanh"), truth_table("xor")
    params = init_params(network, key=jax.random.key(0))
    expected = jax.grad(loss)(params, table.x, table.y, network)
    args = (params, table.x, table.y, network)
    for grads in (nudge(loss, *args, epsilon=0.1), jvp(loss, *args), chain_rule(*args)):
        assert jax.tree.structure(grads) == jax.tree.structure(expected)
        for found, wanted in zip(jax.tree.leaves(grads), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-4)
    for way in (nudge, jvp):
        jitted = jax.jit(lambda p, way=way: way(loss, p, table.x, table.y, network))(params)
        assert jax.tree.structure(jitted) == jax.tree.structure(expected)


def test_the_nudge_is_of_sixth_order() -> None:
    """Halving epsilon divides the error of sin's derivative by 64, as long as it is truncation."""
    with jax.enable_x64(True):
        point = jnp.array(0.7)
        errors = [abs(float(nudge(jnp.sin, point, epsilon=epsilon)) - np.cos(0.7)) for epsilon in (1.6, 0.8, 0.4)]
    assert errors[0] / errors[1] == pytest.approx(64, rel=0.2)
    assert errors[1] / errors[2] == pytest.approx(64, rel=0.1)


@pytest.mark.parametrize("kink_at", [0.0, 0.1, 0.2, 0.3, 0.45, 0.47, 0.6, 0.8, 0.95])
def test_a_jump_is_seen_wherever_it_lies_within_the_nudge(kink_at: float) -> None:
    def bent(p: Any) -> Any:
        return jnp.exp(p) + 1e-3 * jax.nn.relu(p - 0.01 * kink_at)

    report = check_gradients(bent, jnp.array(0.0))
    assert report.parameters[0].kink
    assert report.parameters[0].name == "params"
    assert report.ok


@pytest.mark.parametrize("activation", ["tanh", "gelu", "sigmoid"])
def test_a_smooth_network_has_no_kink_even_for_a_large_nudge(activation: str) -> None:
    network = Network((4, 8, 8, 1), activation)
    for seed in range(20):
        params = init_params(network, key=jax.random.key(seed))
        x = np.random.default_rng(seed).normal(size=(8, 4))
        report = check_gradients(loss, params, x, np.ones(8), network, by_hand=chain_rule)
        assert not any(parameter.kink for parameter in report.parameters)
        assert report.ok


def test_float64_is_used_inside_only() -> None:
    network, table = Network((2, 2, 1)), truth_table("xor")
    params = init_params(network, key=jax.random.key(0))
    seen = []

    def watched(p: Any, x: Any, y: Any, network: Network) -> Any:
        seen.append((p[0].weight.dtype, x.dtype))
        return loss(p, x, y, network)

    check_gradients(watched, params, table.x, table.y, network)
    assert set(seen) == {(np.dtype("float64"), np.dtype("float64"))}

    def failing(p: Any) -> Any:
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        check_gradients(failing, params)
    assert jnp.zeros(1).dtype == jnp.float32
    assert jnp.asarray(1.5).dtype == jnp.float32
    assert params[0].weight.dtype == jnp.float32
    assert table.x.dtype == np.float32


def test_two_threads_can_check_while_a_third_computes_in_float32() -> None:
    network, table = Network((2, 2, 1)), truth_table("xor")
    outcomes: list[bool] = []

    def check(seed: int) -> None:
        params = init_params(network, key=jax.random.key(seed))
        outcomes.append(check_gradients(loss, params, table.x, table.y, network, by_hand=chain_rule).ok)
        outcomes.append(jnp.zeros(1).dtype == jnp.float32)

    threads = [threading.Thread(target=check, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    outcomes.append(jnp.zeros(1).dtype == jnp.float32)
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 5


def test_the_report_as_json() -> None:
    network, table = Network((2, 2, 1), "tanh"), truth_table("xor")
    params = init_params(network, key=jax.random.key(0))
    report = json.loads(check_gradients(loss, params, table.x, table.y, network, by_hand=chain_rule).to_json())
    assert set(report) == {"max_relative_error", "ok", "epsilon", "tolerance", "parameters"}
    assert set(report["parameters"][0]) == {"name", "nudge", "jvp", "chain_rule", "grad", "kink", "relative_error"}
    names = [parameter["name"] for parameter in report["parameters"]]
    assert names == [
        *("0.weight[0,0]", "0.weight[0,1]", "0.weight[1,0]", "0.weight[1,1]", "0.bias[0]", "0.bias[1]"),
        *("1.weight[0,0]", "1.weight[1,0]", "1.bias[0]"),
    ]


def test_a_gradient_that_is_not_finite_is_wrong_and_still_json() -> None:
    report = check_gradients(lambda p: jnp.sum(jnp.sqrt(p)), jnp.array([0.0, 1.0]))
    assert not report.ok
    assert json.loads(report.to_json())["max_relative_error"] is None


def test_without_parameters_there_is_nothing_to_check() -> None:
    report = check_gradients(lambda p: jnp.sum(jnp.ones(2)), {})
    assert report.ok
    assert "No parameters to check." in str(report)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"epsilon, the nudge, must be above 0, not 0\.0"):
        check_gradients(jnp.sum, jnp.ones(2), epsilon=0.0)
    with pytest.raises(ValueError, match=r"by_hand must return the structure and shapes of params"):
        check_gradients(lambda p: jnp.sum(p["w"]), {"w": jnp.ones(2)}, by_hand=lambda p: {"w": jnp.ones(3)})
