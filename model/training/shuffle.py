"""A random order that is computed place by place, where sorting random numbers would take as long as an epoch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Int, Key, UInt32

from model.tasks import Array

# Of rounds of the network.
PAIRS = 6


def shuffled(
    order: Int[Array, " order"], count: int | Int[Array, ""], *, key: Key[Array, ""]
) -> Int[jax.Array, " order"]:
    """The first `count` of `order` in another order; what comes after them is of no account.

    Place i goes where a Feistel network on a × b ≥ count places sends it, and from there on until it is below count
    (Black and Rogaway, CT-RSA 2002, methods 3 and 2). a and b are about √count, so that few go twice.

    >>> sorted(shuffled(jnp.arange(6), 4, key=jax.random.key(0))[:4].tolist())
    [0, 1, 2, 3]
    """
    size = jnp.asarray(count, jnp.uint32)
    rows = jnp.sqrt(size.astype(jnp.float32)).astype(jnp.uint32) + 1
    columns = (size + rows - 1) // rows
    keys = jax.random.bits(key, (PAIRS, 2))

    def two_rounds(pair: jax.Array, halves: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        left, right = halves
        left = (left + mixed(right ^ keys[pair, 0]) % rows) % rows
        return left, (right + mixed(left ^ keys[pair, 1]) % columns) % columns

    def send(walk: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        place, waits = walk
        left, right = jax.lax.fori_loop(0, PAIRS, two_rounds, (place // columns, place % columns))
        place = jnp.where(waits, left * columns + right, place)
        return place, place >= size

    start = jnp.minimum(jnp.arange(order.size, dtype=jnp.uint32), size - 1)
    walk = (start, jnp.full(order.shape, True))
    places = jax.lax.while_loop(lambda walk: jnp.any(walk[1]), send, walk)[0]
    result: jax.Array = jnp.asarray(order)[places]
    return result


def mixed(bits: UInt32[Array, "*shape"]) -> UInt32[jax.Array, "*shape"]:
    """A hash of 32 bits in which every bit of the argument counts (lowbias32; Wellons, Hash prospecting, 2018).

    >>> mixed(jnp.arange(2, dtype=jnp.uint32)).tolist()
    [0, 1753845952]
    """
    once = (bits ^ (bits >> 16)) * jnp.uint32(0x7FEB352D)
    twice = (once ^ (once >> 15)) * jnp.uint32(0x846CA68B)
    return jnp.asarray(twice ^ (twice >> 16))
