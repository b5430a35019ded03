"""Predictions in bins, next to what was true: what a reliability diagram shows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from jaxtyping import Float, Num

from model.evaluation.intervals import LEVEL, wilson_interval
from model.tasks import TASKS

MAX_BINS = 10
# A bin of a regression has at least so many rows, if there are as many.
MIN_BIN_ROWS = 5
# A plot of numbers against numbers shows at most so many rows.
MAX_PAIRS = 300

# A prediction and the target, both in the target's own unit.
Pair = tuple[float, float]


class Bin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows with similar predictions.

    Attributes:
        rows: how many they are, from 1.
        predicted: the mean prediction: the probability of the second of two classes or of the likeliest of several, or
            the number.
        observed: the share of rows of that class, or the mean of the numbers.
        lower: the lower end of the 90 % interval of that share, or the 5 % quantile of the numbers.
        upper: the upper end of that interval, or the 95 % quantile of the numbers.
    """

    rows: int
    predicted: float
    observed: float
    lower: float
    upper: float


def reliability_bins(
    task: str,
    predictions: Float[np.ndarray, "rows *classes"],
    y: Num[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> tuple[Bin, ...]:
    """Put rows with similar predictions into bins (Murphy and Winkler, Applied Statistics 26, 1977).

    Args:
        task: binary, multiclass or regression.
        predictions: [rows] or [rows, classes], as `predict` returns them.
        y: [rows], as `loss` takes it.
        weights: [rows], how much each row counts, above 0; by default all count the same.

    Returns:
        At most ten bins in ascending order: with classes of equal width from 0 to 1, of which those without a row are
        left out; in a regression with equally many rows, as nearly as can be.

    Example:
        >>> [(each.rows, each.observed) for each in reliability_bins("binary", np.array([0.1, 0.1, 0.9]), np.eye(3)[2])]
        [(2, 0.0), (1, 1.0)]
    """
    predictions, y = np.asarray(predictions, np.float64), np.asarray(y, np.float64)
    weights = np.ones(len(y)) if weights is None else np.asarray(weights, np.float64)
    if not TASKS[task].has_classes:
        count = min(max(len(y) // MIN_BIN_ROWS, 1), MAX_BINS)
        parts = np.array_split(np.argsort(predictions, kind="stable"), count)
        return tuple(_number_bin(predictions[part], y[part], weights[part]) for part in parts)
    if predictions.ndim > 1:
        y = (predictions.argmax(axis=1) == y).astype(np.float64)
        predictions = predictions.max(axis=1)
    bins = np.minimum((predictions * MAX_BINS).astype(int), MAX_BINS - 1)
    parts = [np.flatnonzero(bins == index) for index in np.unique(bins)]
    return tuple(_share_bin(predictions[part], y[part], weights[part]) for part in parts)


def _share_bin(probabilities: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Bin:
    observed = float(np.average(y, weights=weights))
    lower, upper = wilson_interval(observed, float(weights.sum() ** 2 / (weights @ weights)))
    return Bin(len(y), float(np.average(probabilities, weights=weights)), observed, lower, upper)


def _number_bin(predictions: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Bin:
    means: Sequence[float] = [float(np.average(each, weights=weights)) for each in (predictions, y)]
    ends = np.quantile(y, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], weights=weights, method="inverted_cdf")
    return Bin(len(y), *means, *ends.tolist())


def sample_pairs(
    task: str, predictions: Float[np.ndarray, "rows *classes"], y: Num[np.ndarray, " rows"]
) -> tuple[Pair, ...]:
    """Predictions of a regression next to what was true, of at most 300 rows at equal distances.

    Args:
        task: binary, multiclass or regression.
        predictions: [rows] or [rows, classes], as `predict` returns them.
        y: [rows], as `loss` takes it.

    Returns:
        The pairs; none with classes.

    Example:
        >>> sample_pairs("regression", np.array([1.5, 2.0]), np.array([1.0, 2.5]))
        ((1.5, 1.0), (2.0, 2.5))
    """
    if TASKS[task].has_classes or not len(y):
        return ()
    rows = np.linspace(0, len(y) - 1, min(len(y), MAX_PAIRS)).round().astype(int)
    predicted, actual = (np.asarray(each, np.float64)[rows].tolist() for each in (predictions, y))
    return tuple(zip(predicted, actual, strict=True))
