"""Which columns a prediction hangs on: by shuffling a column, and by the prediction's gradient."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from model.checkpoint import Checkpoint
from model.ensembles import BATCH, predict_ensemble, predict_rows
from model.metrics import metrics
from model.network import Network, Params
from model.tables.columns import Number, encode

SHUFFLES = 5


@dataclass(frozen=True)
class Importance:
    """A column's. rise, spread: by how much the log loss (or the RMSE) rises when its values are shuffled among the
    rows, the mean over five shuffles and its standard deviation. gradient: the mean absolute derivative of the
    prediction, a probability or the number itself, by the column: for one standard deviation of a number, and over all
    categories of a text.
    """

    name: str
    rise: float
    spread: float
    gradient: float


def importances(
    checkpoint: Checkpoint, values: Float[np.ndarray, "rows columns"], y: Num[np.ndarray, " rows"], *, seed: int = 0
) -> list[Importance]:
    """Every column's importance on rows with known targets, the most important by shuffling first (Breiman, Machine
    Learning 45, 2001, 10; Fisher et al., JMLR 20:177, 2019).

    values: as `from_series` gives them. y: as of `loss`, but in the target's own unit.
    """
    draw = np.random.default_rng(seed)
    whole = _loss(checkpoint, values, y)
    by_input = gradient_sizes(checkpoint, encode(checkpoint.scaling, list(values.T)))
    found, first = [], 0
    for index, (name, column) in enumerate(zip(checkpoint.columns, checkpoint.scaling, strict=True)):
        rises = []
        for _ in range(SHUFFLES):
            shuffled = values.copy()
            shuffled[:, index] = draw.permutation(shuffled[:, index])
            rises.append(_loss(checkpoint, shuffled, y) - whole)
        constant = isinstance(column, Number) and not column.scale
        gradient = 0.0 if constant else float(by_input[first : first + column.width].sum())
        found.append(Importance(name, float(np.mean(rises)), float(np.std(rises)), gradient))
        first += column.width
    return sorted(found, key=lambda each: -each.rise)


def _loss(checkpoint: Checkpoint, values: np.ndarray, y: np.ndarray) -> float:
    x = encode(checkpoint.scaling, list(values.T))
    mean = np.asarray(predict_rows(checkpoint.params, x, checkpoint.network, checkpoint.temperature).mean)
    if checkpoint.network.task == "regression":
        return metrics("regression", checkpoint.unit.restored(mean), y)["RMSE"]
    return metrics(checkpoint.network.task, mean, y)["log loss"]


def gradient_sizes(checkpoint: Checkpoint, x: Float[np.ndarray, "rows inputs"]) -> Float[np.ndarray, " inputs"]:
    """The mean over rows of the absolute derivative of the prediction by each input: of the probability (binary), of
    that of the likeliest class (multiclass), or of the number in its own unit (regression).
    """
    total = np.zeros(x.shape[1])
    for start in range(0, len(x), BATCH):
        rows = x[start : start + BATCH]
        total += _gradients(checkpoint.params, rows, checkpoint.network, checkpoint.temperature)
    scale = checkpoint.unit.scale if checkpoint.network.task == "regression" else 1.0
    return total / len(x) * scale


@jax.jit
def _gradients(params: Params, x: jax.Array, network: Network, temperature: float) -> jax.Array:
    def prediction(row: jax.Array) -> jax.Array:
        return jnp.max(predict_ensemble(params, row[None], network, temperature).mean)

    by_row: jax.Array = jax.vmap(jax.grad(prediction))(x)
    return jnp.abs(by_row).sum(axis=0)
