"""Ensembles: the mean prediction of several networks, how far they are apart, and how right they are.

Params here may be those of one network, or have the members of an ensemble on a leading axis of every leaf
(Lakshminarayanan et al., NeurIPS 2017, 2.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from model.metrics import surprise
from model.network import Layer, Network, Params, logits
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
    with np.errstate(over="ignore", invalid="ignore"):  # as JAX does
        return of_logits(all_logits(params, x, network), network, temperature)


def of_logits(z: Float[Array, "members rows *outputs"], network: Network, temperature: Any = 1.0) -> Prediction:
    """`predict_ensemble`, once the members' logits are there: of NumPy arrays where they are one."""
    z = z if network.task == "regression" else z / temperature
    predict = TASKS[network.task].predict
    if len(z) == 1:
        return Prediction(predict(z[0]), np.zeros(z.shape[1], np.float32))
    predictions = np.stack([predict(member) for member in z]) if isinstance(z, np.ndarray) else jax.vmap(predict)(z)
    mean, spread = predictions.mean(axis=0), predictions.std(axis=0)
    if network.task == "multiclass":
        spread = spread[np.arange(len(spread)), mean.argmax(axis=1)]
    return Prediction(mean, spread)


def all_logits(params: Params, x: Num[Array, "rows inputs"], network: Network) -> Any:
    """The logits of every member, [members, rows, …]: a NumPy array where params and x are."""
    if not is_ensemble(params):
        return logits(params, x, network)[None]
    if isinstance(x, np.ndarray) and isinstance(params[0].bias, np.ndarray):
        members = zip(*(zip(*layer, strict=True) for layer in params), strict=True)
        return np.stack([logits([Layer(*layer) for layer in member], x, network) for member in members])
    return jax.vmap(partial(logits, x=x, network=network))(params)


def of_numpy(params: Params) -> Params:
    """The parameters as NumPy arrays, with which NumPy predicts."""
    return [Layer(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in params]


def predict_rows(params: Params, x: np.ndarray, network: Network, temperature: float = 1.0) -> Prediction:
    """`predict_ensemble` of any number of rows as NumPy arrays, in batches of few sizes, so that it compiles rarely."""
    parts = [of_logits(z, network, temperature) for z in _logits_by_batch(params, x, network)]
    return Prediction(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _logits_by_batch(params: Params, x: np.ndarray, network: Network) -> Iterator[np.ndarray]:
    """The logits of every member, [members, rows of a batch, …]."""
    for start in range(0, len(x), BATCH):
        rows = x[start : start + BATCH]
        size = min(max(SMALLEST_BATCH, 1 << (len(rows) - 1).bit_length()), BATCH)
        filled = np.concatenate([rows, np.zeros((size - len(rows), x.shape[1]), x.dtype)]) if len(rows) < size else rows
        yield np.asarray(_compiled_logits(params, filled, network))[:, : len(rows)]


_compiled_logits = jax.jit(all_logits)


def fit_temperature(params: Params, x: np.ndarray, y: np.ndarray, network: Network) -> float:
    """The temperature for which rows that training has not seen are likeliest: 1 for a regression.

    Their cross-entropy's sum plus (log T)² / 2 PRIOR² is smallest there: few rows say little, and leave it near 1.
    """
    from scipy import optimize, special

    if network.task == "regression":
        return 1.0
    z = np.concatenate(list(_logits_by_batch(params, x, network)), axis=1).astype(np.float64)
    z = np.moveaxis(z, 0, 1)
    function = special.expit if network.task == "binary" else partial(special.softmax, axis=2)

    def total(log_temperature: float) -> float:
        mean = function(z / np.exp(log_temperature)).mean(axis=1)
        return float(surprise(mean, y).sum()) + log_temperature**2 / (2 * PRIOR**2)

    found = optimize.minimize_scalar(total, bounds=(-RANGE, RANGE), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
