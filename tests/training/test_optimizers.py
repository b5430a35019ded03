"""Optimizers, schedules and weight decay, against Optax's own and by hand."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from model import Hyperparameters, Layer
from model.training.optimizers import apply_schedule, decay_weights, make_optimizer

PARAMS = [Layer(jnp.array([[2.0], [-3.0]]), jnp.array([5.0]))]
# The norm of this gradient is 5.
GRADS = [Layer(jnp.array([[3.0], [0.0]]), jnp.array([4.0]))]
HYPERPARAMETERS = Hyperparameters(optimizer="adam", learning_rate=0.1)


def updates_of(optimizer: optax.GradientTransformation, steps: int = 1) -> list[float]:
    """The numbers that the optimizer adds to PARAMS in the last of some steps with GRADS."""
    opt_state, updates = optimizer.init(PARAMS), GRADS
    for _ in range(steps):
        updates, opt_state = optimizer.update(GRADS, opt_state, PARAMS)
    return [*updates[0].weight.ravel().tolist(), *updates[0].bias.tolist()]


@pytest.mark.parametrize("flattened", [False, True])
@pytest.mark.parametrize(
    ("name", "expected"),
    [("sgd", optax.sgd(0.1)), ("momentum", optax.sgd(0.1, momentum=0.9)), ("adam", optax.adam(0.1))],
)
def test_an_optimizer_by_name_is_that_of_optax(
    name: str, expected: optax.GradientTransformation, flattened: bool
) -> None:
    options: dict[str, Any] = {"batch_size": 2} if flattened else {}
    optimizer = make_optimizer(Hyperparameters(optimizer=name, learning_rate=0.1, **options))
    assert updates_of(optimizer, steps=3) == pytest.approx(updates_of(expected, steps=3), rel=1e-6)


def test_equal_hyperparameters_share_one_optimizer() -> None:
    assert make_optimizer(HYPERPARAMETERS) is make_optimizer(Hyperparameters(optimizer="adam", learning_rate=0.1))
    assert make_optimizer(HYPERPARAMETERS) is not make_optimizer(Hyperparameters(optimizer="adam", learning_rate=0.2))


def test_a_long_gradient_is_clipped_and_a_short_one_is_not() -> None:
    clipped = make_optimizer(Hyperparameters(learning_rate=1.0, clip=1.0))
    assert updates_of(clipped) == pytest.approx([-0.6, 0.0, -0.8])
    assert updates_of(make_optimizer(Hyperparameters(learning_rate=1.0, clip=5.5))) == [-3.0, 0.0, -4.0]


def test_weights_decay_and_biases_do_not() -> None:
    [(weight, bias)] = decay_weights(GRADS, PARAMS, 0.1)
    np.testing.assert_allclose(weight, [[3.0 - 0.2], [0.3]], rtol=1e-6)
    assert bias.tolist() == [4.0]


def test_the_cosine_schedule_is_that_of_optax() -> None:
    factor = optax.schedules.cosine_decay_schedule(1.0, 40)
    updates = {"w": jnp.array([2.0, -4.0])}
    for step in range(0, 41, 8):
        scheduled = apply_schedule(updates, "cosine", step / 40)["w"]
        np.testing.assert_allclose(scheduled, np.array([2.0, -4.0]) * float(factor(step)), rtol=1e-5, atol=1e-6)


def test_the_constant_schedule_returns_the_same_updates() -> None:
    updates = {"w": jnp.array([2.0, -4.0])}
    assert apply_schedule(updates, "constant", 0.5) is updates
