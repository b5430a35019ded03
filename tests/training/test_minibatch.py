"""Training in minibatches against a loop in NumPy, early stopping, and ensembles."""

from typing import Any

import jax
import numpy as np
import pytest

from model import Hyperparameters, Network, Result, fit, init_params, loss, predict, train, truth_table
from model.training.run import SHUFFLE_KEY, SPLIT_KEY
from model.training.shuffle import shuffle
from model.training.validation_split import hold_out
from tests.examples import same_bits
from tests.training.examples import EARLY_STOPPING, KEY, NOISY_TABLE, TANH_NETWORK

pytestmark = pytest.mark.core

PATIENCE, RESTARTS = EARLY_STOPPING["patience"], EARLY_STOPPING["restarts"]

compiled_gradient = jax.jit(jax.grad(loss))
compiled_loss = jax.jit(loss)


def train_by_hand(h: Hyperparameters, restart: int) -> tuple[list[np.ndarray], list[float], list[float]]:
    """Train one restart in NumPy, with parameters in float64 and gradients in float32.

    Returns the leaves of its parameters, and the training and the validation loss of each epoch.
    """
    table = NOISY_TABLE
    learn, held_out = hold_out(table, h.validation, key=jax.random.fold_in(KEY, SPLIT_KEY))
    weights = np.ones(len(table.y), np.float32)
    if h.class_weights:
        for label in (0, 1):
            weights[table.y == label] = len(learn) / (2 * (table.y[learn] == label).sum())
    params = init_params(TANH_NETWORK, key=jax.random.fold_in(KEY, restart), init=h.init)
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(params)]

    def current_params() -> Any:
        return jax.tree.unflatten(jax.tree.structure(params), [leaf.astype(np.float32) for leaf in leaves])

    batch_size = h.batch_size or len(learn)
    steps = -(-len(learn) // batch_size)
    velocities = [np.zeros_like(leaf) for leaf in leaves]
    training, validation = [], []
    for epoch in range(h.epochs):
        shuffle_key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(KEY, SHUFFLE_KEY), restart), epoch)
        order = np.asarray(shuffle(learn.astype(np.int32), len(learn), key=shuffle_key))
        losses = []
        for step in range(steps):
            first = min(step * batch_size, len(learn) - batch_size)
            rows = order[first : first + batch_size]
            arguments = (current_params(), table.x[rows], table.y[rows], TANH_NETWORK, weights[rows])
            losses.append(float(compiled_loss(*arguments)))
            grads = [np.asarray(grad, np.float64) for grad in jax.tree.leaves(compiled_gradient(*arguments))]
            norm = np.sqrt(sum((grad**2).sum() for grad in grads))
            clip_factor = min(1.0, h.clip / norm) if h.clip else 1.0
            progress = (epoch + step / steps) / h.epochs
            rate = h.learning_rate * (np.cos(np.pi * progress / 2) ** 2 if h.schedule == "cosine" else 1.0)
            momentum = 0.9 if h.optimizer == "momentum" else 0.0
            weight_decay = h.weight_decay[restart % len(h.weight_decay)]
            for index, grad in enumerate(grads):
                decay = weight_decay * leaves[index] if leaves[index].ndim == 2 else 0.0
                velocities[index] = clip_factor * grad + momentum * velocities[index]
                leaves[index] = leaves[index] - rate * (velocities[index] + decay)
        training.append(float(np.mean(losses)))
        if len(held_out):
            arguments = (current_params(), table.x[held_out], table.y[held_out], TANH_NETWORK, weights[held_out])
            validation.append(float(compiled_loss(*arguments)))
    return leaves, training, validation


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 7, "validation": 0.25, "class_weights": True, "patience": 99},
        {
            "batch_size": 16,
            "schedule": "cosine",
            "weight_decay": (0.3, 1.5),
            "clip": 0.05,
            "optimizer": "momentum",
            "validation": 0.0,
        },
    ],
    ids=["class weights", "all other options"],
)
def test_training_in_minibatches_is_a_loop_in_numpy_over_the_same_rows(changes: dict[str, Any]) -> None:
    options = {"epochs": 3, "restarts": 2, "optimizer": "sgd", "learning_rate": 0.3, "log_every": 1}
    options |= {"weight_decay": (0.0,), "clip": 0.0, "ensemble": 2, "encodings": ("numbers",), "init": "he"}
    options |= {"schedule": "constant"} | changes
    result = fit(TANH_NETWORK, NOISY_TABLE, key=KEY, **options)
    for restart in range(2):
        leaves, training, validation = train_by_hand(Hyperparameters(**options), restart)
        np.testing.assert_allclose(result.history.losses[:, restart], training, rtol=1e-5)
        if validation:
            np.testing.assert_allclose(result.history.validation[:, restart], validation, rtol=1e-5)
        else:
            assert np.isnan(result.history.validation).all()
        for found, expected in zip(jax.tree.leaves(result.state[0].params), leaves, strict=True):
            np.testing.assert_allclose(found[restart][: len(expected)], expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def early_stopped() -> Result:
    """A run in which some restarts end early."""
    return fit(TANH_NETWORK, NOISY_TABLE, key=KEY, **EARLY_STOPPING)


def test_a_restart_ends_when_its_validation_loss_has_not_fallen_for_so_many_epochs(early_stopped: Result) -> None:
    validation = early_stopped.history.validation
    ends = []
    for restart in range(RESTARTS):
        smallest, waited, end = np.inf, 0, len(validation)
        for epoch, validation_loss in enumerate(validation[:, restart]):
            if waited == PATIENCE:
                end = epoch
                break
            smallest, waited = (validation_loss, 0) if validation_loss < smallest else (smallest, waited + 1)
        ends.append(end)
        assert np.isfinite(validation[:end, restart]).all()
        assert np.isnan(validation[end:, restart]).all()
        assert np.isnan(early_stopped.history.losses[end:, restart]).all()
    assert len(set(ends)) > 2
    assert early_stopped.epoch == len(validation) == max(ends) < EARLY_STOPPING["epochs"]


def test_an_ensemble_has_the_parameters_of_the_smallest_validation_losses_in_order(early_stopped: Result) -> None:
    validation = early_stopped.history.validation
    smallest = np.nanmin(validation, axis=0)
    assert early_stopped.losses.tolist() == smallest.tolist()
    assert early_stopped.state[0].best is not None
    assert early_stopped.state[0].best.epoch.tolist() == (np.nanargmin(validation, axis=0) + 1).tolist()
    assert (early_stopped.loss, early_stopped.best) == (smallest.min(), int(smallest.argmin()))
    x, y = NOISY_TABLE.x[early_stopped.held_out], NOISY_TABLE.y[early_stopped.held_out]
    members = [jax.tree.map(lambda leaf, index=index: leaf[index], early_stopped.params) for index in range(3)]
    assert jax.tree.leaves(early_stopped.params)[0].shape[0] == 3
    losses = [float(compiled_loss(member, x, y, TANH_NETWORK)) for member in members]
    np.testing.assert_allclose(losses, sorted(smallest)[:3], rtol=1e-5)
    assert len(set(smallest)) == RESTARTS


def test_a_single_network_is_the_best_member_of_the_ensemble(early_stopped: Result) -> None:
    single = fit(TANH_NETWORK, NOISY_TABLE, key=KEY, **(EARLY_STOPPING | {"ensemble": 1}))
    assert same_bits(single.params, jax.tree.map(lambda leaf: leaf[0], early_stopped.params))


def test_a_restart_that_has_ended_no_longer_changes(early_stopped: Result) -> None:
    """The stretches are as short as they can be, and the result has the same bits."""
    last_epochs = np.isfinite(early_stopped.history.validation).sum(axis=0)
    final_states: dict[int, Any] = {}
    snapshots = list(train(TANH_NETWORK, NOISY_TABLE, key=KEY, stretch_seconds=1e-9, **EARLY_STOPPING))
    assert len(snapshots) == early_stopped.epoch
    for snapshot in snapshots:
        for restart in np.flatnonzero(last_epochs <= snapshot.epoch):
            state = jax.tree.map(lambda leaf, restart=restart: np.array(leaf[restart]), snapshot.state)
            assert same_bits(final_states.setdefault(int(restart), state), state)
    assert len(final_states) >= 3
    result = snapshots[-1].result()
    assert same_bits((result.state, result.params), (early_stopped.state, early_stopped.params))
    assert same_bits(result.history.validation, early_stopped.history.validation)
    assert same_bits(result.history.losses, early_stopped.history.losses)
    assert result.temperature == early_stopped.temperature


def test_a_truth_table_can_be_learned_from_minibatches() -> None:
    table, network = truth_table("or"), Network((2, 2, 1), "tanh")
    result = fit(network, table, key=jax.random.key(0), epochs=300, restarts=3, batch_size=2, learning_rate=0.1)
    predictions = np.asarray(predict(result.ensemble[0].member(0), table.x, network))
    assert np.array_equal(predictions > 0.5, table.y > 0.5)
    assert result.solved == 3
