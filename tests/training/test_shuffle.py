"""The random order in which an epoch goes through the rows."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.training.shuffle import hash_bits, shuffle

MANY_ROWS = 100_003


@given(st.integers(1, 30), st.integers(0, 1000))
def test_shuffling_permutes_the_first_entries(count: int, seed: int) -> None:
    order = jnp.arange(100, 130, dtype=jnp.int32)
    shuffled = jax.jit(shuffle)(order, count, key=jax.random.key(seed)).tolist()
    assert sorted(shuffled[:count]) == list(range(100, 100 + count))


def test_many_shuffled_rows_show_no_pattern() -> None:
    shuffled = np.asarray(shuffle(jnp.arange(MANY_ROWS), MANY_ROWS, key=jax.random.key(0)))
    places = np.arange(MANY_ROWS)
    assert np.array_equal(np.sort(shuffled), places)
    assert abs(np.corrcoef(shuffled, places)[0, 1]) < 0.015
    assert abs(np.corrcoef(shuffled[1:], shuffled[:-1])[0, 1]) < 0.015
    assert (shuffled == places).sum() < 8


def test_the_key_decides_the_order_and_every_order_occurs() -> None:
    shuffle_many = jax.jit(jax.vmap(lambda seed: shuffle(jnp.arange(6), 4, key=jax.random.key(seed))[:4]))
    orders = shuffle_many(jnp.arange(600))
    np.testing.assert_array_equal(orders, shuffle_many(jnp.arange(600)))
    assert len(np.unique(orders, axis=0)) == 24
    for entries in np.asarray(orders).T:
        assert np.bincount(entries, minlength=4).min() > 100


def test_a_flipped_bit_flips_about_half_of_the_bits_of_the_hash() -> None:
    numbers = jnp.arange(4096, dtype=jnp.uint32)
    for bit in range(32):
        changed = np.asarray(hash_bits(numbers) ^ hash_bits(numbers ^ jnp.uint32(1 << bit)))
        flips = np.unpackbits(changed.view(np.uint8)).reshape(len(numbers), 32).mean(axis=0)
        assert flips.min() > 0.4
        assert flips.max() < 0.6
