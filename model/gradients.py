"""One gradient, four derivations: `nudge`, `jvp` and `chain_rule` here, and `jax.grad`.

Each takes (params, *args) and returns the gradient as a pytree of the shapes of params. `nudge` and `jvp` take any
function `fun(params, *args)` of a pytree to a scalar; `chain_rule` is the backpropagation of our own network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, Num

from model.arrays import Array
from model.network import ACTIVATIONS, Layer, Network, Params, preactivations, targets_for
from model.tasks import TASKS

Tree = Any
Scalar = Callable[..., jax.Array]

# The nudge with the smallest error in float64, see docs/gradients.md.
EPSILON = 1e-2

# Directions are tried this many at a time, so that memory stays bounded for large networks.
BATCH = 256


def nudge(fun: Scalar, params: Tree, *args: Any, epsilon: float | Float[Array, ""] = EPSILON) -> Tree:
    """The guide's simpler view: move one parameter a little to both sides and watch the loss.

    The central difference of a nudge h, (fun(p + h) - fun(p - h)) / 2h, is off by a series in h², h⁴, h⁶ …. Taken at
    epsilon, at its half and at its quarter, it tells the first two terms, and so takes them away: what is left is off
    by a multiple of epsilon⁶ (Richardson's extrapolation; Press et al., Numerical Recipes, 5.7).

    epsilon: the nudge, above 0. Meant for float64 (see `check_gradients`); float32 has few digits left of the
    difference of two near numbers.

    >>> with jax.enable_x64(True):
    ...     grads = nudge(lambda p: p["w"] ** 3 + 2 * p["b"], {"w": jnp.array(2.0), "b": jnp.array(1.0)})
    >>> round(float(grads["w"]), 9), round(float(grads["b"]), 9)
    (12.0, 2.0)
    """
    steps = epsilon * jnp.array([1.0, 0.5, 0.25, -0.25, -0.5, -1.0])

    def derivative(step: Callable[[jax.Array], Tree]) -> jax.Array:
        values = jax.vmap(lambda h: fun(step(h), *args))(steps)
        differences = (values - values[::-1]) / (2 * steps)
        without_squares = (4 * differences[1:3] - differences[0:2]) / 3
        extrapolated: jax.Array = (16 * without_squares[1] - without_squares[0]) / 15
        return extrapolated

    return one_at_a_time(derivative, params)


def jvp(fun: Scalar, params: Tree, *args: Any) -> Tree:
    """Forward mode: one exact derivative along each parameter in turn (Baydin et al., JMLR 18:153, 3.1).

    >>> grads = jvp(lambda p: p["w"] ** 3 + 2 * p["b"], {"w": jnp.array(2.0), "b": jnp.array(1.0)})
    >>> float(grads["w"]), float(grads["b"])
    (12.0, 2.0)
    """

    def derivative(step: Callable[[jax.Array], Tree]) -> jax.Array:
        zero = jnp.zeros(())
        tangent: jax.Array = jax.jvp(lambda h: fun(step(h), *args), (zero,), (jnp.ones_like(zero),))[1]
        return tangent

    return one_at_a_time(derivative, params)


def one_at_a_time(derivative: Callable[[Callable[[jax.Array], Tree]], jax.Array], params: Tree) -> Tree:
    """Apply `derivative` to every parameter: to the function that moves this one by a step and leaves the others.

    Returns the structure of params, each leaf of its shape and that of the derivatives.
    """
    flat, unflatten = ravel_pytree(params)

    def at(index: jax.Array) -> jax.Array:
        return derivative(lambda h: unflatten(flat.at[index].add(h.astype(flat.dtype))))

    results = jax.lax.map(at, jnp.arange(flat.size), batch_size=BATCH)
    sizes = np.cumsum([jnp.size(leaf) for leaf in jax.tree.leaves(params)])[:-1]
    leaves = zip(jnp.split(results, sizes), jax.tree.leaves(params), strict=True)
    shaped = [part.reshape(jnp.shape(leaf) + results.shape[1:]) for part, leaf in leaves]
    return jax.tree.unflatten(jax.tree.structure(params), shaped)


def chain_rule(
    params: Params,
    x: Num[Array, "rows columns"],
    y: Num[Array, "rows *outputs"],
    network: Network,
    weights: Num[Array, " rows"] | None = None,
) -> Tree:
    """The guide's in-depth view: the error propagated backwards, layer by layer (Bishop, PRML, 5.3.1).

    delta is the derivative of the loss by a layer's z. At the output it is the residual, times the row's weight where
    there are some, over the number of targets; a
    layer further down it is delta · weightᵀ, times the activation's own derivative (5.56). A weight's gradient is the
    sum over rows of what came in times delta (5.53), a bias's the sum of delta.

    >>> from model.network import init_params, loss
    >>> network, x, y = Network((2, 3, 1), "tanh"), jnp.ones((4, 2)), jnp.ones(4)
    >>> params = init_params(network, key=jax.random.key(0))
    >>> by_hand, by_jax = chain_rule(params, x, y, network), jax.grad(loss)(params, x, y, network)
    >>> bool(jnp.allclose(by_hand[0].weight, by_jax[0].weight, rtol=1e-4))
    True
    """
    derivative = DERIVATIVES[network.activation]
    error = TASKS[network.task].residual

    def weighted(z: jax.Array, targets: jax.Array) -> jax.Array:
        return error(z, targets) if weights is None else error(z, targets) * jnp.asarray(weights)[:, None]

    return backpropagate(params, x, y, lambda _, z: derivative(z), weighted, network)


def backpropagate(
    params: Params,
    x: Num[Array, "rows columns"],
    y: Num[Array, "rows *outputs"],
    derivative: Callable[[int, jax.Array], jax.Array],
    error: Callable[[jax.Array, Any], jax.Array],
    network: Network,
) -> Tree:
    """The chain rule with its two parts that depend on the network left open.

    derivative: that of a hidden layer's activation, from the layer's index and its z. error: the loss's derivative by
    each output's z, but for the mean, from z and y.
    """
    zs = preactivations(params, x, network)
    activate = ACTIVATIONS[network.activation]
    inputs = [x, *(activate(z) for z in zs[:-1])]

    z = zs[-1][:, 0] if network.sizes[-1] == 1 else zs[-1]
    targets = targets_for(z, y, network).reshape(zs[-1].shape)
    delta = error(zs[-1], targets) / y.size
    grads = []
    for index in reversed(range(len(params))):
        grads.append(Layer(weight=inputs[index].T @ delta, bias=delta.sum(axis=0)))
        if index > 0:
            delta = (delta @ params[index].weight.T) * derivative(index - 1, zs[index - 1])
    return grads[::-1]


def _gelu_derivative(z: jax.Array) -> jax.Array:
    """The derivative of z Φ(z), with Φ the normal distribution and φ its density: Φ(z) + z φ(z)."""
    return jax.scipy.stats.norm.cdf(z) + z * jax.scipy.stats.norm.pdf(z)


DERIVATIVES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": lambda z: jnp.where(z > 0, 1.0, 0.0).astype(z.dtype),
    "tanh": lambda z: 1 - jnp.tanh(z) ** 2,
    "sigmoid": lambda z: jax.nn.sigmoid(z) * (1 - jax.nn.sigmoid(z)),
    "gelu": _gelu_derivative,
}
