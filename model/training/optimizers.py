"""Optimizers and schedules by name, made of Optax's parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float

from model.arrays import Array
from model.hyperparameters import Hyperparameters
from model.network import Layer, Params

MOMENTUM = 0.9

# The factor of the learning rate, from the share of training that is done, 0 to 1.
SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "constant": optax.constant_schedule(1.0),
    "cosine": optax.cosine_decay_schedule(1.0, decay_steps=1),
}


def make_optimizer(hyperparameters: Hyperparameters) -> optax.GradientTransformation:
    """The optimizer that hyperparameters describe, without its schedule and its weight decay.

    Args:
        hyperparameters: of which optimizer, learning_rate, clip and uses_minibatches count.

    Returns:
        The optimizer. Equal hyperparameters give the same object, so that JAX finds the programs compiled with it.

    Example:
        >>> optimizer = make_optimizer(Hyperparameters(optimizer="adam"))
        >>> optimizer is make_optimizer(Hyperparameters(optimizer="adam", epochs=5))
        True
    """
    h = hyperparameters
    return _make_optimizer(h.optimizer, h.learning_rate, h.clip, h.uses_minibatches)


@cache
def optimizer_without_rate(name: str, clip: float = 0.0) -> optax.GradientTransformation:
    """An optimizer whose learning rate is the last leaf of its state, so that any rate needs the same program.

    Args:
        name: sgd, momentum or adam.
        clip: the largest norm of a gradient; 0 for none.

    Returns:
        The optimizer. Its `init` sets the learning rate to 0.

    Example:
        >>> import jax.numpy as jnp
        >>> optimizer = optimizer_without_rate("sgd")
        >>> *_, rate = optimizer.init(jnp.ones(1))
        >>> float(rate), float(optimizer.update(jnp.ones(1), (jnp.float32(0.5),))[0][0])
        (0.0, -0.5)
    """

    def init(params: Any) -> Any:
        return jnp.zeros((), jnp.float32)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return jax.tree.map(lambda update: -state * update, updates), state

    return optax.chain(*_clipping(clip), *_direction(name), optax.GradientTransformation(init, update))


def _clipping(clip: float) -> list[optax.GradientTransformation]:
    return [optax.clip_by_global_norm(clip)] if clip else []


def _direction(name: str) -> list[optax.GradientTransformation]:
    """What turns a gradient into the direction of a step."""
    return {"sgd": [], "momentum": [optax.trace(MOMENTUM)], "adam": [optax.scale_by_adam()]}[name]


@lru_cache(maxsize=1024)
def _make_optimizer(name: str, learning_rate: float, clip: float, flatten: bool) -> optax.GradientTransformation:
    optimizer = optax.chain(*_clipping(clip), *_direction(name), optax.scale(-learning_rate))
    # All parameters in one vector compile faster, and run as fast unless restarts have an axis of their own.
    return optax.flatten(optimizer) if flatten else optimizer


def decay_weights(updates: Params, params: Params, decay: float | Float[Array, ""]) -> Params:
    """The updates with weight decay (Loshchilov and Hutter, ICLR 2019, algorithm 2).

    Args:
        updates: what the optimizer adds to params.
        params: the parameters.
        decay: the share of itself, from 0, by which each weight shrinks. Biases do not shrink.

    Returns:
        The updates, of the shapes of params.

    Example:
        >>> import jax.numpy as jnp
        >>> ones = [Layer(jnp.ones((1, 1)), jnp.ones(1))]
        >>> [leaf.tolist() for leaf in decay_weights(ones, ones, 0.25)[0]]
        [[[0.75]], [1.0]]
    """
    pairs = zip(updates, params, strict=True)
    return [Layer(update.weight - decay * layer.weight, update.bias) for update, layer in pairs]


def apply_schedule(updates: Any, schedule: str, progress: float | jax.Array) -> Any:
    """The updates times the schedule's factor: 1, or (1 + cos(π progress)) / 2.

    Args:
        updates: a pytree of arrays.
        schedule: constant or cosine.
        progress: the share of training that is done, from 0 to 1.

    Returns:
        The updates, of the same shapes.

    Example:
        >>> import jax.numpy as jnp
        >>> float(apply_schedule(jnp.ones(()), "cosine", 1.0)), float(apply_schedule(jnp.ones(()), "constant", 0.5))
        (0.0, 1.0)
    """
    if schedule == "constant":  # a factor of 1 would only make the loop's body larger
        return updates
    factor = SCHEDULES[schedule](progress)
    return jax.tree.map(lambda update: update * factor, updates)
