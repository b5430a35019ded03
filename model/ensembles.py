"""Ensembles: the mean prediction of several networks, how far they are apart, and the temperature of their logits.

Everywhere in this module, `params` belongs either to one network or to an ensemble, which has its members on a leading
axis of every leaf (Lakshminarayanan et al., NeurIPS 2017, 2.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num

from model.arrays import Array
from model.metrics import negative_log_likelihood
from model.network import Layer, Network, Params, logits
from model.tasks import TASKS

# Rows in a batch of `predict_rows`: each size is a program to compile.
BATCH_SIZES = (1_024, 2_048, 4_096, 8_192, 16_384)
# The prior of the temperature: log T is normal with this standard deviation, and within ± the limit.
LOG_TEMPERATURE_DEVIATION, LOG_TEMPERATURE_LIMIT = 0.2, 2.5


class Prediction(NamedTuple):
    """A prediction for each row.

    Attributes:
        mean: the mean prediction of the members, of the shape that `predict` returns.
        spread: [rows], the standard deviation over the members: of the probability (binary), of the probability of the
            likeliest class (multiclass), or of the number (regression).
    """

    mean: Array
    spread: Array


def is_ensemble(params: Params) -> bool:
    """Whether params belong to an ensemble.

    Args:
        params: of a network or of an ensemble.

    Returns:
        True if the leaves have a leading axis of members.

    Example:
        >>> is_ensemble([Layer(np.zeros((2, 1)), np.zeros(1))])
        False
    """
    return jnp.ndim(params[0].bias) == 2


def predict_ensemble(
    params: Params, x: Num[Array, "rows inputs"], network: Network, temperature: float | Float[Array, ""] = 1.0
) -> Prediction:
    """The mean prediction and the spread of an ensemble. The spread of a single network is 0.

    Args:
        params: of a network or of an ensemble.
        x: [rows, inputs].
        network: the description of each member.
        temperature: above 0; the logits are divided by it (Guo et al., ICML 2017, 4.2), except in a regression.

    Returns:
        A Prediction; its arrays are NumPy's if params and x are.

    Example:
        >>> two = [Layer(jnp.zeros((2, 1, 1)), jnp.array([[0.0], [1e4]]))]
        >>> [part.tolist() for part in predict_ensemble(two, jnp.ones((1, 1)), Network((1, 1)))]
        [[0.75], [0.25]]
    """
    with np.errstate(over="ignore", invalid="ignore"):  # like JAX, which does not warn
        return predict_from_logits(member_logits(params, x, network), network, temperature)


def predict_from_logits(
    z: Float[Array, "members rows *outputs"], network: Network, temperature: Any = 1.0
) -> Prediction:
    """The mean prediction and the spread, from the logits of every member.

    Args:
        z: [members, rows] or [members, rows, outputs].
        network: the description of each member.
        temperature: as in `predict_ensemble`.

    Returns:
        A Prediction; its arrays are NumPy's if z is.

    Example:
        >>> [part.tolist() for part in predict_from_logits(np.array([[0.0], [1e4]]), Network((1, 1)))]
        [[0.75], [0.25]]
    """
    task = TASKS[network.task]
    z = z / temperature if task.has_classes else z
    if len(z) == 1:
        return Prediction(task.predict(z[0]), np.zeros(z.shape[1], np.float32))
    if isinstance(z, np.ndarray):
        predictions = np.stack([task.predict(member) for member in z])
    else:
        predictions = jax.vmap(task.predict)(z)
    mean, spread = predictions.mean(axis=0), predictions.std(axis=0)
    if task.output_per_class:
        spread = spread[np.arange(len(spread)), mean.argmax(axis=1)]
    return Prediction(mean, spread)


def member_logits(params: Params, x: Num[Array, "rows inputs"], network: Network) -> Any:
    """The logits of every member.

    Args:
        params: of a network or of an ensemble.
        x: [rows, inputs].
        network: the description of each member.

    Returns:
        [members, rows] or [members, rows, outputs]; a NumPy array if params and x are NumPy's.

    Example:
        >>> member_logits([Layer(np.ones((1, 1)), np.zeros(1))], np.array([[2.0]]), Network((1, 1))).tolist()
        [[2.0]]
    """
    if not is_ensemble(params):
        return logits(params, x, network)[None]
    if isinstance(x, np.ndarray) and isinstance(params[0].bias, np.ndarray):
        members = zip(*(zip(*layer, strict=True) for layer in params), strict=True)
        return np.stack([logits([Layer(*layer) for layer in member], x, network) for member in members])
    return jax.vmap(partial(logits, x=x, network=network))(params)


def to_numpy(params: Params) -> Params:
    """The same parameters as NumPy arrays, with which NumPy predicts.

    Args:
        params: of a network or of an ensemble.

    Returns:
        The layers, each with NumPy arrays.

    Example:
        >>> type(to_numpy([Layer(jnp.zeros((1, 1)), jnp.zeros(1))])[0].bias).__name__
        'ndarray'
    """
    return [Layer(np.asarray(layer.weight), np.asarray(layer.bias)) for layer in params]


def padded_batches(
    x: Float[np.ndarray, "rows inputs"], batch_sizes: Sequence[int]
) -> Iterator[tuple[Float[np.ndarray, "batch inputs"], int]]:
    """The rows in batches of few sizes, each a shape for which a program is compiled.

    Args:
        x: [rows, inputs].
        batch_sizes: the sizes that a batch may have, in ascending order.

    Yields:
        A batch, of the smallest size that holds the rows that are left, or of the largest size; and how many of its
        rows are rows of x. The rows after them are zeros.

    Example:
        >>> [(batch.shape, count) for batch, count in padded_batches(np.ones((5, 1)), (2, 4))]
        [((4, 1), 4), ((2, 1), 1)]
    """
    for start in range(0, len(x), batch_sizes[-1]):
        rows = x[start : start + batch_sizes[-1]]
        size = next(size for size in batch_sizes if size >= len(rows))
        batch = rows
        if len(rows) < size:
            batch = np.zeros((size, x.shape[1]), x.dtype)
            batch[: len(rows)] = rows
        yield batch, len(rows)


def concatenate(predictions: Sequence[Prediction]) -> Prediction:
    """The predictions for the rows of several batches, in one.

    Args:
        predictions: one for each batch, at least one.

    Returns:
        A Prediction of NumPy arrays.

    Example:
        >>> concatenate([Prediction(np.zeros(1), np.zeros(1)), Prediction(np.ones(2), np.zeros(2))]).mean.tolist()
        [0.0, 1.0, 1.0]
    """
    return Prediction(*(np.concatenate(arrays) for arrays in zip(*predictions, strict=True)))


def predict_rows(
    params: Params,
    x: Float[np.ndarray, "rows inputs"],
    network: Network,
    temperature: float = 1.0,
    batch_sizes: Sequence[int] = BATCH_SIZES,
) -> Prediction:
    """`predict_ensemble` for any number of rows, in batches of few sizes, so that few programs are compiled.

    Args:
        params: of a network or of an ensemble.
        x: [rows, inputs], at least one row.
        network: the description of each member.
        temperature: as in `predict_ensemble`.
        batch_sizes: as in `padded_batches`.

    Returns:
        A Prediction of NumPy arrays.

    Example:
        >>> predict_rows([Layer(np.zeros((1, 1)), np.zeros(1))], np.ones((3, 1)), Network((1, 1))).mean.tolist()
        [0.5, 0.5, 0.5]
    """
    batches = _logits_in_batches(params, x, network, batch_sizes)
    return concatenate([predict_from_logits(z, network, temperature) for z in batches])


def _logits_in_batches(
    params: Params, x: np.ndarray, network: Network, batch_sizes: Sequence[int] = BATCH_SIZES
) -> Iterator[np.ndarray]:
    """Yield the logits of every member, [members, rows of the batch, …]."""
    for batch, count in padded_batches(x, batch_sizes):
        yield np.asarray(_compiled_member_logits(params, batch, network))[:, :count]


_compiled_member_logits = jax.jit(member_logits)


def fit_temperature(
    params: Params,
    x: Float[np.ndarray, "rows inputs"],
    y: Num[np.ndarray, " rows"],
    network: Network,
    weights: Float[np.ndarray, " rows"] | None = None,
) -> float:
    """The temperature for which rows that training has not seen are likeliest (Guo et al., ICML 2017, 4.2).

    It minimizes the sum of the rows' negative log-likelihoods plus (log T)² / 2σ², with σ = 0.2: a prior that keeps T
    near 1 if there are few rows.

    Args:
        params: of a network or of an ensemble.
        x: [rows, inputs] that training has not seen, at least one row.
        y: [rows], as `loss` takes it.
        network: the description of each member.
        weights: [rows], a factor for the negative log-likelihood of each row; by default 1.

    Returns:
        A temperature from e^-2.5 to e^2.5; 1 for a regression.

    Example:
        >>> params, y = [Layer(np.ones((1, 1)), np.zeros(1))], np.array([1.0, 0.0, 1.0])
        >>> fit_temperature(params, np.array([[9.0], [-9.0], [-9.0]]), y, Network((1, 1))) > 1
        True
    """
    from scipy import optimize

    if not TASKS[network.task].has_classes:
        return 1.0
    z = np.concatenate(list(_logits_in_batches(params, x, network)), axis=1).astype(np.float64)

    def objective(log_temperature: float) -> float:
        mean = np.asarray(predict_from_logits(z, network, np.exp(log_temperature)).mean)
        prior = log_temperature**2 / (2 * LOG_TEMPERATURE_DEVIATION**2)
        by_row = negative_log_likelihood(mean, y)
        return float((by_row if weights is None else by_row * weights).sum()) + prior

    bounds = (-LOG_TEMPERATURE_LIMIT, LOG_TEMPERATURE_LIMIT)
    found = optimize.minimize_scalar(objective, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
