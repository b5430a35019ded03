"""Random networks with rows, of every task and activation."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from model import Layer, Network, Params, init_params
from model.activations import ACTIVATIONS


class Example(NamedTuple):
    """What `trace` is called with."""

    params: Params
    x: np.ndarray
    y: np.ndarray
    network: Network


def example_of(network: Network, rows: int, seed: int, scale: float = 1.0) -> Example:
    """A network with random parameters, and random rows. scale: by what the parameters are multiplied."""
    rng = np.random.default_rng(seed)
    params = init_params(network, key=jax.random.key(seed))
    params = [Layer(layer.weight * scale, layer.bias * scale) for layer in params]
    x = rng.normal(size=(rows, network.sizes[0])).astype(np.float32)
    outputs = network.sizes[-1]
    shape = (rows,) if outputs == 1 else (rows, outputs)
    y: Any
    if network.task == "multiclass":
        y = rng.integers(0, outputs, size=rows)
    elif network.task == "binary":
        y = np.where(rng.random(shape) < 0.2, rng.random(shape), rng.integers(0, 2, size=shape))
    else:
        y = rng.normal(size=shape)
    return Example([Layer(*map(jnp.asarray, layer)) for layer in params], x, y.astype(np.float32), network)


class Arguments(NamedTuple):
    """What `drawn_example` is called with; a strategy must not make the network itself."""

    sizes: tuple[int, ...]
    activation: str
    task: str
    rows: int
    seed: int
    scale: float


@st.composite
def arguments(draw: st.DrawFn) -> Arguments:
    """Any small network with a few rows, also with parameters that saturate it."""
    task = draw(st.sampled_from(["binary", "multiclass", "regression"]))
    hidden = draw(st.sampled_from([(), (2,), (9, 3)]))
    outputs = draw(st.sampled_from([3] if task == "multiclass" else [1, 2]))
    return Arguments(
        sizes=(2, *hidden, outputs),
        activation=draw(st.sampled_from(list(ACTIVATIONS))),
        task=task,
        rows=draw(st.sampled_from([1, 3])),
        seed=draw(st.integers(0, 2**31)),
        scale=draw(st.sampled_from([1.0, 1e-4, 6.0])),
    )


def drawn_example(drawn: Arguments) -> Example:
    """The network and the rows of some arguments."""
    network = Network(drawn.sizes, drawn.activation, drawn.task)
    return example_of(network, drawn.rows, drawn.seed, drawn.scale)
