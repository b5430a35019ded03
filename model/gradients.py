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

from model.network import ACTIVATIONS, Array, Layer, Network, Params, preactivations, residual

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
    return jax.tree.map(lambda slope: slope[..., 0], slopes(fun, params, *args, steps=jnp.zeros(1)))


def slopes(fun: Scalar, params: Tree, *args: Any, steps: Float[Array, " steps"]) -> Tree:
    """The derivative along each parameter after moving that one, alone, by each of the steps, in forward mode.

    Returns the structure of params, each leaf with a trailing axis for the steps.

    >>> slopes(lambda p: p**2, jnp.array(3.0), steps=jnp.array([-1.0, 0.0, 1.0])).tolist()
    [4.0, 6.0, 8.0]
    """

    def derivatives(step: Callable[[jax.Array], Tree]) -> jax.Array:
        def slope(h: jax.Array) -> jax.Array:
            derivative: jax.Array = jax.jvp(lambda t: fun(step(t), *args), (h,), (jnp.ones_like(h),))[1]
            return derivative

        return jax.vmap(slope)(jnp.asarray(steps))

    return one_at_a_time(derivatives, params)


# The steps that `jump` wants, in nudges.
JUMP_STEPS = (1.0, 0.5, 0.25, 0.125, -0.125, -0.25, -0.5, -1.0)


def jump(slopes: Float[Array, "*shape 8"]) -> Float[jax.Array, "*shape"]:
    """How far a slope jumps between -h and h, from its values at JUMP_STEPS · h; 0, but for rounding, if it is smooth.

    Let d(h) be the difference between the slopes at h and at -h. For a smooth function it is an odd series,
    2h f″ + h³ f⁗/3 + …, so d(h) - 2 d(h/2) is free of its first term; that, less 8 times itself at h/2, of the second;
    that, less 32 times itself at h/2, of the third. A jump between -h and h adds itself whole to d(h), however small h,
    and whichever of the steps lie beyond it, a multiple of it from 1 to 295 is left.

    >>> def fun(p):
    ...     return jax.nn.relu(p) + p**2
    >>> round(float(jump(slopes(fun, jnp.array(0.4), steps=0.5 * jnp.array(JUMP_STEPS)))), 3)
    1.0
    >>> round(float(jump(slopes(fun, jnp.array(1.0), steps=0.5 * jnp.array(JUMP_STEPS)))), 3)
    0.0
    """
    remainder = (slopes - slopes[..., ::-1])[..., :4]
    for factor in (2, 8, 32):
        remainder = remainder[..., :-1] - factor * remainder[..., 1:]
    return jnp.abs(remainder[..., 0])


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


def chain_rule(params: Params, x: Num[Array, "rows columns"], y: Num[Array, "rows *outputs"], network: Network) -> Tree:
    """The guide's in-depth view: the error propagated backwards, layer by layer (Bishop, PRML, 5.3.1).

    delta is the derivative of the loss by a layer's z. At the output it is the residual over the number of targets; a
    layer further down it is delta · weightᵀ, times the activation's own derivative (5.56). A weight's gradient is the
    sum over rows of what came in times delta (5.53), a bias's the sum of delta.

    >>> from model.network import init_params, loss
    >>> network, x, y = Network((2, 3, 1), "tanh"), jnp.ones((4, 2)), jnp.ones(4)
    >>> params = init_params(network, key=jax.random.key(0))
    >>> by_hand, by_jax = chain_rule(params, x, y, network), jax.grad(loss)(params, x, y, network)
    >>> bool(jnp.allclose(by_hand[0].weight, by_jax[0].weight, rtol=1e-4))
    True
    """
    zs = preactivations(params, x, network)
    activate, derivative = ACTIVATIONS[network.activation], DERIVATIVES[network.activation]
    inputs = [x, *(activate(z) for z in zs[:-1])]

    delta = residual(zs[-1], y.reshape(zs[-1].shape)) / zs[-1].size
    grads = []
    for index in reversed(range(len(params))):
        grads.append(Layer(weight=inputs[index].T @ delta, bias=delta.sum(axis=0)))
        if index > 0:
            delta = (delta @ params[index].weight.T) * derivative(zs[index - 1])
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
