"""How far a metric may be from its value on endless rows of the same kind: 90 % intervals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Num

from model.evaluation.ranking import ranking_areas
from model.metrics import metrics_by_weights
from model.tasks import DEFAULT_THRESHOLD, TASKS

LEVEL = 0.9
# The 95 % quantile of the standard normal distribution.
Z = 1.6448536269514722
# The resamples times the rows in each are at most so many; with fewer than MIN_RESAMPLES, rows are left out instead.
MAX_RESAMPLES, MIN_RESAMPLES, MAX_RESAMPLED = 1_000, 200, 500_000
# Resampling moves these metrics away from their value, so the resamples say nothing of how far it may be.
WITHOUT_INTERVAL = ("calibration error", "largest absolute error")
# All other metrics are at most 1.
WITHOUT_LARGEST = ("log loss", "RMSE", "MAE", "median absolute error", "90 % absolute error")

Interval = tuple[float, float]
Intervals = dict[str, Interval]


def metric_intervals(
    task: str,
    predictions: Float[np.ndarray, "rows *classes"],
    y: Num[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"] | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    seed: int = 0,
) -> Intervals:
    """The 90 % interval of each metric, from the rows on which it is measured.

    Shares of rows (accuracy; recall, precision and F1 of two classes) have Wilson's interval, which is right for few
    rows and for a share of 1, see `wilson_interval`. F1 is 2J / (1 + J), where J is a share too: that of the hits among
    the rows that are or are labeled the second class. AUC has the interval of `auc_interval`. Average precision has
    Wilson's, as a share of the rows of the second class (Boyd, Eng and Page, ECML 2013). All others have the 5 % and
    the 95 % quantile of 1,000 bootstrap resamples of the rows (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, 13.3). Above 500 rows there are fewer resamples, down to 200. Above 2,500 rows the resamples are
    of 2,500 rows, and their distances from the metric of these rows shrink by the root of 2,500 / rows.

    The calibration error and the largest absolute error have no interval, because a resample is biased for both; nor
    has a metric that is the same in all resamples.

    Args:
        task: binary, multiclass or regression.
        predictions: [rows] or [rows, classes], as `predict` returns them.
        y: [rows], as `loss` takes it.
        weights: [rows], how much each row counts, above 0; by default all count the same.
        threshold: the probability from which the label is the second of two classes.
        seed: of the resamples.

    Returns:
        The lower and the upper end for each metric that has an interval.

    Example:
        >>> found = metric_intervals("binary", np.array([0.9, 0.2, 0.6]), np.array([1.0, 0.0, 1.0]))
        >>> [round(end, 4) for end in found["accuracy"]]
        [0.5258, 1.0]
    """
    predictions = np.asarray(predictions, np.float64)
    weights = np.ones(len(y)) if weights is None else np.asarray(weights, np.float64)
    found = _bootstrap_intervals(task, predictions, y, weights, threshold, seed)
    if TASKS[task].has_classes:
        found |= _share_intervals(task, predictions, y, weights, threshold)
    return found


def wilson_interval(share: float, count: float) -> Interval:
    """The 90 % score interval of a share (Wilson, Journal of the American Statistical Association 22, 1927).

    Args:
        share: from 0 to 1, which was observed.
        count: of what it is a share, above 0. Of weights, it is (Σ w)² / Σ w² (Kish, Survey Sampling, 1965).

    Returns:
        The lower and the upper end, from 0 to 1.

    Example:
        >>> [round(end, 4) for end in wilson_interval(1.0, 10.0)]
        [0.7871, 1.0]
    """
    middle = share + Z**2 / (2 * count)
    half = Z * float(np.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2)))
    scale = 1 + Z**2 / count
    return max((middle - half) / scale, 0.0), min((middle + half) / scale, 1.0)


def auc_interval(area: float, ones: float, zeros: float) -> Interval:
    """The 90 % score interval of an AUC (Newcombe, Statistics in Medicine 25, 2006, 559).

    It holds every area that is at most 1.645 of its own standard errors away (Hanley and McNeil, Radiology 143, 1982).

    Args:
        area: from 0 to 1, which was observed.
        ones: rows of class 1, above 0.
        zeros: rows of class 0, above 0.

    Returns:
        The lower and the upper end, from 0 to 1.

    Example:
        >>> [round(end, 3) for end in auc_interval(1.0, 5.0, 5.0)]
        [0.723, 1.0]
    """
    areas = np.append(np.linspace(0, 1, 100_001), area)
    squares = areas**2
    variance = areas - squares + (ones - 1) * (areas / (2 - areas) - squares)
    variance += (zeros - 1) * (2 * squares / (1 + areas) - squares)
    inside = areas[(areas - area) ** 2 <= Z**2 * np.maximum(variance, 0) / (ones * zeros)]
    return float(inside.min()), float(inside.max())


def _share_intervals(
    task: str, predictions: np.ndarray, y: np.ndarray, weights: np.ndarray, threshold: float
) -> Intervals:
    classes, labels = y.astype(int), TASKS[task].class_indices(predictions, threshold)
    correct = labels == classes
    found = {"accuracy": _share_interval(correct, weights)}
    if predictions.ndim > 1:
        return found
    for name, counted in (("recall", classes == 1), ("precision", labels == 1), ("F1", (classes == 1) | (labels == 1))):
        if counted.any():
            found[name] = _share_interval(correct[counted], weights[counted])
    if "F1" in found:
        lower, upper = found["F1"]
        found["F1"] = 2 * lower / (1 + lower), 2 * upper / (1 + upper)
    if 0 < classes.sum() < len(classes):
        areas = ranking_areas(predictions, y, weights[None])
        ones, zeros = (_effective_count(weights[classes == each]) for each in (1, 0))
        found["AUC"] = auc_interval(areas.auc.item(), ones, zeros)
        found["average precision"] = wilson_interval(areas.average_precision.item(), ones)
    return found


def _share_interval(is_counted: Bool[np.ndarray, " rows"], weights: np.ndarray) -> Interval:
    return wilson_interval(float(weights @ is_counted / weights.sum()), _effective_count(weights))


def _effective_count(weights: np.ndarray) -> float:
    return float(weights.sum() ** 2 / (weights @ weights))


def _bootstrap_intervals(
    task: str, predictions: np.ndarray, y: np.ndarray, weights: np.ndarray, threshold: float, seed: int
) -> Intervals:
    rng, rows, most = np.random.default_rng(seed), len(y), MAX_RESAMPLED // MIN_RESAMPLES
    measured = metrics_by_weights(task, predictions, y, weights[None], threshold, with_ranking=False)
    if rows > most:
        part = rng.choice(rows, most, replace=False)
        predictions, y, weights = predictions[part], y[part], weights[part]
    counts = _resample_counts(len(y), min(MAX_RESAMPLES, MAX_RESAMPLED // len(y)), rng)
    all_weights = np.concatenate([weights[None], counts * weights])
    values = metrics_by_weights(task, predictions, y, all_weights, threshold, with_ranking=False)
    shrunk = float(np.sqrt(len(y) / rows))
    return dict(_quantile_intervals(values, measured, shrunk))


def _resample_counts(rows: int, resamples: int, rng: np.random.Generator) -> Float[np.ndarray, "resamples rows"]:
    """How often each row occurs in each of the resamples of so many rows."""
    drawn = rng.integers(rows, size=(resamples, rows)) + rows * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * rows).reshape(resamples, rows).astype(np.float64)


def _quantile_intervals(
    values: dict[str, np.ndarray], measured: dict[str, np.ndarray], shrunk: float
) -> Iterator[tuple[str, Interval]]:
    """Yield the intervals. values: of the rows that were resampled, and then of each resample."""
    for name, (of_part, *resampled) in values.items():
        defined = np.array(resampled)[~np.isnan(resampled)]
        if name in WITHOUT_INTERVAL or not len(defined) or np.ptp(defined) == 0 or np.isnan(measured[name]).any():
            continue
        ends = measured[name] + shrunk * (np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - of_part)
        lower, upper = ends.tolist()
        if np.isfinite(ends).all():
            yield name, (lower, upper if name in WITHOUT_LARGEST else min(upper, 1.0))
