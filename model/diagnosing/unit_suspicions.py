"""Suspicions about hidden units: those that do not react, those that are copies, and layers that bend nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from model.diagnosing.activity import STILL_SHARE, Activity, Unit
from model.diagnosing.findings import Suspicion
from model.diagnosing.placing import Placed, least_useful_unit, place_units
from model.diagnosing.words import rows_text, short_number, units_text
from model.explaining.names import capital
from model.network import Network, Params
from model.tables.table import Table

# The activations that are flat on one side only; a unit on that side is off.
ONE_SIDED = ("relu", "gelu")
# Two units are copies if their answers, scaled to a length of 1, differ by at most this.
COPY_DISTANCE = 1e-3
# A unit bends nothing if its reactions differ by at most this share of the largest one.
STRAIGHT_SHARE = 0.01
# Units of a layer that are compared with each other.
MAX_COMPARED = 256


def unit_suspicions(params: Params, activity: Activity, table: Table, network: Network) -> Iterator[Suspicion]:
    """What may be wrong with the hidden units.

    Args:
        params: of one network.
        activity: of the network on the rows.
        table: the rows.
        network: the description of the network.

    Yields:
        At most one suspicion of each kind.
    """
    still = still_units(activity)
    if still:
        yield _still(params, still, activity, table, network)
    copies = [group for group in copied_units(activity) if not set(group) & set(still)]
    if copies:
        yield _copied(params, copies, activity, table, network)
    for layer in range(len(activity.reactions)):
        if is_straight(activity, layer, still):
            yield _straight(params, layer, activity, table, network)
            return


def still_units(activity: Activity) -> list[Unit]:
    """The units that react to no row, so that no gradient reaches their weights.

    Args:
        activity: of the network on the rows.

    Returns:
        The units, in order.
    """
    return [unit for unit in activity.units() if np.all(np.abs(_reactions(activity, unit)) < STILL_SHARE)]


def copied_units(activity: Activity) -> list[list[Unit]]:
    """Units of one layer whose answers are the same up to a factor, on every row.

    Args:
        activity: of the network on the rows.

    Returns:
        Groups of at least two units. Units that answer 0 on every row are copies of each other.
    """
    groups: list[list[Unit]] = []
    for unit in (each for each in activity.units() if each.index < MAX_COMPARED):
        for group in groups:
            if group[0].layer == unit.layer and _are_copies(activity.answers(group[0]), activity.answers(unit)):
                group.append(unit)
                break
        else:
            groups.append([unit])
    return [group for group in groups if len(group) > 1]


def is_straight(activity: Activity, layer: int, still: Sequence[Unit]) -> bool:
    """Whether a hidden layer bends nothing: each unit reacts to all rows alike, and at least one reacts.

    Args:
        activity: of the network on the rows.
        layer: the hidden layer.
        still: the units that react to no row.

    Returns:
        True if what the layer computes is a straight line (or plane) on the rows.
    """
    units = [unit for unit in activity.units() if unit.layer == layer and unit not in still]
    return bool(units) and all(
        np.ptp(_reactions(activity, unit)) <= STRAIGHT_SHARE * np.abs(_reactions(activity, unit)).max()
        for unit in units
    )


def _reactions(activity: Activity, unit: Unit) -> np.ndarray:
    reactions: np.ndarray = activity.reactions[unit.layer][:, unit.index]
    return reactions


def _are_copies(first: np.ndarray, second: np.ndarray) -> bool:
    lengths = np.linalg.norm(first), np.linalg.norm(second)
    if min(lengths) < 1e-12:
        return bool(max(lengths) < 1e-12)
    first, second = first / lengths[0], second / lengths[1]
    return bool(min(np.linalg.norm(first - second), np.linalg.norm(first + second)) <= COPY_DISTANCE)


def _remedy(units: Sequence[Unit], placed: Placed | None, table: Table, network: Network) -> str:
    if placed is None:
        return ""
    on = f", {'the last one ' if len(units) > 1 else ''}on for {rows_text(placed.on_rows, table)}"
    return f"place {units_text(units, network)} anew where the error is{on}"


def _suspicion(
    kind: str,
    sentence: str,
    numbers: dict[str, object],
    units: list[Unit],
    moved: list[Unit],
    params: Params,
    table: Table,
    network: Network,
) -> Suspicion:
    placed = place_units(params, moved, table, network)
    return Suspicion(
        kind,
        sentence,
        numbers,
        _remedy(moved, placed, table, network),
        tuple(units),
        params=None if placed is None else placed.params,
    )


def _still(params: Params, units: list[Unit], activity: Activity, table: Table, network: Network) -> Suspicion:
    largest_z = [float(activity.zs[unit.layer][:, unit.index].max()) for unit in units]
    reactions = [float(np.abs(_reactions(activity, unit)).max()) for unit in units]
    numbers: dict[str, object] = {"largest_z": largest_z, "largest_reaction": reactions}
    one, names = len(units) == 1, units_text(units, network)
    if network.activation in ONE_SIDED:
        kind = "dead_units"
        gradient = "a gradient of 0" if network.activation == "relu" else "hardly any gradient"
        sentence = (
            f"{capital(names)} {'is' if one else 'are'} dead: off for every row, since z is at most "
            f"{short_number(max(largest_z))}. A unit that is off has {gradient}, so training does not change "
            f"{'it' if one else 'them'}."
        )
    else:
        kind = "saturated_units"
        sentence = (
            f"{capital(names)} {'is' if one else 'are'} saturated: z is so far from 0 on every row that a nudge of it "
            f"hardly changes the answer (at most {short_number(max(reactions), 2)} of what it could). So the gradient "
            "is nearly 0."
        )
    return _suspicion(kind, sentence, numbers, units, units, params, table, network)


def _copied(params: Params, groups: list[list[Unit]], activity: Activity, table: Table, network: Network) -> Suspicion:
    group = groups[0]
    lengths = [float(np.linalg.norm(activity.answers(unit))) for unit in group]
    numbers: dict[str, object] = {
        "answer_lengths": lengths,
        "groups": [[[unit.layer, unit.index] for unit in each] for each in groups],
    }
    sentence = (
        f"{capital(units_text(group, network))} are copies: on every row they give the same answer, up to a "
        "factor. They get the same kind of gradient, so they stay copies, and together they do the work of one unit."
    )
    # A copy that answers 0 everywhere does no work, so none of such a group stays.
    moved = [unit for each in groups for unit in each[int(np.any(activity.answers(each[0]) != 0)) :]]
    units = [unit for each in groups for unit in each]
    return _suspicion("copied_units", sentence, numbers, units, moved, params, table, network)


def _straight(params: Params, layer: int, activity: Activity, table: Table, network: Network) -> Suspicion:
    units = [unit for unit in activity.units() if unit.layer == layer]
    spread = [float(np.ptp(_reactions(activity, unit))) for unit in units]
    where = f"hidden layer {layer + 1}" if len(activity.reactions) > 1 else "the hidden layer"
    sentence = (
        f"No unit of {where} bends: each reacts to all rows alike. So the layer computes a straight line, as if it "
        "were not there, and the network can only tell apart what a straight line can."
    )
    moved = least_useful_unit(params, activity, layer, table, network)
    return _suspicion(
        "straight_layer", sentence, {"spread_of_reactions": spread}, units, [moved], params, table, network
    )
