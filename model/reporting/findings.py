"""What a report says: everything that is computed for it, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.checkpoint import Checkpoint
from model.evaluation.evaluate import Evaluation, evaluate
from model.evaluation.intervals import Interval, wilson_interval
from model.inference import Predictor
from model.metrics import Metrics, baseline_metrics
from model.reporting.importance import Importance, column_importances
from model.reporting.partial_dependence import Dependence, dependence_on
from model.tables.known_rows import KnownRows

# The columns that are drawn, and the rows of the importance: the first ones, as in `nudge importance`.
DRAWN_COLUMNS, IMPORTANCE_ROWS = 3, 10_000


@dataclass(frozen=True)
class Measured:
    """How good predictions are on some rows.

    Attributes:
        rows: how many rows; 0 if that is not known.
        evaluation: on these rows.
        baseline: the metrics of a guess that knows only targets.
    """

    rows: int
    evaluation: Evaluation
    baseline: Metrics


@dataclass(frozen=True)
class Findings:
    """What a report says.

    Attributes:
        checkpoint: what it is about.
        rows: of the file.
        trained: how good training found the networks to be.
        further: how good they are on the rows of the file; None if these are the rows that were learned from.
        coverage: the share of these rows whose number is in its 90 % interval, and the interval of that share; None
            unless it is a regression on rows that were not learned from.
        importances: of all columns, the most important first.
        dependences: on the most important columns.
    """

    checkpoint: Checkpoint
    rows: KnownRows
    trained: Measured
    further: Measured | None
    coverage: tuple[float, Interval] | None
    importances: list[Importance]
    dependences: tuple[Dependence, ...]

    @property
    def main(self) -> Measured:
        """What the verdict and the drawings are of: the rows of the file, unless they were learned from."""
        return self.trained if self.further is None else self.further


def find(checkpoint: Checkpoint, rows: KnownRows) -> Findings:
    """Compute what a report says.

    The metrics are those of the rows, unless these are the ones that were learned from. Then they are those that
    training found on rows that a network had not learned from.

    Args:
        checkpoint: trained on a file.
        rows: of a file, at least one with a target.

    Returns:
        The findings.

    Raises:
        OverflowingRowError: if a row overflows float32.
    """
    predictor = Predictor(checkpoint)
    present = ~np.isnan(rows.y)
    known, y = rows.values[present], rows.y[present]
    further, coverage = (None, None) if rows.are_learned else _measure(predictor, known, y)
    first = present[:IMPORTANCE_ROWS]
    if not first.any():
        first = present
    importances = column_importances(checkpoint, rows.values[: len(first)][first], rows.y[: len(first)][first])
    important = [checkpoint.columns.index(each.name) for each in importances[:DRAWN_COLUMNS]]
    drawn = (dependence_on(predictor, known, column) for column in important)
    return Findings(
        checkpoint=checkpoint,
        rows=rows,
        trained=recorded(checkpoint),
        further=further,
        coverage=coverage,
        importances=importances,
        dependences=tuple(each for each in drawn if each is not None),
    )


def recorded(checkpoint: Checkpoint) -> Measured:
    """What training found, from the record in the checkpoint.

    Args:
        checkpoint: trained on a file.

    Returns:
        The metrics of the rows held out; if there are none, of rows that were learned from.
    """
    record = checkpoint.training
    evaluation = Evaluation(
        threshold=checkpoint.threshold,
        metrics=record.metrics,
        intervals=record.intervals,
        confusion=record.confusion,
        reliability=record.reliability,
        pairs=record.pairs,
    )
    return Measured(sum(each.rows for each in record.reliability), evaluation, record.baseline)


def _measure(predictor: Predictor, values: np.ndarray, y: np.ndarray) -> tuple[Measured, tuple[float, Interval] | None]:
    """How good predictions are on rows that were not learned from, and the coverage of their intervals."""
    checkpoint = predictor.checkpoint
    estimate = predictor.predict(values)
    evaluation = evaluate(checkpoint.task, estimate.mean, y, threshold=checkpoint.threshold)
    baseline = baseline_metrics(checkpoint.task, y, y, len(checkpoint.classes))
    measured = Measured(len(y), evaluation, baseline)
    if estimate.interval is None:
        return measured, None
    inside = float(((estimate.interval[:, 0] <= y) & (y <= estimate.interval[:, 1])).mean())
    return measured, (inside, wilson_interval(inside, float(len(y))))
