"""Everything that training keeps about how good its predictions are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Num

from model.evaluation.intervals import Interval, metric_intervals
from model.evaluation.labels import confusion_matrix
from model.evaluation.reliability import Bin, Pair, reliability_bins, sample_pairs
from model.evaluation.thresholds import Threshold, choose_threshold
from model.metrics import metrics
from model.tasks import DEFAULT_THRESHOLD, TASKS


@dataclass(frozen=True)
class Evaluation:
    """How good predictions are.

    Attributes:
        threshold: the probability from which a label is the second of two classes.
        metrics: see `model.metrics.metrics`.
        intervals: the 90 % intervals of metrics, see `metric_intervals`.
        confusion: for each class the number of its rows with each label; empty without classes, or with more than 100.
        reliability: rows with similar predictions, see `reliability_bins`.
        pairs: predictions of a regression next to what was true, see `sample_pairs`.
    """

    threshold: float = DEFAULT_THRESHOLD
    metrics: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()
    reliability: tuple[Bin, ...] = ()
    pairs: tuple[Pair, ...] = ()


def evaluate(
    task: str,
    predictions: Float[np.ndarray, "rows *classes"],
    y: Num[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"] | None = None,
    threshold: Threshold = DEFAULT_THRESHOLD,
    with_intervals: bool = True,
) -> Evaluation:
    """Measure how good predictions are, and choose the threshold on the same rows.

    Args:
        task: binary, multiclass or regression.
        predictions: [rows] or [rows, classes], as `predict` returns them, of rows that training has not seen.
        y: [rows], as `loss` takes it, at least one.
        weights: [rows], how much each row counts, above 0; by default all count the same. The confusion matrix and the
            rows of the bins count each row once.
        threshold: of two classes: a number from 0 to 1, "f1" or "cost:FP,FN", see `choose_threshold`.
        with_intervals: whether the intervals are computed, which take most of the time.

    Returns:
        The evaluation.

    Example:
        >>> found = evaluate("binary", np.array([0.1, 0.2, 0.4, 0.9]), np.array([0, 0, 1, 1]), threshold="f1")
        >>> round(found.threshold, 4), found.metrics["accuracy"], found.confusion
        (0.3, 1.0, ((2, 0), (0, 2)))
    """
    predictions = np.asarray(predictions, np.float64)
    chosen = choose_threshold(threshold, predictions, y, weights) if task == "binary" else DEFAULT_THRESHOLD
    confusion: tuple[tuple[int, ...], ...] = ()
    if TASKS[task].has_classes:
        class_count = TASKS[task].class_count(predictions.shape[-1])
        confusion = confusion_matrix(TASKS[task].class_indices(predictions, chosen), y.astype(int), class_count)
    measured = metrics(task, predictions, y, weights, chosen)
    intervals = metric_intervals(task, predictions, y, weights, chosen) if with_intervals else {}
    return Evaluation(
        threshold=chosen,
        metrics=measured,
        intervals={name: intervals[name] for name in measured if name in intervals},
        confusion=confusion,
        reliability=reliability_bins(task, predictions, y, weights),
        pairs=sample_pairs(task, predictions, y),
    )
