"""The network: what it looks like (Network), its parameters (params), and what it computes (logits, predict, loss)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Key, Num

Array = jax.Array | np.ndarray

ACTIVATIONS: dict[str, Callable[[Array], jax.Array]] = {
    "relu": lambda z: jnp.asarray(z * (z > 0)),  # fuses best, and lets a NaN through
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "gelu": lambda z: jax.nn.gelu(z, approximate=False),
}
TASKS = ("binary",)

# Up to this many inputs a layer is a sum of products, which XLA fuses into one loop with all that surrounds it;
# above it a matrix product pays for its call.
FEW_INPUTS = 8


class Layer(NamedTuple):
    """The parameters of one layer. A trailing `restarts` axis, where there is one, holds networks side by side."""

    weight: Float[Array, "inputs outputs *restarts"]
    bias: Float[Array, "outputs *restarts"]


Params = list[Layer]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Network:
    """The static description of a network: hashable, without parameters, and an ordinary argument under jit and grad.

    sizes: the number of columns, the units of each hidden layer, the number of outputs; (2, 2, 1) is the guide's. A
        list becomes a tuple.
    activation: of the hidden layers: relu, tanh, sigmoid or gelu (exact, by the error function).
    task: binary (each output is the logit of a yes/no target).

    Raises ValueError where one of them is not so.

    >>> Network([2, 2, 1])
    Network(sizes=(2, 2, 1), activation='relu', task='binary')
    """

    sizes: Sequence[int]
    activation: str = "relu"
    task: str = "binary"

    def __post_init__(self) -> None:
        sizes = self.sizes
        if not (isinstance(sizes, Sequence) and len(sizes) >= 2 and all(is_count(size) for size in sizes)):
            raise ValueError(f"sizes must be two or more whole numbers of at least 1, such as (2, 2, 1), not {sizes!r}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        if self.task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(TASKS)}, not {self.task!r}")
        object.__setattr__(self, "sizes", tuple(int(size) for size in sizes))


def is_count(value: object, least: int = 1) -> bool:
    """Whether a value is a whole number of at least 1, or another least one, of Python or NumPy.

    >>> is_count(2), is_count(0), is_count(2.0), is_count(True), is_count(0, least=0)
    (True, False, False, False, True)
    """
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= least


def init_params(network: Network, *, key: Key[Array, ""]) -> Params:
    """Draw every weight and bias from the standard normal distribution, as the guide does.

    Returns one Layer a layer, weight [inputs, outputs] and bias [outputs], float32. One draw is cut into all of them,
    since every draw is a program of its own to compile.

    >>> params = init_params(Network((2, 2, 1)), key=jax.random.key(0))
    >>> [(layer.weight.shape, layer.bias.shape) for layer in params]
    [((2, 2), (2,)), ((2, 1), (1,))]
    """
    return as_layers(jax.random.normal(key, (parameter_count(network),)), network)


def parameter_count(network: Network) -> int:
    """How many weights and biases the network has.

    >>> parameter_count(Network((2, 2, 1)))
    9
    """
    return sum(inputs * outputs + outputs for inputs, outputs in pairwise(network.sizes))


def as_layers(flat: Float[Array, "parameters *restarts"], network: Network) -> Params:
    """Cut a vector of all parameters into layers, each weight before its bias.

    >>> as_layers(jnp.arange(3.0), Network((2, 1)))
    [Layer(weight=Array([[0.],
           [1.]], dtype=float32), bias=Array([2.], dtype=float32))]
    """
    params, start = [], 0
    for inputs, outputs in pairwise(network.sizes):
        middle = start + inputs * outputs
        weight = jnp.reshape(flat[start:middle], (inputs, outputs, *flat.shape[1:]))
        params.append(Layer(weight, jnp.asarray(flat[middle : middle + outputs])))
        start = middle + outputs
    return params


def preactivations(params: Params, x: Num[Array, "rows columns"], network: Network) -> list[jax.Array]:
    """The forward pass: the input z = a · weight + bias of every layer's activation, [rows, outputs, *restarts] each.

    The last one holds the logits. Raises ValueError where params or x do not fit the network.

    >>> params = [Layer(jnp.ones((2, 2)), jnp.zeros(2)), Layer(jnp.ones((2, 1)), jnp.zeros(1))]
    >>> [z.tolist() for z in preactivations(params, jnp.array([[1.0, -3.0]]), Network((2, 2, 1)))]
    [[[-2.0, -2.0]], [[0.0]]]
    """
    _check_shapes(params, x, network)
    restart_axes = params[0].bias.ndim - 1
    activate = ACTIVATIONS[network.activation]
    z = _affine(params[0], jnp.reshape(x, x.shape + (1,) * restart_axes))
    zs = [z]
    for layer in params[1:]:
        z = _affine(layer, activate(z))
        zs.append(z)
    return zs


def _affine(layer: Layer, a: Num[Array, "rows inputs *_"]) -> jax.Array:
    weight, bias = layer
    if weight.shape[0] <= FEW_INPUTS:
        return jnp.sum(a[:, :, None] * weight[None], axis=1) + bias[None]
    return jnp.einsum("ni...,io...->no...", a, weight) + bias[None]


def _check_shapes(params: Params, x: Num[Array, "rows columns"], network: Network) -> None:
    found = [layer.weight.shape[:2] for layer in params]
    if found != list(pairwise(network.sizes)):
        raise ValueError(f"params must have the layers of {network}, but their weights are {found}")
    if len(shape_of("x", x)) != 2 or x.shape[1] != network.sizes[0]:
        raise ValueError(f"x must have the shape [rows, {network.sizes[0]}] for {network}, not {list(x.shape)}")


def shape_of(name: str, array: object) -> tuple[int, ...]:
    """The shape of an array. Raises ValueError, with its name, for a list or anything else that is none.

    >>> shape_of("x", [[1.0, 2.0]])
    Traceback (most recent call last):
    ValueError: x must be an array, not a list; numpy.array makes one of it
    """
    if not hasattr(array, "shape"):
        raise ValueError(f"{name} must be an array, not a {type(array).__name__}; numpy.array makes one of it")
    shape: tuple[int, ...] = array.shape
    return shape


def logits(params: Params, x: Num[Array, "rows columns"], network: Network) -> Float[jax.Array, "rows *rest"]:
    """The network's output before the sigmoid: [rows] for one output, [rows, outputs] for several (then *restarts).

    >>> params = init_params(Network((2, 3, 1)), key=jax.random.key(0))
    >>> logits(params, jnp.zeros((4, 2)), Network((2, 3, 1))).shape
    (4,)
    """
    z = preactivations(params, x, network)[-1]
    return z[:, 0] if network.sizes[-1] == 1 else z


def predict(params: Params, x: Num[Array, "rows columns"], network: Network) -> Float[jax.Array, "rows *rest"]:
    """The probability, from 0 to 1, that each row's target is 1; of the shape of `logits`.

    >>> params = [Layer(jnp.zeros((2, 1)), jnp.zeros(1))]
    >>> predict(params, jnp.ones((3, 2)), Network((2, 1))).tolist()
    [0.5, 0.5, 0.5]
    """
    return jax.nn.sigmoid(logits(params, x, network))


def loss(
    params: Params, x: Num[Array, "rows columns"], y: Num[Array, "rows *outputs"], network: Network
) -> Float[jax.Array, "*restarts"]:
    """The binary cross-entropy in nats, its mean over rows (and outputs): a scalar, or one a restart.

    y: targets from 0 to 1, [rows] for one output, else [rows, outputs]. Finite for any finite logit, and so is its
    gradient. Raises ValueError where y does not have the logits' shape.

    >>> params = [Layer(jnp.zeros((2, 1)), jnp.zeros(1))]
    >>> round(float(loss(params, jnp.ones((4, 2)), jnp.array([0.0, 1.0, 1.0, 0.0]), Network((2, 1)))), 4)
    0.6931
    """
    z = logits(params, x, network)
    restart_axes = params[0].bias.ndim - 1
    if shape_of("y", y) != z.shape[: z.ndim - restart_axes]:
        raise ValueError(f"y must have the logits' shape {list(z.shape[: z.ndim - restart_axes])}, not {list(y.shape)}")
    labels = jnp.reshape(y, y.shape + (1,) * restart_axes).astype(z.dtype)
    return jnp.mean(cross_entropy(z, labels), axis=tuple(range(y.ndim)))


@jax.custom_jvp
def cross_entropy(z: Float[Array, "*shape"], y: Num[Array, "*_"]) -> Float[jax.Array, "*shape"]:
    """-y log σ(z) - (1 - y) log(1 - σ(z)) of each logit z and target y (Bishop, PRML, 4.90), written so that nothing
    overflows and nothing cancels: max(z, 0) - z y + log(1 + exp(-|z|)).

    >>> cross_entropy(jnp.array([1e4, -1e4, 30.0]), jnp.array([0.0, 0.0, 1.0])).tolist()
    [10000.0, 0.0, 9.357622912219837e-14]
    """
    return jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))


@cross_entropy.defjvp
def _cross_entropy_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[jax.Array, jax.Array]:
    (z, y), (dz, dy) = primals, tangents
    return cross_entropy(z, y), residual(z, y) * dz - z * dy


def residual(z: Float[Array, "*shape"], y: Num[Array, "*_"]) -> Float[jax.Array, "*shape"]:
    """The derivative of `cross_entropy` by the logit, σ(z) - y: prediction less target (Bishop, PRML, 4.91 and 5.18).

    >>> residual(jnp.array([0.0, 1e4]), jnp.array([1.0, 1.0])).tolist()
    [-0.5, 0.0]
    """
    return jax.nn.sigmoid(z) - y
