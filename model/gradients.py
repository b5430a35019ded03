"""One gradient, four derivations: `nudge`, `jvp` and `chain_rule` are here, the fourth is `jax.grad`.

Each takes (params, *args) and returns the gradient as a pytree with the structure and the shapes of params. `nudge` and
`jvp` take any function `fun(params, *args)` of a pytree that returns a scalar. `chain_rule` is the backpropagation of
our own network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, Num

from model.activations import ACTIVATION_DERIVATIVES, ACTIVATIONS
from model.arrays import Array
from model.network import Layer, Network, Params, as_logits, preactivations
from model.pytrees import Tree
from model.tasks import TASKS

ScalarFunction = Callable[..., jax.Array]
# From a step to the params in which one parameter is moved by it.
MoveParameter = Callable[[jax.Array], Tree]

# The epsilon with the smallest error in float64, see docs/gradients.md.
EPSILON = 1e-2
# Parameters are moved so many at a time, so that the memory for a large network stays bounded.
PARAMETERS_AT_ONCE = 256


def nudge(fun: ScalarFunction, params: Tree, *args: Any, epsilon: float | Float[Array, ""] = EPSILON) -> Tree:
    """The guide's simpler view: move one parameter a little to both sides and watch the loss.

    The central difference D(h) = (fun(p + h) - fun(p - h)) / 2h has an error that is a series in h², h⁴, h⁶ …. From D
    at epsilon, at its half and at its quarter, the first two terms are known and removed. The error that remains is a
    multiple of epsilon⁶ (Richardson's extrapolation; Press et al., Numerical Recipes, 5.7).

    Args:
        fun: a function of params and args that returns a scalar.
        params: a pytree of floating-point arrays. They should be float64, as in `check_gradients`: in float32, the
            difference of two nearly equal values has few correct digits.
        args: the other arguments of fun.
        epsilon: the largest step, above 0.

    Returns:
        A pytree like params: the derivative by each parameter.

    Example:
        >>> with jax.enable_x64(True):
        ...     grads = nudge(lambda p: p["w"] ** 3 + 2 * p["b"], {"w": jnp.array(2.0), "b": jnp.array(1.0)})
        >>> round(float(grads["w"]), 9), round(float(grads["b"]), 9)
        (12.0, 2.0)
    """
    steps = epsilon * jnp.array([1.0, 0.5, 0.25, -0.25, -0.5, -1.0])

    def derivative(move: MoveParameter) -> jax.Array:
        values = jax.vmap(lambda step: fun(move(step), *args))(steps)
        differences = (values - values[::-1]) / (2 * steps)
        without_squares = (4 * differences[1:3] - differences[0:2]) / 3
        extrapolated: jax.Array = (16 * without_squares[1] - without_squares[0]) / 15
        return extrapolated

    return map_parameters(derivative, params)


def jvp(fun: ScalarFunction, params: Tree, *args: Any) -> Tree:
    """Forward mode: one exact derivative along each parameter in turn (Baydin et al., JMLR 18:153, 3.1).

    Args:
        fun: a function of params and args that returns a scalar.
        params: a pytree of floating-point arrays.
        args: the other arguments of fun.

    Returns:
        A pytree like params: the derivative by each parameter.

    Example:
        >>> grads = jvp(lambda p: p["w"] ** 3 + 2 * p["b"], {"w": jnp.array(2.0), "b": jnp.array(1.0)})
        >>> float(grads["w"]), float(grads["b"])
        (12.0, 2.0)
    """

    def derivative(move: MoveParameter) -> jax.Array:
        zero = jnp.zeros(())
        tangent: jax.Array = jax.jvp(lambda step: fun(move(step), *args), (zero,), (jnp.ones_like(zero),))[1]
        return tangent

    return map_parameters(derivative, params)


def map_parameters(derivative: Callable[[MoveParameter], jax.Array], params: Tree) -> Tree:
    """Compute a derivative for every parameter, each moved while the others stay.

    Args:
        derivative: takes a function that returns params with one parameter moved by a step; it may return any shape.
        params: a pytree of floating-point arrays.

    Returns:
        A pytree with the structure of params. Each leaf has the shape of its leaf of params, then that of the
        derivatives.

    Example:
        >>> slopes = map_parameters(lambda move: jnp.sum(move(1.0)) - jnp.sum(move(0.0)), jnp.zeros((2, 3)))
        >>> slopes.shape, float(slopes[1, 2])
        ((2, 3), 1.0)
    """
    flat, unflatten = ravel_pytree(params)

    def derivative_by(index: jax.Array) -> jax.Array:
        return derivative(lambda step: unflatten(flat.at[index].add(jnp.asarray(step, flat.dtype))))

    results = jax.lax.map(derivative_by, jnp.arange(flat.size), batch_size=PARAMETERS_AT_ONCE)
    bounds = np.cumsum([jnp.size(leaf) for leaf in jax.tree.leaves(params)])[:-1]
    leaves = zip(jnp.split(results, bounds), jax.tree.leaves(params), strict=True)
    shaped = [part.reshape(jnp.shape(leaf) + results.shape[1:]) for part, leaf in leaves]
    return jax.tree.unflatten(jax.tree.structure(params), shaped)


class BackwardPass(NamedTuple):
    """What the chain rule computes on its way from the loss to the gradient.

    Attributes:
        inputs: for each layer, what it gets: [rows, inputs], first x, then the activations.
        preactivations: for each layer, its z: [rows, outputs].
        slopes: for each hidden layer, the derivative of the activation at z: [rows, outputs].
        targets: [rows, outputs], one-hot for classes.
        deltas: for each layer, the derivative of the loss by z: [rows, outputs].
        grads: for each layer, the derivatives of the loss by its weights and its biases.
    """

    inputs: list[Any]
    preactivations: list[Any]
    slopes: list[Any]
    targets: Any
    deltas: list[Any]
    grads: Params


def chain_rule(
    params: Params,
    x: Num[Array, "rows inputs"],
    y: Num[Array, "rows *outputs"],
    network: Network,
    weights: Num[Array, " rows"] | None = None,
) -> Tree:
    """The guide's in-depth view: the error is propagated backward, layer by layer (Bishop, PRML, 5.3.1).

    delta is the derivative of the loss by a layer's z. At the output it is the residual, times the weight of the row if
    there are weights, over the number of targets. At the layer before, it is delta · weightᵀ, times the derivative of
    the activation (5.56). The gradient of a weight is the layer's input times delta, summed over the rows (5.53); that
    of a bias is delta, summed over the rows.

    Args:
        params: the layers of one network.
        x: [rows, inputs].
        y: [rows] or [rows, outputs], the targets as `loss` takes them.
        network: the description of the network.
        weights: [rows], how much each row counts; None if all count the same.

    Returns:
        One Layer for each layer of params: the derivatives by its weights and its biases.

    Example:
        >>> from model.network import loss
        >>> from model.training.initial_params import init_params
        >>> network, x, y = Network((2, 3, 1), "tanh"), jnp.ones((4, 2)), jnp.ones(4)
        >>> params = init_params(network, key=jax.random.key(0))
        >>> by_hand, by_jax = chain_rule(params, x, y, network), jax.grad(loss)(params, x, y, network)
        >>> bool(jnp.allclose(by_hand[0].weight, by_jax[0].weight, rtol=1e-4))
        True
    """
    return backward_pass(params, x, y, network, weights).grads


def backward_pass(
    params: Params,
    x: Num[Array, "rows inputs"],
    y: Num[Array, "rows *outputs"],
    network: Network,
    weights: Num[Array, " rows"] | None = None,
) -> BackwardPass:
    """All that `chain_rule` computes, not the gradient alone.

    Args:
        params: the layers of one network.
        x: [rows, inputs].
        y: [rows] or [rows, outputs], the targets as `loss` takes them.
        network: the description of the network.
        weights: [rows], how much each row counts; None if all count the same.

    Returns:
        The gradient, and what it was made of.

    Example:
        >>> params = [Layer(jnp.ones((1, 1)), jnp.zeros(1))]
        >>> backward_pass(params, jnp.zeros((1, 1)), jnp.ones(1), Network((1, 1))).deltas[0].tolist()
        [[-0.5]]
    """
    derivative = ACTIVATION_DERIVATIVES[network.activation]
    residual = TASKS[network.task].residual

    def weighted_residual(z: jax.Array, targets: jax.Array) -> jax.Array:
        unweighted = residual(z, targets)
        return unweighted if weights is None else unweighted * jnp.asarray(weights)[:, None]

    return backpropagate(params, x, y, lambda _, z: derivative(z), weighted_residual, network)


def backpropagate(
    params: Params,
    x: Num[Array, "rows inputs"],
    y: Num[Array, "rows *outputs"],
    derivative: Callable[[int, jax.Array], jax.Array],
    residual: Callable[[jax.Array, Any], jax.Array],
    network: Network,
) -> BackwardPass:
    """The chain rule, with the two parts that depend on the network as arguments.

    Args:
        params: the layers of one network.
        x: [rows, inputs].
        y: [rows] or [rows, outputs], the targets as `loss` takes them.
        derivative: from the index of a hidden layer and its z to the derivative of the activation.
        residual: from the z of the output layer and the targets to the derivative of the sum of all losses by z.
        network: the description of the network.

    Returns:
        The gradient, and what it was made of.
    """
    zs = preactivations(params, x, network)
    activate = ACTIVATIONS[network.activation]
    inputs = [x, *(activate(z) for z in zs[:-1])]
    slopes = [derivative(index, z) for index, z in enumerate(zs[:-1])]

    targets = TASKS[network.task].shape_targets(as_logits(zs[-1], network), y).reshape(zs[-1].shape)
    deltas = [residual(zs[-1], targets) / y.size]
    for layer, slope in zip(params[:0:-1], slopes[::-1], strict=True):
        deltas.insert(0, (deltas[0] @ layer.weight.T) * slope)
    grads = [Layer(weight=a.T @ delta, bias=delta.sum(axis=0)) for a, delta in zip(inputs, deltas, strict=True)]
    return BackwardPass(inputs, zs, slopes, targets, deltas, grads)
