"""Ensembles: the mean prediction of several networks, and how far they are apart (Lakshminarayanan et al., NeurIPS
2017, 2.4).

An ensemble is a tuple of `Members`. Networks of one description that see the inputs in the same way are one of them.
They see the numbers of the columns as they are, or the bins of the numbers: the piecewise-linear encoding of Gorishniy
et al. (NeurIPS 2022, 3.2). Bins lie between the edges of a column, quantiles of its values. The input of a bin is 0 for
values below it, 1 for values above it, and grows linearly inside.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Num

from model.arrays import Array
from model.network import Layer, Network, Params, forward_pass, logits
from model.tasks import TASKS


class Bins(NamedTuple):
    """How the inputs of a table become the inputs of a network: clip((x[source] - start) · rate, low, high).

    A bin has the source of its column, starts at its lower edge, has the rate 1 / width, and lies between 0 and 1. An
    input without bins is handed on: its start is 0, its rate is 1, and nothing limits it.

    Attributes:
        source: [inputs], which of the table's inputs each comes from.
        start: [inputs], what is subtracted.
        rate: [inputs], by what the difference is multiplied. An input with the rate 0 is always 0.
        low: [inputs], the smallest result.
        high: [inputs], the largest.
    """

    source: Int[Array, " inputs"]
    start: Float[Array, " inputs"]
    rate: Float[Array, " inputs"]
    low: Float[Array, " inputs"]
    high: Float[Array, " inputs"]


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

    def member(self, index: int) -> Params:
        """The params of one of the networks, counted from 0."""
        if not self.are_several:
            return self.params
        params = jax.device_get(self.params)  # an index on the device would be a program for each shape
        member: Params = jax.device_put([Layer(layer.weight[index], layer.bias[index]) for layer in params])
        return member


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


def bin_inputs(x: Float[Array, "rows inputs"], bins: Bins | None) -> Float[Array, "rows binned"]:
    """The inputs of a network that sees bins.

    Args:
        x: [rows, inputs], as `encode` gives them.
        bins: of the columns; None to hand on all inputs.

    Returns:
        [rows, binned]; a NumPy array if x is one.

    Example:
        >>> one = np.ones(2, np.float32)
        >>> bins = Bins(np.array([0, 0]), np.array([-1, 0], np.float32), one, 0 * one, one)
        >>> bin_inputs(np.array([[0.25], [-0.75]], np.float32), bins).tolist()
        [[1.0, 0.25], [0.25, 0.0]]
    """
    if bins is None:
        return x
    xp = np if isinstance(x, np.ndarray) and isinstance(bins.start, np.ndarray) else jnp
    _, start, rate, low, high = (values[None] for values in bins)
    binned: Array = xp.clip((x[:, bins.source] - start) * rate, low, high)
    return binned


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
