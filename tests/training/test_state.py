"""The state before the first epoch."""

import jax
import numpy as np
import optax
import pytest

from model import Network, init_params
from model.training.state import CHUNK_RESTARTS, initial_state, map_restarts, state_shapes
from tests.examples import same_bits

KEY, NETWORK, ADAM = jax.random.key(0), Network((2, 3, 1)), optax.adam(0.1)


@pytest.mark.parametrize("restarts", [1, 2, CHUNK_RESTARTS, CHUNK_RESTARTS + 6])
def test_restart_i_starts_from_key_i(restarts: int) -> None:
    weights = np.asarray(initial_state(KEY, NETWORK, ADAM, restarts).params[0].weight)
    by_restart = weights if restarts == 1 else np.moveaxis(weights, -1, 1).reshape(-1, 2, 3)
    assert len(by_restart) >= restarts
    for restart in {0, restarts // 2, restarts - 1}:
        expected = init_params(NETWORK, key=jax.random.fold_in(KEY, restart))
        assert same_bits(by_restart[restart], expected[0].weight)


def test_minibatches_have_a_restart_in_each_chunk_and_their_best_so_far() -> None:
    state = initial_state(KEY, NETWORK, ADAM, 3, "he", True, True)
    assert state.params[0].weight.shape == (3, 2, 3)
    assert state.best is not None
    assert same_bits(state.best.params, state.params)
    assert state.best.loss.tolist() == [np.inf] * 3
    assert state.best.epoch.tolist() == [0] * 3


def test_the_shapes_are_those_of_the_state() -> None:
    arguments = (NETWORK, ADAM, 5, "normal", False, False)
    shapes, state = state_shapes(*arguments), initial_state(KEY, *arguments)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), shapes) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), state
    )
    assert state_shapes(*arguments) is shapes


def test_a_mapped_function_sees_one_restart_at_a_time() -> None:
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(map_restarts(lambda leaf: leaf / leaf.sum(), True)(x), x / x.sum(axis=0), rtol=1e-6)
    assert map_restarts(len, False) is len
