"""Predictions for any number of rows, in batches of few sizes, so that few programs are compiled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import jax
import numpy as np
from jaxtyping import Float

from model.ensembles import Ensemble, Prediction, member_logits, predict_from_logits, to_numpy

# Rows that NumPy computes at a time.
BLOCK_ROWS = 2_048
# Rows in a batch of `predict_rows`: each size is a program to compile.
BATCH_SIZES = (1_024, 2_048, 4_096, 8_192, 16_384)


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
    ensemble: Ensemble,
    x: Float[np.ndarray, "rows inputs"],
    temperature: float = 1.0,
    batch_sizes: Sequence[int] = BATCH_SIZES,
) -> Prediction:
    """`predict_ensemble` for any number of rows, in batches of few sizes, so that few programs are compiled.

    Args:
        ensemble: the networks.
        x: [rows, inputs], at least one row.
        temperature: as in `predict_ensemble`.
        batch_sizes: as in `padded_batches`.

    Returns:
        A Prediction of NumPy arrays.

    Example:
        >>> from model.ensembles import Members
        >>> from model.network import Layer, Network
        >>> one = Members(Network((1, 1)), [Layer(np.zeros((1, 1)), np.zeros(1))])
        >>> predict_rows((one,), np.ones((3, 1))).mean.tolist()
        [0.5, 0.5, 0.5]
    """
    task = ensemble[0].network.task
    batches = _logits_in_batches(ensemble, x, batch_sizes)
    return concatenate([predict_from_logits(z, task, temperature) for z in batches])


def logits_of_rows(ensemble: Ensemble, x: Float[np.ndarray, "rows inputs"]) -> Float[np.ndarray, "members rows *rest"]:
    """`member_logits` for any number of rows, by NumPy, so that no program is compiled.

    Args:
        ensemble: the networks.
        x: [rows, inputs], at least one row.

    Returns:
        [members, rows] or [members, rows, outputs], a NumPy array.

    Example:
        >>> from model.ensembles import Members
        >>> from model.network import Layer, Network
        >>> one = Members(Network((1, 1)), [Layer(np.ones((1, 1)), np.zeros(1))])
        >>> logits_of_rows((one,), np.array([[2.0], [3.0]])).tolist()
        [[2.0, 3.0]]
    """
    networks = to_numpy(ensemble)
    with np.errstate(over="ignore", invalid="ignore"):  # like JAX, which does not warn
        parts = [member_logits(networks, x[start : start + BLOCK_ROWS]) for start in range(0, len(x), BLOCK_ROWS)]
    return np.concatenate(parts, axis=1)


def _logits_in_batches(ensemble: Ensemble, x: np.ndarray, batch_sizes: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the logits of every member, [members, rows of the batch, …]."""
    for batch, count in padded_batches(x, batch_sizes):
        yield np.asarray(_compiled_member_logits(ensemble, batch))[:, :count]


_compiled_member_logits = jax.jit(member_logits)
