"""Ensembles: the mean prediction of several networks, how far they are apart, and how right they are.

Params here may be those of one network, or have the members of an ensemble on a leading axis of every leaf
(Lakshminarayanan et al., NeurIPS 2017, 2.4).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from model.metrics import surprise
from model.network import Network, Params, logits
from model.tasks import TASKS, Array

# Rows that are predicted at a time, at most and at least.
BATCH, SMALLEST_BATCH = 16_384, 1_024
# How far from 1 a temperature is believed to be beforehand, a factor of e^0.2 either way, and how far it can be.
PRIOR, RANGE = 0.2, 2.5


class Prediction(NamedTuple):
    """mean: the members' mean prediction, shaped as that of `predict`. spread: [rows], the standard deviation over the
    members, of the probability (binary), of that of the likeliest class (multiclass), or of the number (regression).
    """

    mean: Array
    spread: Array


def is_ensemble(params: Params) -> bool:
    """Whether the leaves have a leading axis of members."""
    return jnp.ndim(params[0].bias) == 2


def predict_ensemble(
    params: Params, x: Num[Array, "rows inputs"], network: Network, temperature: float | Float[Array, ""] = 1.0
) -> Prediction:
    """The mean prediction and the spread of an ensemble, or of one network, whose spread is 0.

    temperature: above 0; logits are divided by it (Guo et al., ICML 2017, 4.2), but not in a regression.

    >>> from model.network import Layer
    >>> two = [Layer(jnp.zeros((2, 1, 1)), jnp.array([[0.0], [1e4]]))]
    >>> [part.tolist() for part in predict_ensemble(two, jnp.ones((1, 1)), Network((1, 1)))]
    [[0.75], [0.25]]
    """
    z = all_logits(params, x, network)
    predictions = jax.vmap(TASKS[network.task].predict)(z if network.task == "regression" else z / temperature)
    mean, spread = jnp.mean(predictions, axis=0), jnp.std(predictions, axis=0)
    if network.task == "multiclass":
        spread = jnp.take_along_axis(spread, jnp.argmax(mean, axis=1)[:, None], axis=1)[:, 0]
    return Prediction(mean, spread)


def all_logits(params: Params, x: Num[Array, "rows inputs"], network: Network) -> jax.Array:
    """The logits of every member, [members, rows, …]."""
    if not is_ensemble(params):
        return logits(params, x, network)[None]
    return jax.vmap(partial(logits, x=x, network=network))(params)


def predict_rows(params: Params, x: np.ndarray, network: Network, temperature: float = 1.0) -> Prediction:
    """`predict_ensemble` of any number of rows as NumPy arrays, in batches of few sizes, so that it compiles rarely."""
    return Prediction(*_by_batches(params, x, network, temperature)[:2])


def _by_batches(params: Params, x: np.ndarray, network: Network, temperature: float) -> list[np.ndarray]:
    """The mean and the spread, and the logits as [rows, members, …]."""
    parts = []
    for start in range(0, len(x), BATCH):
        rows = x[start : start + BATCH]
        size = min(max(SMALLEST_BATCH, 1 << (len(rows) - 1).bit_length()), BATCH)
        filled = np.concatenate([rows, np.zeros((size - len(rows), x.shape[1]), x.dtype)]) if len(rows) < size else rows
        parts.append([np.asarray(part)[: len(rows)] for part in _compute(params, filled, network, temperature)])
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


@jax.jit
def _compute(params: Params, x: Array, network: Network, temperature: float | Float[Array, ""]) -> tuple[Any, ...]:
    return *predict_ensemble(params, x, network, temperature), jnp.moveaxis(all_logits(params, x, network), 0, 1)


def fit_temperature(params: Params, x: np.ndarray, y: np.ndarray, network: Network) -> float:
    """The temperature for which rows that training has not seen are likeliest: 1 for a regression.

    Their cross-entropy's sum plus (log T)² / 2 PRIOR² is smallest there: few rows say little, and leave it near 1.
    """
    from scipy import optimize, special

    if network.task == "regression":
        return 1.0
    z = _by_batches(params, x, network, 1.0)[2].astype(np.float64)
    function = special.expit if network.task == "binary" else partial(special.softmax, axis=2)

    def total(log_temperature: float) -> float:
        mean = function(z / np.exp(log_temperature)).mean(axis=1)
        return float(surprise(mean, y).sum()) + log_temperature**2 / (2 * PRIOR**2)

    found = optimize.minimize_scalar(total, bounds=(-RANGE, RANGE), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
