"""`surface`: what every unit of a network answers on a grid of two of its inputs."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from model.activations import ACTIVATIONS
from model.arrays import is_count
from model.network import Network, Params, preactivations
from model.tasks import TASKS


class Grid(NamedTuple):
    """A square grid over two inputs.

    Attributes:
        columns: the indices of the input that grows to the right, and of the one that grows upwards.
        low: the smallest value of each of the two.
        high: the largest value of each.
        size: how many values each takes, from 2, at equal distances.
        others: a value for every input, of which those of the two columns do not count; None for zeros.
    """

    columns: tuple[int, int] = (0, 1)
    low: tuple[float, float] = (0.0, 0.0)
    high: tuple[float, float] = (1.0, 1.0)
    size: int = 48
    others: tuple[float, ...] | None = None


class Surface(NamedTuple):
    """What `surface` computes. Its arrays are NumPy's, in float32.

    Attributes:
        xs: [size], the values of the first column.
        ys: [size], the values of the second column.
        units: for each hidden layer, what its units hand on: [units, size of ys, size of xs].
        outputs: [outputs, size of ys, size of xs], the predictions.
    """

    xs: Float[np.ndarray, " size"]
    ys: Float[np.ndarray, " size"]
    units: list[Float[np.ndarray, "units ys xs"]]
    outputs: Float[np.ndarray, "outputs ys xs"]


def surface(params: Params, network: Network, grid: Grid) -> Surface:
    """What every hidden unit and every output answers on a grid of two inputs.

    NumPy computes it, so no shape needs a program.

    Args:
        params: of one network.
        network: the description of the network.
        grid: the inputs.

    Returns:
        The answers, which `predict` gives too for the outputs.

    Raises:
        ValueError: if the grid or the params do not fit the network.

    Example:
        >>> from model.network import Layer
        >>> params = [Layer(np.array([[1.0], [0.0]]), np.zeros(1))]
        >>> found = surface(params, Network((2, 1), task="regression"), Grid(size=2))
        >>> found.outputs.tolist()
        [[[0.0, 1.0], [0.0, 1.0]]]
    """
    x = grid_inputs(network, grid)
    own: Params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), params)
    with np.errstate(over="ignore", invalid="ignore"):
        *hidden, z = preactivations(own, x, network)
        answers = [np.asarray(ACTIVATIONS[network.activation](each)) for each in hidden]
        outputs = np.asarray(TASKS[network.task].predict(z))
    shape = (-1, grid.size, grid.size)
    xs, ys = _axes(grid)
    return Surface(xs, ys, [each.T.reshape(shape) for each in answers], outputs.T.reshape(shape))


def grid_inputs(network: Network, grid: Grid) -> Float[np.ndarray, "points inputs"]:
    """The rows of inputs at which `surface` looks.

    Args:
        network: the description of the network.
        grid: the inputs.

    Returns:
        [size · size, inputs] float32: the first column changes fastest.

    Raises:
        ValueError: if the grid does not fit the network.

    Example:
        >>> grid_inputs(Network((3, 1)), Grid(columns=(0, 2), size=2, others=(9.0, 5.0, 9.0))).tolist()
        [[0.0, 5.0, 0.0], [1.0, 5.0, 0.0], [0.0, 5.0, 1.0], [1.0, 5.0, 1.0]]
    """
    inputs = network.sizes[0]
    if not is_count(grid.size, 2):
        raise ValueError(f"the grid's size must be a whole number of at least 2, not {grid.size!r:.40}")
    if not all(is_count(column, 0) and column < inputs for column in grid.columns):
        raise ValueError(f"the grid's columns must be from 0 to {inputs - 1}, not {list(grid.columns)}")
    if grid.others is not None and len(grid.others) != inputs:
        raise ValueError(f"the grid's others must have a value for each of the {inputs} inputs, not {len(grid.others)}")
    x = np.zeros((grid.size, grid.size, inputs), np.float32)
    if grid.others is not None:
        x[:] = np.asarray(grid.others, np.float32)
    xs, ys = _axes(grid)
    x[..., grid.columns[1]] = ys[:, None]
    x[..., grid.columns[0]] = xs
    return x.reshape(-1, inputs)


def _axes(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The values of the two columns."""
    xs, ys = (
        np.linspace(low, high, grid.size).astype(np.float32) for low, high in zip(grid.low, grid.high, strict=True)
    )
    return xs, ys
