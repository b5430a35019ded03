"""How right a selection of networks is, on rows that they have not learned from."""

from __future__ import annotations

import numpy as np

from model.evaluation.batches import predict_rows
from model.evaluation.evaluate import Evaluation, evaluate
from model.evaluation.thresholds import Threshold
from model.metrics import Metrics, baseline_metrics
from model.tables.table import Table
from model.tables.target_scaling import NO_RESIDUALS, Residuals, expected_values, fit_residuals, within_training
from model.training.selection import Selection
from model.training.validation_split import MAX_HELD_OUT, row_weights


def evenly_spaced(rows: int) -> np.ndarray:
    """The indices of all rows, or of 10,000 of them at equal distances.

    Args:
        rows: how many there are, from 1.

    Returns:
        [at most 10,000] whole numbers in ascending order.

    Example:
        >>> evenly_spaced(3).tolist(), len(evenly_spaced(10**6))
        ([0, 1, 2], 10000)
    """
    return np.linspace(0, rows - 1, min(rows, MAX_HELD_OUT)).round().astype(int)


def residuals_of(selection: Selection, table: Table) -> Residuals:
    """What the errors on the rows held out tell about the predictions of a regression.

    Args:
        selection: of the networks.
        table: what was learned from.

    Returns:
        The residuals; of classes, those that change nothing.
    """
    if table.classes:
        return NO_RESIDUALS
    scaling, predicted = table.target_scaling, selection.predictions
    if scaling.knee:
        predicted = within_training(scaling, predicted)
    return fit_residuals(scaling, table.y[selection.rows] - predicted)


def evaluate_selection(
    selection: Selection, table: Table, residuals: Residuals, threshold: Threshold, with_intervals: bool = True
) -> Evaluation:
    """How right the predictions are on the rows held out; if there are none, on at most 10,000 rows.

    Args:
        selection: of the networks.
        table: what was learned from.
        residuals: as `residuals_of` gives them.
        threshold: the threshold, or the rule by which it is chosen.
        with_intervals: as in `evaluate`.

    Returns:
        The evaluation.
    """
    rows, mean = selection.rows, selection.predictions
    if not len(rows):
        rows = evenly_spaced(len(table.y))
        mean = np.asarray(predict_rows(selection.ensemble, table.inputs(rows), selection.temperature).mean)
    scaling, weights = table.target_scaling, row_weights(table, rows, rows, class_weights=False)
    y = table.y[rows]
    if table.classes:
        return evaluate(table.task, mean, y, weights, threshold, with_intervals)
    expected = expected_values(scaling, mean, residuals)
    return evaluate(table.task, expected, scaling.unscale(y), weights, threshold, with_intervals)


def baseline_of(table: Table, held_out: np.ndarray) -> Metrics:
    """The metrics of a guess that knows only the targets that were learned from, on the same rows.

    Args:
        table: what was learned from.
        held_out: the indices of the rows held out.

    Returns:
        Each metric by its name; none for a truth table.
    """
    if table.complete:
        return {}
    y, weights, scaling = table.y, table.weights, table.target_scaling
    measured = held_out if len(held_out) else evenly_spaced(len(y))
    is_learned = np.full(len(y), True)
    if len(held_out) < len(y):
        is_learned[held_out] = False
    learned, targets = y[is_learned], y[measured]
    if not table.classes:
        learned, targets = scaling.unscale(learned), scaling.unscale(targets)
    learned_weights = None if weights is None else weights[is_learned]
    measured_weights = None if weights is None else weights[measured]
    return baseline_metrics(table.task, learned, targets, len(table.classes), learned_weights, measured_weights)
