"""One update by a batch of rows, which all programs for minibatches share."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Float, Int, Key

from model.arrays import Array
from model.ensembles import bin_inputs
from model.network import Network, loss
from model.training.masking import mask
from model.training.mesh import DATA, mean_over_rows
from model.training.optimizers import apply_schedule, decay_weights
from model.training.state import Best
from model.training.validation_split import Rows


class MinibatchSettings(NamedTuple):
    """What a training program is compiled for.

    Attributes:
        network: the description of the network.
        optimizer: of Optax.
        schedule: of the learning rate: constant or cosine.
        batch_size: rows in a step, from 1 to the rows that are learned from.
        mesh: the devices of a lane; None for a single one.
    """

    network: Network
    optimizer: optax.GradientTransformation
    schedule: str
    batch_size: int
    mesh: Mesh | None = None


class Batch(NamedTuple):
    """The rows of a step, as `loss` takes them.

    Attributes:
        x: [rows, inputs].
        y: [rows].
        weights: [rows], or None.
    """

    x: Array
    y: Array
    weights: Array | None


def own_rows(
    order: Int[Array, " order"],
    first: Int[Array, ""],
    settings: MinibatchSettings,
    limit: Int[Array, ""] | None = None,
) -> tuple[jax.Array, jax.Array | None]:
    """The rows of a batch that this device computes.

    Args:
        order: the rows to learn from.
        first: at which place of the order the batch begins.
        settings: of which the size of a batch and the mesh count.
        limit: how many rows of the batch count, from 1; None for all.

    Returns:
        The indices of the rows, and what their losses are multiplied by; None for 1. With these factors, the mean over
        the devices of the means over their rows is the mean over the rows that count.
    """
    size, devices = settings.batch_size, 1 if settings.mesh is None else settings.mesh.shape[DATA]
    if devices == 1 and limit is None:
        return jax.lax.dynamic_slice(order, (first,), (size,)), None
    own = -(-size // devices)
    places = (jax.lax.axis_index(DATA) * own if devices > 1 else 0) + jnp.arange(own)
    counted = size if limit is None else limit
    factors = jnp.where(places < counted, own * devices / counted, 0.0)
    return order[first + jnp.minimum(places, size - 1)], factors


def batch_of_rows(
    rows: Rows,
    indices: Int[Array, " batch"],
    factors: Float[Array, " batch"] | None,
    fold: Int[Array, ""],
    key: Key[Array, ""],
) -> Batch:
    """The rows of a batch of a fold.

    Args:
        rows: of which some are taken.
        indices: of these.
        factors: what their losses are multiplied by besides; None for 1.
        fold: the fold whose weights they have.
        key: of the epoch, which decides which values are hidden.

    Returns:
        The batch, as the network sees it.
    """
    x = rows.x[indices]
    if rows.masking is not None:
        x = mask(x, rows.masking, indices, jax.random.bits(key))
    weights = None if rows.weights is None else rows.weights[fold, indices]
    if factors is not None:
        weights = factors if weights is None else factors * weights
    return Batch(bin_inputs(x, rows.bins), rows.y[indices], weights)


def update_by_batch(
    carry: Any, batch: Batch, progress: jax.Array, settings: MinibatchSettings, decay: Float[Array, ""]
) -> Any:
    """One update.

    Args:
        carry: params, opt_state, and the sum of the batches' losses.
        batch: the rows.
        progress: the share of training that is done, from 0 to 1.
        settings: what the program is compiled for.
        decay: the share of itself by which each weight shrinks.

    Returns:
        The carry after it.
    """
    params, opt_state, total = carry
    optimizer = optax.with_extra_args_support(settings.optimizer)  # type: ignore[attr-defined]
    value_fn = partial(loss, **batch._asdict(), network=settings.network)
    value, grads = mean_over_rows(jax.value_and_grad(value_fn)(params), settings.mesh)
    updates: Any
    updates, opt_state = optimizer.update(grads, opt_state, params, value=value, grad=grads, value_fn=value_fn)
    updates = apply_schedule(decay_weights(updates, params, decay), settings.schedule, progress)
    return optax.apply_updates(params, updates), opt_state, total + value


def better_of(best: Best, now: Best) -> Best:
    """Where the validation loss is smaller.

    Args:
        best: where it was smallest so far.
        now: where training stands.

    Returns:
        One of them; the first if both losses are the same, or if the second is not a number.
    """
    is_better = now.loss < best.loss
    better: Best = jax.tree.map(lambda new, old: jnp.where(is_better, new, old), now, best)
    return better
