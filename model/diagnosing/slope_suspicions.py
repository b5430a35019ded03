"""Suspicions about the slope: a flat place of the loss, and a learning rate that does not fit its curvature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from model.diagnosing.activity import Activity, losses_of
from model.diagnosing.findings import Suspicion
from model.diagnosing.placing import MAX_PLACED, place_units
from model.diagnosing.words import short_number, units_text
from model.hyperparameters import Hyperparameters
from model.network import Network, Params, as_layers, loss, parameter_count
from model.tables.table import Table

# A network of at most so many parameters has its curvature computed in every direction.
MAX_CURVED_PARAMETERS = 200
# How many columns of the Hessian are computed side by side.
COLUMNS_AT_ONCE = 8
# The loss is flat if a step of length 1 straight down the slope would lower it by less than this share.
FLAT_SHARE = 0.01
# A direction is flat, or a place a saddle, by the curvature as a share of the largest one.
FLAT_CURVATURE = 1e-3
# Gradient descent is stable up to a learning rate of 2 / curvature (LeCun et al., Efficient BackProp, 1998, 5).
STABLE = 2.0
# A learning rate is small if it is less than this share of 1 / curvature; the remedy is at most so many times as large.
SMALL_SHARE, MAX_FACTOR = 0.1, 1000.0
# The rates that may be named: float32 holds them.
RATES = 1e-37, 1e37
# A record of the loss is a jump if it is higher than the one before by this share; too many jumps are a quarter.
JUMP, MANY_JUMPS = 1e-3, 0.25
# Lengths of the step along a direction that curves down.
STEPS = 2.0 ** np.arange(-6, 4)


class Slope(NamedTuple):
    """The loss near a point.

    Attributes:
        loss: at the point.
        gradient: the norm of the gradient.
        curvatures: [parameters] the eigenvalues of the Hessian in ascending order; empty for a large network.
        directions: [parameters, parameters] the direction of each curvature in a column.
    """

    loss: float
    gradient: float
    curvatures: np.ndarray
    directions: np.ndarray


def slope_of(params: Params, table: Table, network: Network) -> Slope:
    """The gradient and the curvature of the loss, in float64.

    Args:
        params: of one network.
        table: the rows.
        network: the description of the network.

    Returns:
        The slope.

    Example:
        >>> from model.network import Layer
        >>> from model.tables.truth_tables import truth_table
        >>> params = [Layer(np.zeros((2, 1), np.float32), np.zeros(1, np.float32))]
        >>> slope = slope_of(params, truth_table("xor"), Network((2, 1)))
        >>> round(slope.loss, 4), slope.gradient, slope.curvatures.round(4).tolist()
        (0.6931, 0.0, [0.0392, 0.0625, 0.3983])
    """
    with jax.enable_x64(True):
        flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)]).astype(np.float64)
        x, y = (np.asarray(each, np.float64) for each in (table.x, table.y))
        weights = None if table.weights is None else np.asarray(table.weights, np.float64)
        is_small = parameter_count(network) <= MAX_CURVED_PARAMETERS
        value, gradient, hessian = jax.device_get(
            (_derivatives if is_small else _gradient)(flat, x, y, network, weights)
        )
    curvatures, directions = np.linalg.eigh(hessian) if is_small else (np.zeros(0), np.zeros((0, 0)))
    return Slope(float(value), float(np.linalg.norm(gradient)), curvatures, directions)


def _flat_loss(flat: Any, x: Any, y: Any, network: Network, weights: Any) -> jax.Array:
    return loss(as_layers(flat, network), x, y, network, weights)


@jax.jit
def _derivatives(*arguments: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    flat, *rest = arguments
    gradient = jax.grad(_flat_loss)

    def column(direction: jax.Array) -> jax.Array:
        """How the gradient changes along a direction: a column of the Hessian."""
        changes: jax.Array = jax.jvp(lambda point: gradient(point, *rest), (flat,), (direction,))[1]
        return changes

    # A few columns at a time, because all of them would take a gigabyte for 2,000 rows.
    directions = jnp.eye(flat.size, dtype=flat.dtype)
    hessian = jax.lax.map(column, directions, batch_size=COLUMNS_AT_ONCE)
    return *jax.value_and_grad(_flat_loss)(*arguments), hessian


@jax.jit
def _gradient(*arguments: Any) -> tuple[jax.Array, jax.Array, None]:
    return *jax.value_and_grad(_flat_loss)(*arguments), None


def slope_suspicions(
    params: Params,
    activity: Activity,
    table: Table,
    network: Network,
    hyperparameters: Hyperparameters,
    losses: Float[np.ndarray, " records"] | None,
) -> Iterator[Suspicion]:
    """What may be wrong with the slope.

    Args:
        params: of one network.
        activity: of the network on the rows.
        table: the rows.
        network: the description of the network.
        hyperparameters: with which it is trained.
        losses: the losses that training recorded; None if they are not known.

    Yields:
        At most one suspicion: the learning rate is too large, the place is flat, or the learning rate is too small.
    """
    slope = slope_of(params, table, network)
    rate, steepest = hyperparameters.learning_rate, slope.curvatures.max(initial=0.0)
    jumps = jump_share(losses)
    is_plain = hyperparameters.optimizer != "adam" and len(slope.curvatures) > 0
    numbers = {
        "gradient_norm": slope.gradient,
        "largest_curvature": float(steepest),
        "jumps": jumps,
        "learning_rate": rate,
    }
    if jumps >= MANY_JUMPS or (is_plain and rate * steepest > STABLE and slope.gradient > 0):
        better = 1 / steepest if is_plain and rate * steepest > STABLE else rate / 10
        yield _rate_suspicion("large_learning_rate", better, numbers)
    elif slope.gradient < FLAT_SHARE * slope.loss:
        yield _flat(params, slope, activity, table, network)
    elif is_plain and rate * steepest < SMALL_SHARE:
        yield _rate_suspicion(
            "small_learning_rate", min(1 / steepest, rate * MAX_FACTOR) if steepest > 0 else rate * 10, numbers
        )


def jump_share(losses: Float[np.ndarray, " records"] | None) -> float:
    """How often the loss rose from one record to the next, in the second half of the records.

    Args:
        losses: [records]; None if they are not known.

    Returns:
        From 0 to 1.

    Example:
        >>> jump_share(np.array([3.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]))
        0.5
    """
    if losses is None or len(losses) < 4:
        return 0.0
    late = np.asarray(losses, np.float64)[len(losses) // 2 - 1 :]
    return float(np.mean(late[1:] > late[:-1] * (1 + JUMP)))


def _rate_suspicion(kind: str, better: float, numbers: dict[str, float]) -> Suspicion:
    rate, curvature = numbers["learning_rate"], numbers["largest_curvature"]
    better = float(f"{np.clip(better, *RATES):.1g}")
    if kind == "large_learning_rate":
        share = numbers["jumps"]
        jumps = f": the loss rises in {share:.0%} of its late records" if share else ""
        sentence = (
            f"The learning rate {short_number(rate)} is too large{jumps}. The curvature is {short_number(curvature)}, "
            "and a rate above 2 / curvature jumps over the valley and up its other side."
        )
    else:
        sentence = (
            f"The learning rate {short_number(rate)} is too small: the loss still falls (its slope is "
            f"{short_number(numbers['gradient_norm'], 2)}), and with a curvature of {short_number(curvature)} steps "
            f"could be {short_number(better / rate, 2)} times as long."
        )
    remedy = f"set the learning rate to {short_number(better)}"
    return Suspicion(kind, sentence, dict(numbers), remedy, learning_rate=better)


def _flat(params: Params, slope: Slope, activity: Activity, table: Table, network: Network) -> Suspicion:
    curvatures = slope.curvatures
    steepest = float(np.abs(curvatures).max(initial=0.0))
    numbers: dict[str, Any] = {"gradient_norm": slope.gradient, "loss": slope.loss}
    text = (
        f"The loss is flat here: its slope is only {short_number(slope.gradient, 2)}, so a short step hardly lowers it."
    )
    if len(curvatures):
        flat = int(np.sum(np.abs(curvatures) <= FLAT_CURVATURE * steepest))
        numbers |= {"curvatures": curvatures.tolist(), "flat_directions": flat}
        is_saddle = bool(curvatures[0] < -FLAT_CURVATURE * steepest)
        numbers["place"] = "saddle" if is_saddle else "minimum"
        if is_saddle:
            text += " It is like a mountain pass, a saddle: it goes up to two sides, and down to others."
            moved, step = _along(params, slope.directions[:, 0], table, network)
            remedy = f"go {short_number(step, 2)} along the direction that curves down most"
            return Suspicion("flat_minimum", text, numbers, remedy, params=moved)
        text += f" {_minimum_text(flat, len(curvatures), network)}"
    layer = len(activity.reactions) - 1
    units = [unit for unit in activity.units() if unit.layer == layer][:MAX_PLACED]
    placed = place_units(params, units, table, network)
    remedy = f"jump: place {units_text(units, network)} anew, one after another, where the error is" if placed else ""
    return Suspicion("flat_minimum", text, numbers, remedy, params=None if placed is None else placed.params)


def _minimum_text(flat: int, directions: int, network: Network) -> str:
    """What a place is like from which no direction curves down."""
    if len(network.sizes) == 2:  # then the loss is convex
        return "It is the bottom of the only valley that a network without a hidden layer has: no place is lower."
    text = "It is like the bottom of a valley, a local minimum: no small step leads down."
    if not flat:
        return text
    return f"{text} Of {directions} directions, {flat} {'are' if flat > 1 else 'is'} level, and the others lead up."


def _along(params: Params, direction: np.ndarray, table: Table, network: Network) -> tuple[Params, float]:
    """The params after the step along a direction, to either side, that leads to the smallest loss."""
    flat, unflatten = ravel_pytree(params)
    steps = np.concatenate([STEPS, -STEPS])
    tried = [unflatten(jnp.asarray(flat + step * direction, jnp.float32)) for step in steps]
    best = int(np.argmin(losses_of(tried, table, network)))
    return tried[best], float(abs(steps[best]))
