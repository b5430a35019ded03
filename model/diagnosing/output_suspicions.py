"""Suspicions about outputs: rows that share one although their targets differ, and outputs that are surely wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool

from model.diagnosing.activity import Activity, Unit
from model.diagnosing.findings import Suspicion
from model.diagnosing.placing import Placed, least_useful_unit, place_unit
from model.diagnosing.words import rows_text, short_number, units_text
from model.network import Layer, Network, Params
from model.tables.table import Table
from model.tasks import TASKS
from model.training.measuring import evenly_spaced

# Of four rows, those whose outputs differ by less than this share one; the more rows, the closer they must be.
SHARED_DISTANCE = 0.01
# A group of rows that share an output has at least this share of the rows.
SHARED_ROWS = 0.1
# Rows that are compared with each other.
MAX_COMPARED_ROWS = 1000
# Rows whose numbers are listed.
MAX_LISTED = 10
# An output is saturated if its prediction is closer than this to the wrong end.
SATURATED = 1e-3


def output_suspicions(params: Params, activity: Activity, table: Table, network: Network) -> Iterator[Suspicion]:
    """What may be wrong with the outputs.

    Args:
        params: of one network.
        activity: of the network on the rows.
        table: the rows.
        network: the description of the network.

    Yields:
        At most one suspicion of each kind.
    """
    wrong = saturated_rows(activity, table)
    if wrong.any():
        yield _saturated(params, wrong, activity, table)
    shared = shared_rows(activity, table)
    if shared.any():
        yield _shared(params, shared, activity, table, network)


def saturated_rows(activity: Activity, table: Table) -> Bool[np.ndarray, " rows"]:
    """The rows whose prediction is nearly certain, and wrong.

    Args:
        activity: of the network on the rows.
        table: the rows.

    Returns:
        [rows], True for such a row; False for all rows of a regression.
    """
    task = TASKS[table.task]
    if not task.has_classes:
        return np.zeros(len(table.y), bool)
    if task.output_per_class:
        of_class = activity.predictions[np.arange(len(table.y)), table.y.astype(int)]
    else:
        of_class = 1 - np.abs(activity.predictions - table.y)
    saturated: np.ndarray = of_class < SATURATED
    return saturated


def shared_rows(activity: Activity, table: Table) -> Bool[np.ndarray, " rows"]:
    """The largest group of rows that share one output although their targets and their columns differ.

    Args:
        activity: of the network on the rows.
        table: the rows.

    Returns:
        [rows], True for the rows of the group; False for all if there is none.
    """
    rows = evenly_spaced(len(table.y))[:: -(-len(table.y) // MAX_COMPARED_ROWS)]
    outputs = activity.predictions[rows].reshape(len(rows), -1).astype(np.float64)
    unit = 1.0 if TASKS[table.task].has_classes else max(float(np.std(table.y)), 1e-12)
    group = np.zeros(len(table.y), bool)
    largest = max(2, int(SHARED_ROWS * len(rows)))
    for output in outputs:
        close = np.abs(outputs - output).max(axis=1) < SHARED_DISTANCE * unit * min(1, 4 / len(rows))
        members = rows[close]
        if len(members) >= largest and _differ(table, members, unit):
            group[:], largest = False, len(members) + 1
            group[members] = True
    return group


def _differ(table: Table, rows: np.ndarray, unit: float) -> bool:
    return bool(np.ptp(table.y[rows]) > 0.1 * unit and np.ptp(table.x[rows], axis=0).max(initial=0) > 0)


def _saturated(params: Params, wrong: np.ndarray, activity: Activity, table: Table) -> Suspicion:
    rows = tuple(np.flatnonzero(wrong).tolist())
    largest = float(np.abs(activity.zs[-1]).max())
    weight, bias = (np.array(leaf, np.float32) / np.float32(largest) for leaf in params[-1])
    predictions = activity.predictions[wrong].reshape(len(rows), -1).max(axis=1)
    return Suspicion(
        "saturated_outputs",
        f"The output is sure of the wrong answer for {rows_text(rows, table)}: its logits go up to "
        f"{short_number(largest)}. There the prediction is nearly 0 or 1, and a nudge hardly changes it.",
        {"largest_logit": largest, "predictions": predictions[:MAX_LISTED].tolist()},
        f"divide the weights of the last layer by {short_number(largest)}",
        rows=rows,
        params=[*params[:-1], Layer(weight, bias)],
    )


def _shared(params: Params, group: np.ndarray, activity: Activity, table: Table, network: Network) -> Suspicion:
    rows = tuple(np.flatnonzero(group).tolist())
    outputs, targets = activity.predictions[group].reshape(len(rows), -1), table.y[group]
    if TASKS[table.task].output_per_class:
        what = f"The network gives the same probabilities for {rows_text(rows, table)}, which are of several classes. "
    else:
        what = (
            f"The network gives one output, {short_number(float(outputs.mean()))}, for {rows_text(rows, table)}, and "
            f"their targets differ (their mean is {short_number(float(targets.mean()))}). "
        )
    sentence = f"{what}What lowers the loss of one row raises that of another, so the gradients cancel."
    numbers = {"outputs": outputs[:MAX_LISTED].tolist(), "targets": targets[:MAX_LISTED].tolist()}
    found = _separate(params, group, activity, table, network)
    if found is None:
        return Suspicion("shared_output", sentence, numbers, rows=rows)
    unit, placed = found
    remedy = (
        f"place {units_text([unit], network)} anew where it tells them apart, on for {rows_text(placed.on_rows, table)}"
    )
    return Suspicion("shared_output", sentence, numbers, remedy, (unit,), rows, placed.params)


def _separate(
    params: Params, group: np.ndarray, activity: Activity, table: Table, network: Network
) -> tuple[Unit, Placed] | None:
    """The least useful unit of the last layer that still sees a difference between the rows, placed anew."""
    for layer in reversed(range(len(activity.reactions))):
        inputs = activity.inputs[layer]
        if np.ptp(inputs[group], axis=0).max() > 1e-6 * max(np.abs(inputs).max(), 1e-30):
            unit = least_useful_unit(params, activity, layer, table, network)
            placed = place_unit(params, unit, table, network, group)
            if placed is not None:
                return unit, placed
    return None
