"""Placing a hidden unit anew, where it can take away most of the error."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from model.activations import ACTIVATIONS
from model.arrays import Array
from model.diagnosing.activity import Activity, Unit, activity_of, losses_of
from model.network import Layer, Network, Params
from model.tables.table import Table

# So many rows, those with the largest errors, are where a unit can bend.
MAX_BENDS = 16
# At most so many units are placed by one change.
MAX_PLACED = 8
# Two scores that differ by less than this share are equal; then the first candidate is taken.
TIE = 1e-4
# The weights of a placed unit that are tried, as multiples of the direction in which the loss falls.
WEIGHT_SIZES = 2.0 ** np.arange(-6, 10)


class Placed(NamedTuple):
    """What comes of placing a unit.

    Attributes:
        params: the changed ones.
        on_rows: the rows on which the z of the unit is above 0.
    """

    params: Params
    on_rows: tuple[int, ...]


def place_unit(
    params: Params, unit: Unit, table: Table, network: Network, rows: Bool[np.ndarray, " rows"] | None = None
) -> Placed | None:
    """Give a hidden unit new weights, so that it takes away as much of the error as one unit can.

    The unit is first taken out: the bias of the next layer takes over its mean. Candidates are ramps along the line
    through two rows that rise from the middle between two rows. The one whose answers go most with the errors is
    taken, as in cascade correlation (Fahlman and Lebiere, NIPS 1989). Of several sizes for its outgoing weights,
    the one with the smallest loss is taken. Nothing is drawn at random.

    Args:
        params: of one network.
        unit: the unit to place.
        table: the rows.
        network: the description of the network.
        rows: [rows], those whose error counts; None for all.

    Returns:
        The changed params and where the unit is on; None if nothing that the unit can do changes the error.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> params = [Layer(np.zeros((2, 1), np.float32), np.zeros(1, np.float32))]
        >>> params.append(Layer(np.zeros((1, 1), np.float32), np.zeros(1, np.float32)))
        >>> placed = place_unit(params, Unit(0, 0), truth_table("and"), Network((2, 1, 1)))
        >>> placed.on_rows, placed.params[0].weight.round(2).tolist(), placed.params[0].bias.tolist()
        ((3,), [[2.0], [2.0]], [-3.0])
    """
    params = _take_out(params, unit, activity_of(params, table, network))
    activity = activity_of(params, table, network)
    inputs, errors = activity.inputs[unit.layer], activity.deltas[unit.layer + 1]
    if rows is not None:
        errors = errors * rows[:, None]
    found = _best_ramp(inputs, errors, network)
    if found is None:
        return None
    ramp, mean, outgoing = found
    incoming = _with_incoming(params, unit, ramp)
    tried = [_with_outgoing(incoming, unit, size * outgoing, mean) for size in WEIGHT_SIZES]
    best = tried[int(np.argmin(np.nan_to_num(losses_of(tried, table, network), nan=np.inf)))]
    return Placed(best, tuple(np.flatnonzero(inputs @ ramp[:-1] + ramp[-1] > 0).tolist()))


def place_units(params: Params, units: Sequence[Unit], table: Table, network: Network) -> Placed | None:
    """Place several hidden units, one after another, each where the error is that is left.

    Args:
        params: of one network.
        units: the units, of which the first 8 are placed.
        table: the rows.
        network: the description of the network.

    Returns:
        The changed params, and the rows on which the last unit is on; None if none can be placed.
    """
    placed = None
    for unit in units[:MAX_PLACED]:
        found = place_unit(params if placed is None else placed.params, unit, table, network)
        placed = found or placed
    return placed


def least_useful_unit(params: Params, activity: Activity, layer: int, table: Table, network: Network) -> Unit:
    """The unit of a hidden layer that can be taken out at the least cost.

    Args:
        params: of one network.
        activity: of the network on the rows.
        layer: the layer.
        table: the rows.
        network: the description of the network.

    Returns:
        The unit without which the loss is smallest, when the next layer's bias takes over its mean. Of several, the one
        that reacts least to any row.
    """
    units = [unit for unit in activity.units() if unit.layer == layer]
    losses = np.nan_to_num(losses_of([_take_out(params, unit, activity) for unit in units], table, network), nan=np.inf)
    least = [unit for unit, loss in zip(units, losses, strict=True) if loss <= losses.min() * (1 + TIE)]
    return min(least, key=lambda unit: np.abs(activity.reactions[layer][:, unit.index]).max())


def _take_out(params: Params, unit: Unit, activity: Activity) -> Params:
    old = params[unit.layer + 1].weight[unit.index]
    return _with_outgoing(params, unit, np.zeros_like(old), -float(activity.answers(unit).mean()), old)


def _with_outgoing(params: Params, unit: Unit, weights: np.ndarray, mean: float, moved: Array | None = None) -> Params:
    """Params with other outgoing weights, and with the bias that keeps the mean: bias - mean · moved."""
    weight, bias = (np.array(leaf, np.float32) for leaf in params[unit.layer + 1])
    weight[unit.index] = weights
    bias -= mean * (weights if moved is None else moved)
    return [Layer(weight, bias) if layer == unit.layer + 1 else each for layer, each in enumerate(params)]


def _with_incoming(params: Params, unit: Unit, ramp: np.ndarray) -> Params:
    weight, bias = (np.array(leaf, np.float32) for leaf in params[unit.layer])
    weight[:, unit.index], bias[unit.index] = ramp[:-1], ramp[-1]
    return [Layer(weight, bias) if layer == unit.layer else each for layer, each in enumerate(params)]


def _best_ramp(
    inputs: Float[np.ndarray, "rows inputs"], errors: Float[np.ndarray, "rows outputs"], network: Network
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """The ramp whose answers go most with the errors, their mean, and the outgoing weights that lower the loss."""
    ramps = _ramps(inputs, errors)
    if not len(ramps):
        return None
    answers = np.asarray(ACTIVATIONS[network.activation](inputs @ ramps[:, :-1].T + ramps[:, -1]))
    means = answers.mean(axis=0)
    centred = answers - means
    gains = centred.T @ errors
    scores = np.linalg.norm(gains, axis=1) / np.maximum(np.linalg.norm(centred, axis=0), 1e-12)
    if not scores.max() > 0:
        return None
    best = int(np.argmax(scores >= scores.max() * (1 - TIE)))
    return ramps[best], float(means[best]), -gains[best] / np.linalg.norm(gains[best])


def _ramps(
    inputs: Float[np.ndarray, "rows inputs"], errors: Float[np.ndarray, "rows outputs"]
) -> Float[np.ndarray, "ramps parameters"]:
    """The candidates: weights, then the bias. Each has a largest z of 1 among the rows in which a unit can bend."""
    bends = np.sort(np.argsort(-np.linalg.norm(errors, axis=1), kind="stable")[:MAX_BENDS])
    points = inputs[bends].astype(np.float64)
    scale = max(np.abs(points).max(), 1e-30)
    ramps = []
    for first, second in combinations(range(len(points)), 2):
        direction = points[second] - points[first]
        if np.linalg.norm(direction) < 1e-6 * scale:
            continue
        direction /= np.linalg.norm(direction)
        for sign in (1.0, -1.0):
            places = np.unique((points @ (sign * direction / scale)).round(6)) * scale
            middles = (places[1:] + places[:-1]) / 2
            ramps += [np.append(sign * direction, -middle) / (places[-1] - middle) for middle in middles]
    return np.array(ramps, np.float32).reshape(-1, inputs.shape[1] + 1)
