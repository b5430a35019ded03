"""How predictions change with one column, on average over rows (Friedman, Annals of Statistics 29, 2001, 8.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from model.checkpoint import Checkpoint
from model.inference import Predictor
from model.tables.columns import CategoricalColumn
from model.tables.input_names import category_text
from model.tasks import TASKS

# Predictions are averaged over at most so many rows, at equal distances.
MAX_ROWS = 500
# A curve has at most so many points, between these quantiles of the column.
MAX_POINTS, LOWEST, HIGHEST = 41, 0.01, 0.99
MAX_CATEGORIES, MAX_CLASSES, HISTOGRAM_BINS = 12, 5, 30


@dataclass(frozen=True)
class Dependence:
    """How predictions change with one column.

    Attributes:
        name: of the column.
        points: [points], the values at which it is computed, in ascending order: numbers, seconds of a date, or
            indices of categories.
        categories: the text of each point; empty for numbers and dates.
        outputs: what each curve is of: classes, or the target.
        means: [points, outputs], the mean predictions: probabilities, or numbers in the target's own unit.
        counts: how many rows of the file have each category, or a value in each of 30 equal parts of the range of the
            points.
        left_out: how many rarer categories are not shown.
    """

    name: str
    points: np.ndarray
    categories: tuple[str, ...]
    outputs: tuple[str, ...]
    means: np.ndarray
    counts: np.ndarray
    left_out: int = 0


def partial_dependence(
    predictor: Predictor,
    rows: Float[np.ndarray, "rows columns"],
    column: int,
    points: Float[np.ndarray, " points"],
) -> Float[np.ndarray, "points *classes"]:
    """The mean prediction if all rows had the same value in one column.

    Args:
        predictor: of a checkpoint.
        rows: [rows, columns], as `Predictor.predict` takes them, at least one.
        column: the index of the column.
        points: [points], the values that it gets in turn; NaN for a missing one.

    Returns:
        [points] or [points, classes], in float64.

    Raises:
        OverflowingRowError: if a row overflows float32.

    Example:
        >>> from model.checkpoint import TrainingRecord
        >>> from model.ensembles import Members
        >>> from model.network import Layer, Network
        >>> params = [Layer(np.array([[2.0], [1.0]], np.float32), np.zeros(1, np.float32))]
        >>> record = TrainingRecord(table="t.csv", epoch=0, loss=0.0, seed=0)
        >>> ensemble = (Members(Network((2, 1), task="regression"), params),)
        >>> predictor = Predictor(Checkpoint(ensemble, ("a", "b"), "y", (), record))
        >>> partial_dependence(predictor, np.array([[0.0, 1.0], [5.0, 3.0]]), 0, np.array([0.0, 1.0])).tolist()
        [2.0, 4.0]
    """
    means = []
    for point in points:
        changed = rows.copy()
        changed[:, column] = point
        means.append(np.asarray(predictor.predict(changed).mean, np.float64).mean(axis=0))
    return np.array(means)


def dependence_on(predictor: Predictor, values: Float[np.ndarray, "rows columns"], column: int) -> Dependence | None:
    """How predictions change with a column, at the values that it has in some rows.

    Args:
        predictor: of a checkpoint.
        values: [rows, columns], as `Predictor.predict` takes them, at least one row.
        column: the index of the column.

    Returns:
        The dependence; of several classes, of the five that are likeliest on average. None if the column has fewer
        than two different values.

    Raises:
        OverflowingRowError: if a row overflows float32.
    """
    checkpoint = predictor.checkpoint
    spec, name = checkpoint.column_specs[column], checkpoint.columns[column]
    rows = evenly_spaced_rows(values)
    if isinstance(spec, CategoricalColumn):
        points, counts = np.unique(values[:, column], return_counts=True)
        most = np.sort(np.argsort(-counts, kind="stable")[:MAX_CATEGORIES])
        categories = tuple(category_text(spec, point) for point in points[most])
        left_out, points, counts = len(points) - len(most), points[most], counts[most]
    else:
        categories, left_out = (), 0
        points, counts = number_points(values[:, column])
    if len(points) < 2:
        return None
    means = partial_dependence(predictor, rows, column, points)
    outputs, chosen = _outputs(checkpoint, np.asarray(predictor.predict(rows).mean))
    curves = means[:, chosen] if means.ndim > 1 else means[:, None]
    return Dependence(name, points, categories, outputs, curves, counts, left_out)


def evenly_spaced_rows(values: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "chosen columns"]:
    """At most 500 rows at equal distances.

    Args:
        values: [rows, columns], at least one row.

    Returns:
        [at most 500, columns].

    Example:
        >>> evenly_spaced_rows(np.zeros((2000, 3))).shape
        (500, 3)
    """
    chosen: np.ndarray = values[np.linspace(0, len(values) - 1, min(len(values), MAX_ROWS)).round().astype(int)]
    return chosen


def number_points(
    values: Float[np.ndarray, " rows"],
) -> tuple[Float[np.ndarray, " points"], Int[np.ndarray, " bins"]]:
    """The values of a column of numbers at which a curve is computed.

    Args:
        values: [rows], NaN where a value is missing.

    Returns:
        [at most 41] different quantiles from 1 % to 99 %, or all values if they are few; and how many values lie in
        each of 30 equal parts between the first and the last.

    Example:
        >>> points, counts = number_points(np.array([3.0, 1.0, 3.0, np.nan]))
        >>> points.tolist(), int(counts.sum())
        ([1.0, 3.0], 3)
    """
    present = values[~np.isnan(values)]
    points = np.unique(present)
    if len(points) > MAX_POINTS:
        points = np.unique(np.quantile(present, np.linspace(LOWEST, HIGHEST, MAX_POINTS)))
    if len(points) < 2:
        return points, np.zeros(0, int)
    return points, np.histogram(present, HISTOGRAM_BINS, (points[0], points[-1]))[0]


def _outputs(checkpoint: Checkpoint, predictions: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """What the curves are of, and of several classes the indices of those that are likeliest on average."""
    if not TASKS[checkpoint.task].has_classes:
        return (checkpoint.target,), np.zeros(0, int)
    names = tuple(map(str, checkpoint.classes))
    if predictions.ndim == 1:
        return names[1:], np.zeros(0, int)
    likeliest = np.sort(np.argsort(-predictions.mean(axis=0), kind="stable")[:MAX_CLASSES])
    return tuple(names[index] for index in likeliest), likeliest
