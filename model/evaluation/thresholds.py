"""The threshold: the probability from which the label of a row is the second of two classes."""

from __future__ import annotations

import math
import re

import numpy as np
from jaxtyping import Float, Num

from model.arrays import is_number
from model.tasks import DEFAULT_THRESHOLD, TASKS

# A threshold, or the rule by which one is chosen.
Threshold = float | str
MAXIMIZE_F1, COST = "f1", "cost:"
# Gains that differ by less than this share are equal.
ROUNDING = 1e-9
_COSTS = re.compile(rf"{COST}([^,\s]+),([^,\s]+)")


def parse_threshold(text: str) -> Threshold:
    """The threshold that a text asks for.

    Args:
        text: a number from 0 to 1, "f1", or "cost:FP,FN", where FP is what it costs to take a row of the first class
            for the second, and FN the reverse.

    Returns:
        The number, or the text.

    Raises:
        ValueError: if it is none of these.

    Example:
        >>> parse_threshold("0.3"), parse_threshold("cost:1,5")
        (0.3, 'cost:1,5')
    """
    found = _number(text)
    threshold = text if found is None else found
    check_threshold(threshold)
    return threshold


def check_threshold(threshold: Threshold) -> None:
    """Check that a threshold is one.

    Args:
        threshold: a number from 0 to 1, "f1" or "cost:FP,FN".

    Raises:
        ValueError: if it is none of these.

    Example:
        >>> check_threshold("cost:1,0")
        Traceback (most recent call last):
        ValueError: threshold must be a number from 0 to 1, f1, or cost:FP,FN with two costs above 0, not 'cost:1,0'
    """
    if isinstance(threshold, str):
        is_known = threshold == MAXIMIZE_F1 or mistake_costs(threshold) is not None
    else:
        is_known = is_number(threshold) and 0 <= threshold <= 1
    if not is_known:
        expected = f"a number from 0 to 1, {MAXIMIZE_F1}, or {COST}FP,FN with two costs above 0"
        raise ValueError(f"threshold must be {expected}, not {threshold!r:.40}")


def check_two_classes(task: str, is_complete: bool) -> None:
    """Check that a threshold can be chosen for a table.

    Args:
        task: binary, multiclass or regression.
        is_complete: whether the table is a truth table, whose labels are always those of the likelier class.

    Raises:
        ValueError: if it is a truth table, or if the task does not have two classes.

    Example:
        >>> check_two_classes("regression", is_complete=False)
        Traceback (most recent call last):
        ValueError: threshold: expected a file whose target has two classes, found a number as target; leave it out
    """
    found = "several classes" if TASKS[task].has_classes else "a number as target"
    if is_complete or task != "binary":
        found = "a truth table" if is_complete else found
        raise ValueError(f"threshold: expected a file whose target has two classes, found {found}; leave it out")


def mistake_costs(threshold: Threshold) -> tuple[float, float] | None:
    """The costs in a rule such as "cost:1,5".

    Args:
        threshold: a threshold or a rule.

    Returns:
        What a false positive and a false negative cost, both above 0; None if it is no such rule.

    Example:
        >>> mistake_costs("cost:1,5"), mistake_costs("f1")
        ((1.0, 5.0), None)
    """
    match = _COSTS.fullmatch(threshold) if isinstance(threshold, str) else None
    costs = [_number(text) for text in match.groups()] if match else []
    if not match or any(cost is None or not 0 < cost < math.inf for cost in costs):
        return None
    return float(match[1]), float(match[2])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def choose_threshold(
    threshold: Threshold,
    probabilities: Float[np.ndarray, " rows"],
    y: Num[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> float:
    """The threshold that a rule chooses on some rows.

    The candidates are the middles between neighboring probabilities, and between the outer ones and 0 and 1. Of those
    that are equally good, the one nearest to the best threshold for exact probabilities is chosen, and of two as near
    the smaller one. That is half of the largest F1 (Lipton, Elkan and Narayanaswamy, ECML 2014), or FP / (FP + FN) of
    the costs (Elkan, IJCAI 2001). If only one class occurs, nothing can be weighed: then it is 0.5, or that quotient.

    Args:
        threshold: a number, which is returned as it is; "f1", to maximize F1; or "cost:FP,FN", to minimize the cost.
        probabilities: [rows] of the second class, at least one.
        y: [rows] of 0 and 1.
        weights: [rows], how much each row counts, above 0; by default all count the same.

    Returns:
        A number from 0 to 1.

    Example:
        >>> choose_threshold("f1", np.array([0.1, 0.2, 0.4, 0.9]), np.array([0, 0, 1, 1]))
        0.30000000000000004
    """
    if not isinstance(threshold, str):
        return float(threshold)
    costs = mistake_costs(threshold)
    ideal = DEFAULT_THRESHOLD if costs is None else costs[0] / sum(costs)
    is_one = np.asarray(y) > 0.5
    if is_one.all() or not is_one.any():
        return ideal
    middles, hits, false_positives = _candidates(
        probabilities, is_one, np.ones(len(is_one)) if weights is None else weights
    )
    if costs is None:
        gains = 2 * hits / (hits + false_positives + hits[0])
        ideal = float(gains.max()) / 2
    else:
        gains = costs[0] * (false_positives[0] - false_positives) + costs[1] * hits
    best = middles[gains >= gains.max() - ROUNDING * abs(gains.max())]
    return float(best[np.argmin(np.abs(best - ideal))])


def _candidates(
    probabilities: np.ndarray, is_one: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The thresholds to choose from, in ascending order, and the weight of the rows of either class from each up."""
    distinct, places = np.unique(np.asarray(probabilities, np.float64), return_inverse=True)
    ones, zeros = (np.bincount(places, weights * kind, len(distinct)) for kind in (is_one, ~is_one))
    hits, false_positives = (np.append(each[::-1].cumsum()[::-1], 0.0) for each in (ones, zeros))
    edges = np.concatenate([[0.0], distinct, [1.0]])
    count = len(distinct) + (distinct[-1] < 1)  # no threshold leaves out a probability of 1
    return ((edges[:-1] + edges[1:]) / 2)[:count], hits[:count], false_positives[:count]
