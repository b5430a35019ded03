"""The network: its description (Network), its parameters (params), and what it computes (logits, predict, loss)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from model.activations import ACTIVATIONS
from model.arrays import Array, is_count, shape_of
from model.tasks import TASKS

# A layer with at most so many inputs and outputs is a sum of products, which XLA fuses with what surrounds it. A matrix
# product pays off above. With restarts side by side the number of outputs does not matter.
MAX_FUSED_UNITS = 8


class Layer(NamedTuple):
    """The parameters of one layer.

    Attributes:
        weight: [inputs, outputs]; with restarts side by side, [inputs, outputs, restarts].
        bias: [outputs]; with restarts side by side, [outputs, restarts].
    """

    weight: Float[Array, "inputs outputs *restarts"]
    bias: Float[Array, "outputs *restarts"]


Params = list[Layer]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Network:
    """The description of a network: hashable, without parameters, and an ordinary argument under jit and grad.

    Attributes:
        sizes: the number of columns, the units of each hidden layer, and the number of outputs. (2, 2, 1) is the
            guide's network. A list becomes a tuple.
        activation: of the hidden layers: relu, tanh, sigmoid, or gelu (exact, with the error function).
        task: binary, where each output is the logit of a yes/no target; multiclass, with one output for each class, at
            least two, and softmax; or regression, where each output is a number.

    Raises:
        ValueError: if one of them is not like this.

    Example:
        >>> Network([2, 2, 1])
        Network(sizes=(2, 2, 1), activation='relu', task='binary')
    """

    sizes: Sequence[int]
    activation: str = "relu"
    task: str = "binary"

    def __post_init__(self) -> None:
        sizes: Any = self.sizes  # checked, as it may come from a file
        if not (isinstance(sizes, Sequence) and len(sizes) >= 2 and all(is_count(size) for size in sizes)):
            raise ValueError(f"sizes must be two or more whole numbers of at least 1, such as (2, 2, 1), not {sizes!r}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        if self.task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(TASKS)}, not {self.task!r}")
        if TASKS[self.task].output_per_class and sizes[-1] < 2:
            raise ValueError("a multiclass network must have an output for each class, at least 2, not 1")
        object.__setattr__(self, "sizes", tuple(int(size) for size in sizes))


def parameter_count(network: Network) -> int:
    """How many weights and biases a network has.

    Args:
        network: its description.

    Returns:
        The number.

    Example:
        >>> parameter_count(Network((2, 2, 1)))
        9
    """
    return sum(inputs * outputs + outputs for inputs, outputs in pairwise(network.sizes))


def as_layers(flat: Float[Array, "parameters *restarts"], network: Network) -> Params:
    """Cut a vector of all parameters into layers, each weight before its bias.

    Args:
        flat: [parameters] or [parameters, restarts].
        network: the description of the network.

    Returns:
        One Layer for each layer.

    Example:
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


def preactivations(params: Params, x: Num[Array, "rows columns"], network: Network) -> list[Any]:
    """The forward pass: z = a · weight + bias of every layer, where a is the layer's input.

    NumPy computes it if params and x are NumPy's, because a call of JAX takes longer than a small network.

    Args:
        params: of the network, or of restarts side by side.
        x: [rows, columns].
        network: the description of the network.

    Returns:
        [rows, outputs] for each layer, then restarts if there are any. The last one holds the logits.

    Raises:
        ValueError: if params or x do not fit the network.

    Example:
        >>> params = [Layer(jnp.ones((2, 2)), jnp.zeros(2)), Layer(jnp.ones((2, 1)), jnp.zeros(1))]
        >>> [z.tolist() for z in preactivations(params, jnp.array([[1.0, -3.0]]), Network((2, 2, 1)))]
        [[[-2.0, -2.0]], [[0.0]]]
    """
    _check_shapes(params, x, network)
    restart_axes = params[0].bias.ndim - 1
    if isinstance(x, np.ndarray) and isinstance(params[0].weight, np.ndarray):
        x = x.astype(params[0].weight.dtype, copy=False)  # like JAX, which has no 64-bit numbers by default
    return forward_pass(params, x.reshape(x.shape + (1,) * restart_axes), network, _affine)


def forward_pass(params: Params, x: Any, network: Network, affine: Callable[[Layer, Any], Any]) -> list[Any]:
    """The preactivations of every layer, by any implementation of a · weight + bias.

    Args:
        params: of the network, or of several with another axis.
        x: what the first layer gets.
        network: the description of the network.
        affine: (layer, a) -> a · weight + bias.

    Returns:
        The result of `affine` for each layer.

    Example:
        >>> forward_pass([Layer(2.0, 1.0)], 3.0, Network((1, 1)), lambda layer, a: a * layer.weight + layer.bias)
        [7.0]
    """
    activate = ACTIVATIONS[network.activation]
    zs = [affine(params[0], x)]
    for layer in params[1:]:
        zs.append(affine(layer, activate(zs[-1])))
    return zs


def _affine(layer: Layer, a: Num[Array, "rows inputs *_"]) -> Array:
    weight, bias = layer
    if isinstance(a, np.ndarray) and isinstance(weight, np.ndarray) and weight.ndim == 2:
        product: np.ndarray = a @ weight
        return product + bias
    if weight.shape[0] <= MAX_FUSED_UNITS and (weight.shape[1] <= MAX_FUSED_UNITS or weight.ndim > 2):
        return jnp.sum(a[:, :, None] * weight[None], axis=1) + bias[None]
    return jnp.einsum("ni...,io...->no...", a, weight) + bias[None]


def _check_shapes(params: Params, x: Num[Array, "rows columns"], network: Network) -> None:
    found = [layer.weight.shape[:2] for layer in params]
    if found != list(pairwise(network.sizes)):
        raise ValueError(f"params must have the layers of {network}, but their weights are {found}")
    if len(shape_of("x", x)) != 2 or x.shape[1] != network.sizes[0]:
        raise ValueError(f"x must have the shape [rows, {network.sizes[0]}] for {network}, not {list(x.shape)}")


def logits(params: Params, x: Num[Array, "rows columns"], network: Network) -> Float[Any, "rows *rest"]:
    """The outputs of a network before the sigmoid or softmax.

    Args:
        params: of the network, or of restarts side by side.
        x: [rows, columns].
        network: the description of the network.

    Returns:
        [rows] for one output, [rows, outputs] for several; then restarts if there are any.

    Raises:
        ValueError: if params or x do not fit the network.

    Example:
        >>> from model.training.initial_params import init_params
        >>> params = init_params(Network((2, 3, 1)), key=jax.random.key(0))
        >>> logits(params, jnp.zeros((4, 2)), Network((2, 3, 1))).shape
        (4,)
    """
    return as_logits(preactivations(params, x, network)[-1], network)


def as_logits(z: Num[Array, "rows outputs ..."], network: Network) -> Float[Any, "rows ..."]:
    """The z of the last layer as `logits` returns it.

    Args:
        z: [rows, outputs], and then restarts if there are any.
        network: the description of the network.

    Returns:
        [rows] for one output, and z itself for several.

    Example:
        >>> as_logits(jnp.zeros((4, 1)), Network((2, 1))).shape
        (4,)
    """
    return z[:, 0] if network.sizes[-1] == 1 else z


def predict(params: Params, x: Num[Array, "rows columns"], network: Network) -> Float[Any, "rows *rest"]:
    """The predictions of a network.

    Args:
        params: of the network, or of restarts side by side.
        x: [rows, columns].
        network: the description of the network.

    Returns:
        Of the shape of `logits`: the probability, from 0 to 1, that the target is 1 (binary), the probability of each
        class (multiclass), or the target itself (regression).

    Raises:
        ValueError: if params or x do not fit the network.

    Example:
        >>> params = [Layer(jnp.zeros((2, 1)), jnp.zeros(1))]
        >>> predict(params, jnp.ones((3, 2)), Network((2, 1))).tolist()
        [0.5, 0.5, 0.5]
    """
    return TASKS[network.task].predict(logits(params, x, network))


def loss(
    params: Params,
    x: Num[Array, "rows columns"],
    y: Num[Array, "rows *outputs"],
    network: Network,
    weights: Num[Array, " rows"] | None = None,
) -> Float[jax.Array, "*restarts"]:
    """The mean over rows (and outputs) of the cross-entropy in nats, or of the squared error.

    It is finite for all finite logits, and so is its gradient.

    Args:
        params: of the network, or of restarts side by side.
        x: [rows, columns].
        y: the targets. Binary: numbers from 0 to 1, [rows] for one output, otherwise [rows, outputs]. Multiclass: the
            index of the class, [rows]. Regression: numbers, of the shape of a binary target.
        network: the description of the network.
        weights: [rows], a factor for the loss of each row; 1 without them.

    Returns:
        A scalar, or [restarts].

    Raises:
        ValueError: if params, x, y or weights do not fit the network.

    Example:
        >>> params = [Layer(jnp.zeros((2, 1)), jnp.zeros(1))]
        >>> round(float(loss(params, jnp.ones((4, 2)), jnp.array([0.0, 1.0, 1.0, 0.0]), Network((2, 1)))), 4)
        0.6931
    """
    z = logits(params, x, network)
    restart_axes = params[0].bias.ndim - 1
    task = TASKS[network.task]
    losses = task.losses(z, task.shape_targets(z, y, restart_axes))
    if weights is not None:
        if shape_of("weights", weights) != x.shape[:1]:
            raise ValueError(f"weights must have the shape {list(x.shape[:1])}, not {list(weights.shape)}")
        losses = losses * jnp.reshape(weights, weights.shape + (1,) * (losses.ndim - 1))
    return jnp.mean(losses, axis=tuple(range(losses.ndim - restart_axes)))
