"""Networks with known faults."""

from __future__ import annotations

from functools import cache

import jax
import numpy as np

from model import Layer, Network, Params, Table, fit, init_params, table_from_arrays, truth_table

XOR = truth_table("xor")
GUIDE = Network((2, 2, 1))


def layers(*pairs: tuple[list[list[float]], list[float]]) -> Params:
    """Params from nested lists."""
    return [Layer(np.array(weight, np.float32), np.array(bias, np.float32)) for weight, bias in pairs]


# Solves XOR: |a - b|, minus a half.
SOLVED = layers(([[1, -1], [-1, 1]], [0, 0]), ([[4], [4]], [-2]))
# The three places in which the guide's network gets stuck on XOR, each in its simplest form.
DEAD_AND_STRAIGHT = layers(([[1, -1], [1, -1]], [0.5, -0.5]), ([[0], [1]], [0]))
ONE_ROW_APART = layers(([[1, -1], [1, -1]], [-1, -0.5]), ([[-10], [1]], [np.log(2.0)]))
TWO_ROWS_APART = layers(([[1, 1], [0, -1]], [-0.1, -0.1]), ([[-12], [24]], [0]))


def random_params(network: Network, seed: int) -> Params:
    """The params of a random start, as NumPy's arrays."""
    return [Layer(*map(np.array, layer)) for layer in init_params(network, key=jax.random.key(seed))]


def permuted(params: Params, layer: int, order: list[int]) -> Params:
    """The same network with the units of a hidden layer in another order: number i becomes what `order[i]` was."""
    moved = [Layer(np.asarray(weight), np.asarray(bias)) for weight, bias in params]
    moved[layer] = Layer(moved[layer].weight[:, order], moved[layer].bias[order])
    moved[layer + 1] = moved[layer + 1]._replace(weight=moved[layer + 1].weight[order])
    return moved


@cache
def trained(seed: int) -> Params:
    """The guide's network after training on XOR from one start."""
    result = fit(GUIDE, XOR, key=jax.random.key(seed), restarts=1)
    return [Layer(*map(np.asarray, layer)) for layer in result.params]


def parabola(rows: int = 9) -> Table:
    """A regression: the square of a number from -1 to 1."""
    x = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    return table_from_arrays(x, x[:, 0] ** 2, task="regression")
