"""The four derivations of one gradient, and the check that compares them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import Network, chain_rule, check_gradients, init_params, jvp, loss, nudge, truth_table
from model.activations import ACTIVATIONS
from model.checking.verdicts import Verdict
from tests.extent import extent

pytestmark = pytest.mark.core


def assert_derivations_agree(network: Network, rows: int, seed: int) -> None:
    """Check the gradients of a network with random parameters on random data."""
    params = init_params(network, key=jax.random.key(seed))
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, network.sizes[0]))
    outputs = network.sizes[-1]
    y = rng.integers(0, 2, size=rows if outputs == 1 else (rows, outputs)).astype(float)
    report = check_gradients(loss, params, x, y, network, by_hand=chain_rule)
    assert report.max_relative_error <= 1e-6, str(report)
    assert {row.verdict for row in report.parameters} <= {Verdict.AGREES, Verdict.KINK}, str(report)
    if network.activation != "relu":
        assert not any(row.kink for row in report.parameters)


@pytest.mark.slow
@settings(max_examples=extent(30, 12))
@given(
    sizes=st.sampled_from([(3, 1), (9, 2), (2, 5, 1), (4, 3, 6, 2), (9, 4, 5, 3, 1)]),
    activation=st.sampled_from(list(ACTIVATIONS)),
    seed=st.integers(0, 2**31),
)
def test_the_four_derivations_agree(sizes: tuple[int, ...], activation: str, seed: int) -> None:
    """Networks of 1 to 4 layers; only a few shapes, because each shape is compiled."""
    assert_derivations_agree(Network(sizes, activation), rows=6, seed=seed)


@settings(max_examples=extent(12, 6))
@given(
    hidden=st.lists(st.integers(1, 7), max_size=3),
    activation=st.sampled_from(list(ACTIVATIONS)),
    rows=st.integers(1, 12),
    seed=st.integers(0, 2**31),
)
def test_the_four_derivations_agree_for_any_shape(hidden: list[int], activation: str, rows: int, seed: int) -> None:
    assert_derivations_agree(Network((2, *hidden, 1), activation), rows, seed)


def test_each_method_returns_the_structure_of_params() -> None:
    network, table = Network((2, 3, 1), "tanh"), truth_table("xor")
    params = init_params(network, key=jax.random.key(0))
    expected = jax.grad(loss)(params, table.x, table.y, network)
    args = (params, table.x, table.y, network)
    for grads in (nudge(loss, *args, epsilon=0.1), jvp(loss, *args), chain_rule(*args)):
        assert jax.tree.structure(grads) == jax.tree.structure(expected)
        for found, wanted in zip(jax.tree.leaves(grads), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-4)
    for method in (nudge, jvp):
        jitted = jax.jit(lambda p, method=method: method(loss, p, table.x, table.y, network))(params)
        assert jax.tree.structure(jitted) == jax.tree.structure(expected)


def test_the_error_of_the_nudge_is_of_sixth_order() -> None:
    """If epsilon is halved, the error of the derivative of sin falls by 64, as long as it is truncation."""
    with jax.enable_x64(True):
        point = jnp.array(0.7)
        errors = [abs(float(nudge(jnp.sin, point, epsilon=epsilon)) - np.cos(0.7)) for epsilon in (1.6, 0.8, 0.4)]
    assert errors[0] / errors[1] == pytest.approx(64, rel=0.2)
    assert errors[1] / errors[2] == pytest.approx(64, rel=0.1)
