"""The record of a training: how the parameters of a checkpoint came about, and how good they are."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from jaxtyping import Float, Int

from model.evaluation.intervals import Interval
from model.evaluation.reliability import Bin, Pair
from model.hyperparameters import Hyperparameters
from model.metrics import Metrics

# A record keeps the losses after at most so many epochs.
MAX_LOSS_POINTS = 60


class LossPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The losses after an epoch.

    Attributes:
        epoch: after how many epochs, from 1.
        training: the loss on the rows that are learned from.
        validation: the loss on the rows held out; None if there are none.
    """

    epoch: int
    training: float
    validation: float | None = None


def loss_points(
    epochs: Int[np.ndarray, " records"],
    training: Float[np.ndarray, " records"],
    validation: Float[np.ndarray, " records"],
) -> tuple[LossPoint, ...]:
    """The losses of a restart, after at most 60 epochs at equal distances.

    Args:
        epochs: [records], after how many epochs each loss was recorded.
        training: [records]; not finite if the restart had ended.
        validation: [records], likewise; NaN if no rows were held out.

    Returns:
        The points that have a finite training loss.

    Example:
        >>> losses = np.array([0.5, 0.4, np.nan])
        >>> [point.epoch for point in loss_points(np.array([10, 20, 30]), losses, losses)]
        [10, 20]
    """
    finite = np.flatnonzero(np.isfinite(training))
    chosen = finite[np.linspace(0, len(finite) - 1, min(len(finite), MAX_LOSS_POINTS)).round().astype(int)]
    rows = zip(epochs[chosen].tolist(), training[chosen].tolist(), validation[chosen].tolist(), strict=True)
    return tuple(LossPoint(epoch, loss, held if math.isfinite(held) else None) for epoch, loss, held in rows)


class TrainingRecord(Hyperparameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the parameters came about: the hyperparameters, and what training with them led to.

    Attributes:
        table: the name of what the network was trained on.
        epoch: how many epochs were done.
        loss: of the best restart; the validation loss if rows were held out.
        seed: of the random key.
        solved: how many restarts predict every row of a truth table right.
        rows: how many rows the table has, without those that were dropped.
        held_out: how many of them were held out.
        split: which rows were held out, in words; empty for a truth table.
        dropped: how many rows had no target.
        table_digest: SHA-256 of the table; empty for a truth table.
        metrics: of the rows held out; if there are none, of at most 10,000 rows that were learned from.
        baseline: the metrics of a guess that knows only the targets, on the same rows.
        intervals: the 90 % intervals of metrics.
        confusion: for each class the number of these rows with each label; empty without classes, or with more than
            100.
        reliability: these rows by their predictions, next to what was true.
        pairs: of a regression, the prediction and the target of at most 300 of these rows.
        losses: of the best restart, after some epochs.
        inputs_digest: SHA-256 of the inputs of the rows of the file, by which the file is known again. Rows of a file
            that is only for validation do not count.
    """

    table: str
    epoch: int
    loss: float
    seed: int
    solved: int = 0
    rows: int = 0
    held_out: int = 0
    split: str = ""
    dropped: int = 0
    table_digest: str = ""
    metrics: Metrics = msgspec.field(default_factory=dict)
    baseline: Metrics = msgspec.field(default_factory=dict)
    intervals: dict[str, Interval] = msgspec.field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()
    reliability: tuple[Bin, ...] = ()
    pairs: tuple[Pair, ...] = ()
    losses: tuple[LossPoint, ...] = ()
    inputs_digest: str = ""
