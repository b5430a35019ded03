"""The parameters that training starts from."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Int, Key

from model.arrays import Array
from model.hyperparameters import INITS
from model.network import Layer, Network, Params, as_layers, parameter_count

# The factor of the last layer's weights in the init "he", which puts the first predictions near the mean.
LAST_LAYER_SCALE = 0.1


def init_params(
    network: Network, *, key: Key[Array, ""], init: str = "normal", inputs: int | Int[Array, ""] | None = None
) -> Params:
    """Draw the parameters of a network.

    Args:
        network: its description.
        key: of the random draw. One draw is cut into all parameters, because every draw is a program to compile.
        init: normal, every weight and bias from the standard normal distribution, as in the guide; or he, weights from
            a normal distribution with the variance 2 / inputs and biases of 0 (He et al., ICCV 2015, 2.2), with the
            last layer's weights a tenth of that.
        inputs: how many of the inputs are no padding; by default all. The weights of padding are 0. All others are
            those of a network without padding.

    Returns:
        One Layer for each layer, in float32.

    Raises:
        ValueError: for any other init.

    Example:
        >>> params = init_params(Network((2, 2, 1)), key=jax.random.key(0))
        >>> [(layer.weight.shape, layer.bias.shape) for layer in params]
        [((2, 2), (2,)), ((2, 1), (1,))]
    """
    if init not in INITS:
        raise ValueError(f"init must be one of {', '.join(INITS)}, not {init!r}")
    flat = jax.random.normal(key, (parameter_count(network),))
    first, *others = as_layers(flat if inputs is None else _pad_first_layer(flat, network, inputs), network)
    if init == "normal":
        return [first, *others]
    rows = network.sizes[0] if inputs is None else inputs
    scaled = [Layer(first.weight * jnp.sqrt(2 / rows), first.bias * 0)]
    scaled += [Layer(weight * jnp.sqrt(2 / weight.shape[0]), bias * 0) for weight, bias in others]
    return [*scaled[:-1], scaled[-1]._replace(weight=scaled[-1].weight * LAST_LAYER_SCALE)]


def _pad_first_layer(flat: jax.Array, network: Network, inputs: int | Int[Array, ""]) -> jax.Array:
    """Put zeros between the first layer's weights, of which there are so many rows, and all other parameters."""
    width, units = network.sizes[:2]
    weight = flat[: width * units].reshape(width, units)
    others = jax.lax.dynamic_slice(flat, (inputs * units,), (len(flat) - width * units,))
    return jnp.concatenate([jnp.where(jnp.arange(width)[:, None] < inputs, weight, 0.0).reshape(-1), others])
