"""Random networks with rows, of every task and activation."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from model import Layer, Network, Params, Trace, init_params, trace
from model.activations import ACTIVATIONS
from model.explaining.trace import LEARNING_RATE


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


# One number for each task.
OUTPUTS = {"binary": 1, "multiclass": 3, "regression": 2}
# Every task with every activation, and without hidden layers. They are few, because JAX compiles for each shape.
NETWORKS = [
    Network((2, *((3,), (4, 3))[(place + number) % 2], outputs), activation, task)
    for place, (task, outputs) in enumerate(OUTPUTS.items())
    for number, activation in enumerate(ACTIVATIONS)
] + [Network((2, outputs), task=task) for task, outputs in OUTPUTS.items()]
# By what parameters are multiplied: some networks are nearly linear, and some are saturated.
SCALES = (1.0, 1e-4, 6.0)


class Arguments(NamedTuple):
    """What `drawn_example` is called with; a strategy must not make the network itself."""

    place: int
    seed: int
    scale: float


@st.composite
def arguments(draw: st.DrawFn) -> Arguments:
    """Any of the networks with random parameters and rows."""
    return Arguments(
        place=draw(st.integers(0, len(NETWORKS) - 1)),
        seed=draw(st.integers(0, 2**31)),
        scale=draw(st.sampled_from(SCALES)),
    )


def drawn_example(drawn: Arguments) -> Example:
    """The network with one row or three."""
    place, seed, scale = drawn
    return example_of(NETWORKS[place], 1 if (place + place // 4) % 2 else 3, seed, scale)


def compiled_trace(example: Example) -> Trace:
    """The trace of an example, by the program that `explain_rows` runs."""
    traced: Trace = _compiled(*example, LEARNING_RATE)
    return traced


_compiled = jax.jit(trace)
