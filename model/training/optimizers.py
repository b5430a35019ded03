"""Optimizers by name, of Optax's parts."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float

from model.hyperparameters import Hyperparameters
from model.network import Layer, Params
from model.tasks import Array


def make_optimizer(hyperparameters: Hyperparameters) -> optax.GradientTransformation:
    """The optimizer that the hyperparameters describe, but for its schedule and its weight decay.

    The same ones give the same object, so that programs compiled with it are found again.

    >>> optimizer = make_optimizer(Hyperparameters(optimizer="adam"))
    >>> optimizer is make_optimizer(Hyperparameters(optimizer="adam", epochs=5))
    True
    """
    h = hyperparameters
    return _make_optimizer(h.optimizer, h.learning_rate, h.clip, h.by_batches)


@cache
def _make_optimizer(name: str, learning_rate: float, clip: float, by_batches: bool) -> optax.GradientTransformation:
    parts = [optax.clip_by_global_norm(clip)] if clip else []
    parts += {"sgd": [], "momentum": [optax.trace(0.9)], "adam": [optax.scale_by_adam()]}[name]
    optimizer = optax.chain(*parts, optax.scale(-learning_rate))
    # All parameters as one vector are quicker to compile, and no slower unless restarts have an axis of their own.
    return optax.flatten(optimizer) if by_batches else optimizer


def decayed(updates: Params, params: Params, decay: float | Float[Array, ""]) -> Params:
    """The updates, and each weight a share `decay` of itself smaller; biases are not (Loshchilov and Hutter, ICLR 2019,
    algorithm 2).

    >>> ones = [Layer(jnp.ones((1, 1)), jnp.ones(1))]
    >>> [leaf.tolist() for leaf in decayed(ones, ones, 0.25)[0]]
    [[[0.75]], [1.0]]
    """
    pairs = zip(updates, params, strict=True)
    return [Layer(update.weight - decay * layer.weight, update.bias) for update, layer in pairs]


def scheduled(updates: Any, schedule: str, progress: float | jax.Array) -> Any:
    """The updates times the schedule's factor: 1, or (1 + cos(π progress)) / 2.

    progress: the share of all steps that are done, from 0 to 1.

    >>> float(scheduled(jnp.ones(()), "cosine", 1.0)), float(scheduled(jnp.ones(()), "constant", 0.5))
    (0.0, 1.0)
    """
    if schedule == "constant":
        return updates
    factor = (1 + jnp.cos(jnp.pi * progress)) / 2
    return jax.tree.map(lambda update: update * factor, updates)
