"""How well scores put the rows of the second class before those of the first, whatever the threshold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Num


class Areas(NamedTuple):
    """The areas under two curves, each [resamples]; NaN where only one class occurs.

    Attributes:
        auc: under the ROC curve.
        average_precision: under the curve of precision against recall.
    """

    auc: np.ndarray
    average_precision: np.ndarray


def ranking_areas(
    scores: Float[np.ndarray, " rows"], y: Num[np.ndarray, " rows"], weights: Float[np.ndarray, "resamples rows"]
) -> Areas:
    """The AUC and the average precision of the class 1.

    The AUC is the probability that a row of class 1 scores above one of class 0; ties count half (Hanley and McNeil,
    Radiology 143, 1982). The average precision is the sum, over the different scores, of the precision of the rows from
    this score up, times the recall that the rows of this score add (Zhu, Recall, Precision and Average Precision,
    University of Waterloo, 2004).

    Args:
        scores: [rows], any numbers; larger ones speak for class 1.
        y: [rows] of 0 and 1.
        weights: [resamples, rows], how much each row counts, from 0.

    Returns:
        Both areas, from 0 to 1.

    Example:
        >>> areas = ranking_areas(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0, 0, 1, 1]), np.ones((1, 4)))
        >>> [round(area.item(), 4) for area in areas]
        [0.875, 0.8333]
    """
    order = np.argsort(-scores, kind="stable")
    is_last = np.diff(scores[order], append=-np.inf) < 0  # where a smaller score follows
    sorted_weights = weights[..., order]
    ones_above = (sorted_weights * (y[order] > 0.5)).cumsum(axis=-1)
    zeros_above = sorted_weights.cumsum(axis=-1) - ones_above
    if not is_last.all():
        ones_above, zeros_above = ones_above[..., is_last], zeros_above[..., is_last]
    ones, zeros = np.diff(ones_above, prepend=0), np.diff(zeros_above, prepend=0)
    all_ones, all_zeros = ones_above[..., -1], zeros_above[..., -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (ones * (all_zeros[..., None] - zeros_above + zeros / 2)).sum(axis=-1) / (all_ones * all_zeros)
        precision = ones_above / np.maximum(ones_above + zeros_above, np.finfo(float).tiny)
        average = np.where(all_zeros > 0, (ones * precision).sum(axis=-1) / all_ones, np.nan)
    return Areas(auc, average)
