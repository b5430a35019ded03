"""A random order that is computed place by place, because sorting random numbers would take as long as an epoch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Int, Key, UInt32

from model.arrays import Array

# Pairs of rounds of the Feistel network.
ROUND_PAIRS = 6


def shuffle(
    order: Int[Array, " order"], count: int | Int[Array, ""], *, key: Key[Array, ""]
) -> Int[jax.Array, " order"]:
    """The first entries of an array in a random order.

    A Feistel network on a × b ≥ count places sends each place to another, and again until it is below count (Black and
    Rogaway, CT-RSA 2002, methods 3 and 2). a and b are about √count, so that few places are sent twice.

    Args:
        order: [order], the entries.
        count: how many of them are shuffled, from 1.
        key: of the random order.

    Returns:
        [order], whose first `count` entries are those of order, shuffled. The entries after them have no meaning.

    Example:
        >>> sorted(shuffle(jnp.arange(6), 4, key=jax.random.key(0))[:4].tolist())
        [0, 1, 2, 3]
    """
    size = jnp.asarray(count, jnp.uint32)
    rows = jnp.sqrt(size.astype(jnp.float32)).astype(jnp.uint32) + 1
    columns = (size + rows - 1) // rows
    keys = jax.random.bits(key, (ROUND_PAIRS, 2))

    def two_rounds(pair: jax.Array, halves: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        left, right = halves
        left = (left + hash_bits(right ^ keys[pair, 0]) % rows) % rows
        return left, (right + hash_bits(left ^ keys[pair, 1]) % columns) % columns

    def send(walk: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        place, is_outside = walk
        left, right = jax.lax.fori_loop(0, ROUND_PAIRS, two_rounds, (place // columns, place % columns))
        place = jnp.where(is_outside, left * columns + right, place)
        return place, place >= size

    start = jnp.minimum(jnp.arange(order.size, dtype=jnp.uint32), size - 1)
    walk = (start, jnp.full(order.shape, True))
    places = jax.lax.while_loop(lambda walk: jnp.any(walk[1]), send, walk)[0]
    result: jax.Array = jnp.asarray(order)[places]
    return result


def hash_bits(bits: UInt32[Array, "*shape"]) -> UInt32[jax.Array, "*shape"]:
    """A hash of 32 bits, each of which depends on every bit of the argument (lowbias32; Wellons, 2018).

    Args:
        bits: any 32-bit numbers.

    Returns:
        Their hashes, of the same shape.

    Example:
        >>> hash_bits(jnp.arange(2, dtype=jnp.uint32)).tolist()
        [0, 1753845952]
    """
    once = (bits ^ (bits >> 16)) * jnp.uint32(0x7FEB352D)
    twice = (once ^ (once >> 15)) * jnp.uint32(0x846CA68B)
    return jnp.asarray(twice ^ (twice >> 16))
