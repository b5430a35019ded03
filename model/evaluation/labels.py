"""What labels get right and wrong: recall, precision and F1, and the confusion matrix.

Every count has a leading axis of resamples, so that many of them are counted at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

# A confusion matrix is counted for at most so many classes.
MAX_CONFUSION_CLASSES = 100


class LabelCounts(NamedTuple):
    """The weights of rows by class. Each array is [resamples, classes].

    Attributes:
        hits: of the rows of the class that have its label.
        labeled: of the rows that have the label of the class.
        actual: of the rows of the class.
    """

    hits: np.ndarray
    labeled: np.ndarray
    actual: np.ndarray


def count_labels(
    labels: Int[np.ndarray, " rows"],
    classes: Int[np.ndarray, " rows"],
    class_count: int,
    weights: Float[np.ndarray, "resamples rows"],
) -> LabelCounts:
    """Count hits, labels and actual classes.

    Args:
        labels: [rows], the index of the class that was predicted.
        classes: [rows], the index of the class that is the target.
        class_count: how many classes there are.
        weights: [resamples, rows], how much each row counts, from 0.

    Returns:
        The counts of each class.

    Example:
        >>> counts = count_labels(np.array([0, 1, 1]), np.array([0, 0, 1]), 2, np.ones((1, 3)))
        >>> [each.tolist() for each in counts]
        [[[1.0, 1.0]], [[1.0, 2.0]], [[2.0, 1.0]]]
    """
    hits = sums_by_index(labels, (labels == classes).astype(np.float64), class_count, weights)
    each = np.ones(len(labels))
    return LabelCounts(
        hits, sums_by_index(labels, each, class_count, weights), sums_by_index(classes, each, class_count, weights)
    )


def sums_by_index(
    indices: Int[np.ndarray, " rows"],
    values: Float[np.ndarray, " rows"],
    count: int,
    weights: Float[np.ndarray, "resamples rows"],
) -> Float[np.ndarray, "resamples indices"]:
    """The weighted sums of the values of the rows with each index.

    Args:
        indices: [rows], from 0.
        values: [rows].
        count: how many indices there are.
        weights: [resamples, rows].

    Returns:
        [resamples, count].

    Example:
        >>> sums_by_index(np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0]), 3, np.ones((1, 3))).tolist()
        [[1.0, 0.0, 5.0]]
    """
    if len(weights) == 1:
        return np.bincount(indices, weights[0] * values, count)[None]
    spread_out = np.zeros((len(indices), count))
    spread_out[np.arange(len(indices)), indices] = values
    sums: np.ndarray = weights @ spread_out
    return sums


def label_metrics(counts: LabelCounts) -> dict[str, np.ndarray]:
    """Recall, precision and F1: of the second of two classes, or the means over several classes.

    Recall is the share of the rows of a class that have its label. Precision is the share of the rows with a label that
    are of its class. F1 is their harmonic mean, 2 hits / (labeled + actual) (van Rijsbergen, Information Retrieval,
    1979, chapter 7). The macro mean of recall is over the classes that occur, which is the balanced accuracy (Brodersen
    et al., ICPR 2010). The macro means of precision and F1 are over the classes that occur or were predicted; a class
    that occurs and is never predicted counts 0 (Sokolova and Lapalme, Information Processing & Management 45, 2009).

    Args:
        counts: as `count_labels` returns them.

    Returns:
        Each metric by its name, [resamples] from 0 to 1; NaN where nothing can be divided by.

    Example:
        >>> counts = LabelCounts(np.array([[1.0, 1.0]]), np.array([[1.0, 2.0]]), np.array([[2.0, 1.0]]))
        >>> {name: value.item() for name, value in label_metrics(counts).items()}
        {'recall': 1.0, 'precision': 0.5, 'F1': 0.6666666666666666}
    """
    hits, labeled, actual = counts
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision, f1 = hits / actual, hits / labeled, 2 * hits / (labeled + actual)
    if hits.shape[-1] == 2:
        return {"recall": recall[..., 1], "precision": precision[..., 1], "F1": f1[..., 1]}
    occurs, is_met = actual > 0, actual + labeled > 0
    return {
        "macro recall": _mean_where(recall, occurs),
        "macro precision": _mean_where(np.where(labeled > 0, precision, 0), is_met),
        "macro F1": _mean_where(f1, is_met),
    }


def _mean_where(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The mean over the last axis of the values that count, of which there is at least one."""
    means: np.ndarray = np.where(counted, values, 0).sum(axis=-1) / counted.sum(axis=-1)
    return means


def confusion_matrix(
    labels: Int[np.ndarray, " rows"], classes: Int[np.ndarray, " rows"], class_count: int
) -> tuple[tuple[int, ...], ...]:
    """How many rows of each class have each label (Stehman, Remote Sensing of Environment 62, 1997).

    Args:
        labels: [rows], the index of the class that was predicted.
        classes: [rows], the index of the class that is the target.
        class_count: how many classes there are.

    Returns:
        For each class the number of its rows with each label; empty if there are more than 100 classes.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), 2)
        ((1, 1), (0, 1))
    """
    if class_count > MAX_CONFUSION_CLASSES:
        return ()
    counts = np.bincount(classes * class_count + labels, minlength=class_count**2)
    return tuple(tuple(row) for row in counts.reshape(class_count, class_count).tolist())
