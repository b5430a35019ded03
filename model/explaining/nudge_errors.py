"""`nudge_errors`: one parameter nudged by many epsilons, and why its slope is wrong at both ends.

In float64, the difference of two losses is known to about 2⁻⁵³ of the losses, and divided by 2 epsilon that error grows
as epsilon shrinks. At a large epsilon, the loss bends within the nudge: the error grows with epsilon² (Press et al.,
Numerical Recipes, 5.7). Where a relu switches within the nudge, the loss has a kink, and the error does not fall like
that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, Num

from model.arrays import Array
from model.explaining.arithmetic import number_text
from model.explaining.precision import Precision
from model.network import Network, Params, loss, preactivations
from model.pytrees import entry_names

# From 0.1 to 1e-12, four in each decade.
EPSILONS = np.array([10.0 ** (-1 - step / 4) for step in range(45)])


class Nudge(NamedTuple):
    """One parameter moved by epsilon to both sides.

    Attributes:
        epsilon: the step.
        loss_above: the loss with the parameter larger by epsilon.
        loss_below: the loss with it smaller by epsilon.
        slope: (loss_above - loss_below) / (2 epsilon).
        error: the slope minus the true one.
    """

    epsilon: float
    loss_above: float
    loss_below: float
    slope: float
    error: float


class NudgeErrors(NamedTuple):
    """What `nudge_errors` finds.

    Attributes:
        name: of the parameter, such as `0.weight[0,1]`.
        value: of the parameter.
        loss: of the network as it is.
        grad: the true slope: that of `jax.grad`.
        chosen: the nudge by the epsilon that was asked for.
        curve: the nudges by EPSILONS.
        kink: whether a relu switches within the chosen nudge.
        large_reason: why the error is large at a large epsilon; a sentence.
        small_reason: why it is large at a small one.
        at_epsilon: what limits the chosen one.
    """

    name: str
    value: float
    loss: float
    grad: float
    chosen: Nudge
    curve: tuple[Nudge, ...]
    kink: bool
    large_reason: str
    small_reason: str
    at_epsilon: str


def nudge_errors(
    params: Params,
    x: Num[Array, "rows columns"],
    y: Num[Array, "rows *outputs"],
    network: Network,
    *,
    parameter: str,
    epsilon: float,
    weights: Num[Array, " rows"] | None = None,
) -> NudgeErrors:
    """Nudge one parameter by many epsilons, in float64, and compare each slope with `jax.grad`.

    Args:
        params: of one network.
        x: [rows, columns].
        y: the targets as `loss` takes them.
        network: the description of the network.
        parameter: its name, as `entry_names` gives it.
        epsilon: a further step, above 0, to look at closely.
        weights: [rows], a factor for the loss of each row; None if all count the same.

    Returns:
        The nudges, their errors and the reasons.

    Raises:
        ValueError: if there is no such parameter, or if epsilon is not a finite number above 0.

    Example:
        >>> from model.network import Layer
        >>> params = [Layer(np.array([[0.5]]), np.array([0.0]))]
        >>> rows = np.ones((1, 1)), np.ones(1)
        >>> found = nudge_errors(params, *rows, Network((1, 1)), parameter="0.bias[0]", epsilon=0.1)
        >>> round(found.grad, 6), f"{found.chosen.error:.1e}", min(abs(each.error) for each in found.curve) < 1e-9
        (-0.377541, '-9.6e-05', True)
    """
    names = entry_names(params)
    if parameter not in names:
        raise ValueError(f"the parameter must be a name such as {names[0]} or {names[-1]}, not {parameter!r:.40}")
    if not 0 < epsilon < np.inf:
        raise ValueError(f"epsilon must be a finite number above 0, not {epsilon!r:.40}")
    own: Params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    index = names.index(parameter)
    at, grad, chosen, *curve = _nudges(own, x, y, weights, network, index, epsilon)
    counted = np.asarray(x) if weights is None else np.asarray(x)[np.asarray(weights) > 0]
    kink = network.activation == "relu" and _switches(own, counted, network, index, epsilon)
    value = float(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(own)])[index])
    return NudgeErrors(parameter, value, at, grad, chosen, tuple(curve), kink, *_reasons(network, chosen, curve, kink))


def _nudges(
    params: Params, x: Any, y: Any, weights: Any, network: Network, index: int, epsilon: float
) -> tuple[Any, ...]:
    """The loss, its slope by one parameter, and the nudges by epsilon and by EPSILONS."""
    steps = np.concatenate([[epsilon], EPSILONS])
    with jax.enable_x64(True):
        found = jax.device_get(_losses_along(params, x, y, weights, network, index, steps))
    at, grad = float(found[0]), float(found[1])
    above, below = (np.asarray(each, np.float64).tolist() for each in found[2:])
    return at, grad, *(_nudge(*each, grad) for each in zip(steps.tolist(), above, below, strict=True))


@jax.jit
def _losses_along(
    params: Params, x: Any, y: Any, weights: Any, network: Network, index: Any, steps: Float[Array, " steps"]
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The loss, its slope by one parameter, and the losses with it larger and smaller by each step."""
    flat, unflatten = ravel_pytree(params)

    def loss_with(step: Any) -> jax.Array:
        return loss(unflatten(flat.at[index].add(step)), x, y, network, weights)

    grad = ravel_pytree(jax.grad(loss)(params, x, y, network, weights))[0][index]
    both = jax.lax.map(loss_with, jnp.concatenate([steps, -steps, jnp.zeros(1)]))
    return both[-1], grad, both[: len(steps)], both[len(steps) : -1]


def _nudge(epsilon: float, above: float, below: float, grad: float) -> Nudge:
    slope = (above - below) / (2 * epsilon)
    return Nudge(epsilon, above, below, slope, slope - grad)


def _switches(params: Params, x: np.ndarray, network: Network, index: int, epsilon: float) -> bool:
    """Whether a hidden unit is above 0 at one end of the nudge and not at the other, or changes on the way there."""
    leaves, structure = jax.tree.flatten(params)
    flat = np.concatenate([np.ravel(leaf) for leaf in leaves])
    cuts = np.cumsum([leaf.size for leaf in leaves])[:-1]
    signs = []
    for step in (-epsilon, 0.0, epsilon):
        moved = flat.copy()
        moved[index] += step
        parts = [part.reshape(leaf.shape) for part, leaf in zip(np.split(moved, cuts), leaves, strict=True)]
        with np.errstate(over="ignore", invalid="ignore"):
            zs = preactivations(jax.tree.unflatten(structure, parts), x, network)[:-1]
        signs.append(np.concatenate([np.ravel(z > 0) for z in zs] or [np.zeros(0, bool)]))
    return bool((signs[0] != signs[1]).any() or (signs[1] != signs[2]).any())


def _reasons(network: Network, chosen: Nudge, curve: list[Nudge], kink: bool) -> tuple[str, str, str]:
    large = "A large nudge goes so far that the slope changes on the way, and the error grows with epsilon²."
    if network.activation == "relu" and len(network.sizes) > 2:
        large = (
            "A large nudge goes so far that the slope changes on the way, and a ReLU unit may switch: the error grows "
            "with epsilon, or faster."
        )
    small = (
        "A small nudge changes only the last of the 16 digits that the computer keeps of each number, and dividing by "
        "2 epsilon makes that rounding error large."
    )
    return large, small, _limit(chosen, curve, kink)


def _limit(chosen: Nudge, curve: list[Nudge], kink: bool) -> str:
    """What limits the chosen epsilon, in a sentence. Those of the next smaller decade show which way the error goes."""
    error = abs(chosen.error)
    smaller = [abs(each.error) for each in curve if 0.1 <= each.epsilon / chosen.epsilon < 0.99]
    if not np.isfinite(error):
        return "The loss is not a finite number here, so there is no slope to compare."
    if error == 0:
        return "At this epsilon the nudge gives the true slope to the last digit."
    if kink:
        return "A ReLU unit switches within this nudge, so the two losses are on different slopes."
    shown = number_text(error, Precision(digits=2))
    if smaller and np.median(smaller) < error:
        return f"Here the bend of the loss counts most, and a smaller one makes the error of {shown} smaller."
    return (
        f"At this epsilon rounding counts most: the computer keeps 16 digits, which leaves an error of about {shown}, "
        "and a smaller epsilon does not make it smaller."
    )
