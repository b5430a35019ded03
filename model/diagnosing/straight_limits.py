"""What a network without a hidden layer can never learn, with a proof: it draws one straight line, or plane."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

from model.diagnosing.activity import SOLVED_SHARE
from model.diagnosing.findings import Suspicion
from model.diagnosing.words import short_number
from model.messages import escape_unprintable
from model.network import Network
from model.tables.table import Table
from model.tasks import TASKS

# Rows among which a shared point is looked for. A point that some rows share is shared by all rows too.
MAX_ROWS = 2000
# Both ways to a shared point lead to the same place, up to this share of the spread of a column.
SAME_PLACE = 1e-6
# Columns of a point that a sentence names.
MAX_NAMED_COLUMNS = 3


class SharedPoint(NamedTuple):
    """A place that lies between rows of one class and also between rows of another one.

    Attributes:
        place: [columns], its values.
        rows: the indices of the rows that it lies between, of both classes.
        weights: how much each of these counts; of each class, they sum up to 1.
        classes: the indices of the two classes.
    """

    place: np.ndarray
    rows: tuple[int, ...]
    weights: tuple[float, ...]
    classes: tuple[int, int]


def shared_point(table: Table) -> SharedPoint | None:
    """A place between rows of one class that is also between rows of another one, so that no line separates them.

    A line that has all rows of a class on one side has their weighted means there too. Whether two classes have a
    weighted mean in common is a linear program (Boyd and Vandenberghe, Convex Optimization, 2004, 8.6.1).

    Rows that differ in nothing but their class are left out, since no network tells them apart.

    Args:
        table: the rows, of a binary or a multiclass task.

    Returns:
        The place; None if there is none.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> shared_point(truth_table("xor")).place.tolist(), shared_point(truth_table("and"))
        ([0.5, 0.5], None)
    """
    kept = np.flatnonzero(_agrees_with_its_copies(table))
    kept = kept[:: max(-(-len(kept) // MAX_ROWS), 1)]
    if not len(kept):
        return None
    x = np.asarray(table.x, np.float64)[kept]
    spread = np.ptp(x, axis=0)
    scaled = (x - x.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    groups = [np.flatnonzero(table.y[kept] == index) for index in range(len(table.classes))]
    for first, second in combinations(range(len(groups)), 2):
        members = np.concatenate([groups[first], groups[second]])
        weights = _shared_weights(scaled[groups[first]], scaled[groups[second]])
        if weights is not None:
            used = weights > 0
            ahead = len(groups[first])
            rows = tuple(kept[members[used]].tolist())
            return SharedPoint(weights[:ahead] @ x[groups[first]], rows, tuple(weights[used].tolist()), (first, second))
    return None


def _agrees_with_its_copies(table: Table) -> np.ndarray:
    """[rows], whether all rows with the same values have the same class."""
    places = np.unique(table.x, axis=0, return_inverse=True)[1].ravel()
    smallest, largest = np.full(len(places), np.inf), np.full(len(places), -np.inf)
    np.minimum.at(smallest, places, table.y)
    np.maximum.at(largest, places, table.y)
    agrees: np.ndarray = (smallest == largest)[places]
    return agrees


def _shared_weights(first: np.ndarray, second: np.ndarray) -> np.ndarray | None:
    """The weights of two groups of rows, each of sum 1, with which both have the same mean; None if there are none."""
    if not len(first) or not len(second):
        return None
    from scipy.optimize import linprog  # which takes half a second to import

    sums = np.repeat(np.eye(2), [len(first), len(second)], axis=1)
    equal = np.vstack([np.hstack([first.T, -second.T]), sums])
    goal = np.r_[np.zeros(first.shape[1]), 1.0, 1.0]
    found = linprog(np.zeros(equal.shape[1]), A_eq=equal, b_eq=goal, bounds=(0, None), method="highs")
    if found.x is None:
        return None
    weights: np.ndarray = np.maximum(found.x, 0)
    return weights if np.abs(equal @ weights - goal).max() <= SAME_PLACE else None


def straight_suspicion(table: Table, network: Network) -> Suspicion | None:
    """That a network has no hidden layer, if it is proven that it therefore cannot solve the table.

    Args:
        table: the rows.
        network: the description of the network.

    Returns:
        The suspicion with its proof; None if the network has a hidden layer, or if nothing is proven.
    """
    if len(network.sizes) > 2:
        return None
    draws = {1: "split the numbers at one place", 2: "draw only one straight line"}.get(
        network.sizes[0], "draw only one flat plane"
    )
    remedy = "add a hidden layer"
    if not TASKS[table.task].has_classes:
        return _regression(table, remedy)
    point = shared_point(table)
    if point is None:
        return None
    what = {1: "no such place", 2: "no straight line"}.get(network.sizes[0], "no plane")
    if table.task == "multiclass":
        draws += " between two classes"
    return Suspicion(
        "no_hidden_layer",
        f"The network has no hidden layer, so it can {draws}, and {what} separates the rows.",
        {"place": point.place.tolist(), "weights": list(point.weights), "classes": list(point.classes)},
        remedy,
        rows=point.rows,
        proof=_point_proof(point, table),
    )


def _point_proof(point: SharedPoint, table: Table) -> str:
    names = [str(table.classes[index]) for index in point.classes]
    first, second = (escape_unprintable(f"{table.target}={name}") for name in names)
    place = "One place"
    if len(point.place) <= MAX_NAMED_COLUMNS and len(table.columns) == len(point.place):
        pairs = zip(table.columns, point.place, strict=True)
        place += f" ({', '.join(f'{escape_unprintable(name)} = {short_number(float(v))}' for name, v in pairs)})"
    return (
        f"{place} lies between rows with {first} and also between rows with {second}. So these cannot all be on "
        "different sides."
    )


def _regression(table: Table, remedy: str) -> Suspicion | None:
    """The loss of the best straight line, if it does not solve the table."""
    x = np.column_stack([np.asarray(table.x, np.float64), np.ones(len(table.y))])
    y = np.asarray(table.y, np.float64)
    weights = np.ones(len(y)) if table.weights is None else np.asarray(table.weights, np.float64)
    root = np.sqrt(weights / weights.sum())
    with np.errstate(all="ignore"):
        line = np.linalg.lstsq(root[:, None] * x, root * y, rcond=None)[0]
        best = float(np.sum(np.square(root * (x @ line - y))))
        of_mean = float(np.sum(np.square(root * (y - np.sum(root**2 * y)))))
    if not best > SOLVED_SHARE * of_mean:
        return None
    return Suspicion(
        "no_hidden_layer",
        "The network has no hidden layer, so its predictions lie on one straight line or plane, and the rows do not.",
        {"best_loss": best, "loss_of_mean": of_mean},
        remedy,
        proof=(
            f"Even the best line has a loss of {short_number(best)}, and a table counts as solved at "
            f"{short_number(SOLVED_SHARE * of_mean)}."
        ),
    )
