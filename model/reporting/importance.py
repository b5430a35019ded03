"""Which columns a prediction depends on: by shuffling each column, and by the gradient of the prediction."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from model.checkpoint import Checkpoint
from model.ensembles import Ensemble, predict_ensemble
from model.evaluation.batches import predict_rows
from model.metrics import metrics
from model.tables.columns import NumericColumn
from model.tables.encoding import encode
from model.tables.target_scaling import expected_slopes, expected_values
from model.tasks import TASKS

# How often each column is shuffled.
SHUFFLES = 5
# Rows whose gradients are computed at a time.
BATCH_ROWS = 16_384


@dataclass(frozen=True)
class Importance:
    """How much predictions depend on one column.

    Attributes:
        name: the column's.
        loss_rise: by how much the log loss, or the RMSE, rises if the column's values are shuffled among the rows: the
            mean over five shuffles.
        spread: the standard deviation over those shuffles.
        gradient: the mean absolute derivative of the prediction by the column. The prediction is a probability or the
            number itself; the derivative is per interquartile range of a numeric column, or summed over the inputs of
            any other.
    """

    name: str
    loss_rise: float
    spread: float
    gradient: float


def column_importances(
    checkpoint: Checkpoint, values: Float[np.ndarray, "rows columns"], y: Num[np.ndarray, " rows"], *, seed: int = 0
) -> list[Importance]:
    """The importance of every column, on rows with known targets.

    Shuffling follows Breiman (Machine Learning 45, 2001, 10) and Fisher et al. (JMLR 20:177, 2019).

    Args:
        checkpoint: what predicts.
        values: [rows, columns] float64, as `parse_series` gives them.
        y: [rows], as `loss` takes it, but in the target's own unit.
        seed: of the shuffles, from 0.

    Returns:
        One Importance for each column, the one with the largest `loss_rise` first.

    Example:
        >>> from model.checkpoint import TrainingRecord
        >>> from model.ensembles import Members
        >>> from model.network import Layer, Network
        >>> record = TrainingRecord(table="b", epoch=0, loss=0.0, seed=0)
        >>> params = [Layer(np.array([[0.0], [9.0]], np.float32), np.zeros(1, np.float32))]
        >>> ensemble = (Members(Network((2, 1)), params),)
        >>> copies_b = Checkpoint(ensemble, ("a", "b"), "b", (0, 1), record)
        >>> values = np.array([[0.0, -1.0], [0.0, 1.0]] * 8)
        >>> [each.name for each in column_importances(copies_b, values, np.array([0, 1] * 8))]
        ['b', 'a']
    """
    rng = np.random.default_rng(seed)
    loss = _loss(checkpoint, values, y)
    input_gradients = input_gradient_sizes(checkpoint, encode(checkpoint.column_specs, list(values.T)))
    found, first = [], 0
    for index, (name, column) in enumerate(zip(checkpoint.columns, checkpoint.column_specs, strict=True)):
        rises = []
        for _ in range(SHUFFLES):
            shuffled = values.copy()
            shuffled[:, index] = rng.permutation(shuffled[:, index])
            rises.append(_loss(checkpoint, shuffled, y) - loss)
        is_constant = isinstance(column, NumericColumn) and not column.scale
        gradient = 0.0 if is_constant else float(input_gradients[first : first + column.input_count].sum())
        found.append(Importance(name, float(np.mean(rises)), float(np.std(rises)), gradient))
        first += column.input_count
    return sorted(found, key=lambda each: -each.loss_rise)


def _loss(checkpoint: Checkpoint, values: np.ndarray, y: np.ndarray) -> float:
    x = encode(checkpoint.column_specs, list(values.T))
    mean = np.asarray(predict_rows(checkpoint.ensemble, x, checkpoint.temperature).mean)
    if not checkpoint.classes:
        mean = expected_values(checkpoint.target_scaling, mean, checkpoint.residuals)
    return metrics(checkpoint.task, mean, y)[TASKS[checkpoint.task].score]


def input_gradient_sizes(
    checkpoint: Checkpoint, x: Float[np.ndarray, "rows inputs"], batch_rows: int = BATCH_ROWS
) -> Float[np.ndarray, " inputs"]:
    """The mean over rows of the absolute derivative of the prediction by each input, as it is before the knee.

    Args:
        checkpoint: what predicts.
        x: [rows, inputs], at least one row.
        batch_rows: how many rows are computed at a time.

    Returns:
        [inputs]: derivatives of the probability (binary), of the probability of the likeliest class (multiclass), or of
        the number in its own unit (regression).
    """
    total = np.zeros(x.shape[1])
    for start in range(0, len(x), batch_rows):
        rows = x[start : start + batch_rows]
        predictions, gradients = _gradients(checkpoint.ensemble, rows, checkpoint.temperature)
        slopes = expected_slopes(checkpoint.target_scaling, np.asarray(predictions), checkpoint.residuals)
        total += (np.abs(gradients) * slopes[:, None] * _slopes_of_knees(checkpoint, rows)).sum(axis=0)
    return total / len(x)


def _slopes_of_knees(checkpoint: Checkpoint, x: np.ndarray) -> np.ndarray:
    """[rows, inputs], the derivative of each input x = k asinh(z / k) by z, which is 1 / cosh(x / k)."""
    slopes, first = np.ones(x.shape), 0
    for column in checkpoint.column_specs:
        if isinstance(column, NumericColumn) and column.knee:
            slopes[:, first] = 1 / np.cosh(x[:, first].astype(np.float64) / column.knee)
        first += column.input_count
    return slopes


@jax.jit
def _gradients(ensemble: Ensemble, x: jax.Array, temperature: float) -> tuple[jax.Array, jax.Array]:
    """[rows] predictions, of the likeliest class of several, and [rows, inputs] their derivatives."""

    def prediction(row: jax.Array) -> jax.Array:
        return jnp.max(predict_ensemble(ensemble, row[None], temperature).mean)

    by_row: tuple[jax.Array, jax.Array] = jax.vmap(jax.value_and_grad(prediction))(x)
    return by_row
