"""Ensembles: the mean prediction of several networks, and how far they are apart (Lakshminarayanan et al., NeurIPS
2017, 2.4).

An ensemble is a tuple of `Members`. Networks of one description that see the inputs in the same way are one of them.
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
from model.bins import Bins, bin_inputs
from model.network import Layer, Network, Params, forward_pass, logits
from model.tasks import TASKS

# Rows in a batch of `predict_rows`: each size is a program to compile.
BATCH_SIZES = (1_024, 2_048, 4_096, 8_192, 16_384)


class Members(NamedTuple):
    """One or several networks of one description.

    Attributes:
        network: the description of each.
        params: of one network; or of several, on a leading axis of every leaf.
        bins: how the inputs of the table become those of the network; None if it sees them as they are.
    """

    network: Network
    params: Params
    bins: Bins | None = None

    @property
    def are_several(self) -> bool:
        """Whether the params have a leading axis."""
        return jnp.ndim(self.params[0].bias) == 2

    @property
    def size(self) -> int:
        """How many networks there are."""
        return int(self.params[0].bias.shape[0]) if self.are_several else 1

    def first(self) -> Params:
        """The params of the first network."""
        if not self.are_several:
            return self.params
        return [Layer(layer.weight[0], layer.bias[0]) for layer in self.params]


Ensemble = tuple[Members, ...]


class Prediction(NamedTuple):
    """A prediction for each row.

    Attributes:
        mean: the mean prediction of the members, of the shape that `predict` returns.
        spread: [rows], the standard deviation over the members: of the probability (binary), of the probability of the
            likeliest class (multiclass), or of the number (regression).
    """

    mean: Array
    spread: Array


def predict_ensemble(
    ensemble: Ensemble, x: Num[Array, "rows inputs"], temperature: float | Float[Array, ""] = 1.0
) -> Prediction:
    """The mean prediction and the spread of an ensemble. The spread of a single network is 0.

    Args:
        ensemble: the networks.
        x: [rows, inputs], as `encode` gives them.
        temperature: above 0; the logits are divided by it (Guo et al., ICML 2017, 4.2), except in a regression.

    Returns:
        A Prediction; its arrays are NumPy's if the params and x are.

    Example:
        >>> two = Members(Network((1, 1)), [Layer(jnp.zeros((2, 1, 1)), jnp.array([[0.0], [1e4]]))])
        >>> [part.tolist() for part in predict_ensemble((two,), jnp.ones((1, 1)))]
        [[0.75], [0.25]]
    """
    with np.errstate(over="ignore", invalid="ignore"):  # like JAX, which does not warn
        return predict_from_logits(member_logits(ensemble, x), ensemble[0].network.task, temperature)


def predict_from_logits(z: Float[Array, "members rows *outputs"], task: str, temperature: Any = 1.0) -> Prediction:
    """The mean prediction and the spread, from the logits of every member.

    Args:
        z: [members, rows] or [members, rows, outputs].
        task: binary, multiclass or regression.
        temperature: as in `predict_ensemble`.

    Returns:
        A Prediction; its arrays are NumPy's if z is.

    Example:
        >>> [part.tolist() for part in predict_from_logits(np.array([[0.0], [1e4]]), "binary")]
        [[0.75], [0.25]]
    """
    z = z / temperature if TASKS[task].has_classes else z
    by_row = z.reshape(-1, *z.shape[2:])
    predictions = TASKS[task].predict(by_row).reshape(z.shape)
    if len(z) == 1:
        return Prediction(predictions[0], np.zeros(z.shape[1], np.float32))
    mean, spread = predictions.mean(axis=0), predictions.std(axis=0)
    if TASKS[task].output_per_class:
        spread = spread[np.arange(len(spread)), mean.argmax(axis=1)]
    return Prediction(mean, spread)


def member_logits(ensemble: Ensemble, x: Num[Array, "rows inputs"]) -> Any:
    """The logits of every member.

    Args:
        ensemble: the networks.
        x: [rows, inputs], as `encode` gives them.

    Returns:
        [members, rows] or [members, rows, outputs]; a NumPy array if the params and x are NumPy's.

    Example:
        >>> one = Members(Network((1, 1)), [Layer(np.ones((1, 1)), np.zeros(1))])
        >>> member_logits((one,), np.array([[2.0]])).tolist()
        [[2.0]]
    """
    parts = [_logits_of(members, x) for members in ensemble]
    if len(parts) == 1:
        return parts[0]
    return (np if all(isinstance(part, np.ndarray) for part in parts) else jnp).concatenate(parts)


def _logits_of(members: Members, x: Num[Array, "rows inputs"]) -> Any:
    network, params, bins = members
    inputs = bin_inputs(x, bins)
    if not members.are_several:
        return logits(params, inputs, network)[None]
    if isinstance(inputs, np.ndarray) and isinstance(params[0].bias, np.ndarray):
        z = forward_pass(params, inputs, network, _affine_of_members)[-1]
        return z[..., 0] if network.sizes[-1] == 1 else z
    return jax.vmap(partial(logits, x=inputs, network=network))(params)


def _affine_of_members(layer: Layer, a: np.ndarray) -> np.ndarray:
    """[rows, inputs] or [members, rows, inputs] -> [members, rows, outputs]."""
    product: np.ndarray = np.matmul(a, layer.weight)
    product += layer.bias[:, None]
    return product


def to_numpy(ensemble: Ensemble) -> Ensemble:
    """The same networks with NumPy arrays, with which NumPy predicts.

    Args:
        ensemble: the networks.

    Returns:
        The networks.

    Example:
        >>> one = Members(Network((1, 1)), [Layer(jnp.zeros((1, 1)), jnp.zeros(1))])
        >>> type(to_numpy((one,))[0].params[0].bias).__name__
        'ndarray'
    """
    converted: Ensemble = jax.tree.map(np.asarray, ensemble)
    return converted


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
        >>> one = Members(Network((1, 1)), [Layer(np.zeros((1, 1)), np.zeros(1))])
        >>> predict_rows((one,), np.ones((3, 1))).mean.tolist()
        [0.5, 0.5, 0.5]
    """
    task = ensemble[0].network.task
    batches = _logits_in_batches(ensemble, x, batch_sizes)
    return concatenate([predict_from_logits(z, task, temperature) for z in batches])


def logits_of_rows(ensemble: Ensemble, x: Float[np.ndarray, "rows inputs"]) -> Float[np.ndarray, "members rows *rest"]:
    """`member_logits` for any number of rows, in batches of few sizes.

    Args:
        ensemble: the networks.
        x: [rows, inputs], at least one row.

    Returns:
        [members, rows] or [members, rows, outputs], a NumPy array.

    Example:
        >>> one = Members(Network((1, 1)), [Layer(np.ones((1, 1)), np.zeros(1))])
        >>> logits_of_rows((one,), np.array([[2.0], [3.0]])).tolist()
        [[2.0, 3.0]]
    """
    return np.concatenate(list(_logits_in_batches(ensemble, x, BATCH_SIZES)), axis=1)


def _logits_in_batches(ensemble: Ensemble, x: np.ndarray, batch_sizes: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the logits of every member, [members, rows of the batch, …]."""
    for batch, count in padded_batches(x, batch_sizes):
        yield np.asarray(_compiled_member_logits(ensemble, batch))[:, :count]


_compiled_member_logits = jax.jit(member_logits)
