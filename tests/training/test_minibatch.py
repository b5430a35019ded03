"""Training by batches against NumPy's loop over the same rows, early stopping, ensembles, and resuming to the bit."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from model import Hyperparameters, Layer, Network, fit, init_params, loss, table_from_arrays, train, truth_table
from model.training.optimizers import apply_schedule, decay_weights, make_optimizer
from model.training.run import SHUFFLE_KEY, SPLIT_KEY
from model.training.shuffle import shuffle
from model.training.validation_split import hold_out

pytestmark = pytest.mark.core

NETWORK = Network((2, 3, 1), "tanh")
XOR = truth_table("xor")
KEY = jax.random.key(0)


def noisy_table() -> Any:
    """48 rows of which one class is rarer, and the target is partly noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(48, 2))
    return table_from_arrays(x, (x.sum(axis=1) + rng.normal(size=48) > 1).astype(int), ("no", "yes"))


TABLE = noisy_table()
# Few options, so that few programs compile.
STOPPING: dict[str, Any] = {
    "epochs": 60,
    "restarts": 5,
    "ensemble": 3,
    "optimizer": "adam",
    "learning_rate": 0.03,
    "weight_decay": (0.0,),
    "clip": 0.0,
    "batch_size": 7,
    "validation": 0.25,
    "patience": 6,
    "log_every": 1,
}

gradient = jax.jit(jax.grad(loss))
value = jax.jit(loss)


def same_bits(a: Any, b: Any) -> bool:
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in leaves)


def sgd_by_hand(h: Hyperparameters, restart: int) -> tuple[list[np.ndarray], list[float], list[float]]:
    """The parameters after h.epochs of batches, in float64 but for the gradients, and the losses of each epoch."""
    learn, held = hold_out(TABLE, h.validation, key=jax.random.fold_in(KEY, SPLIT_KEY))
    weights = np.ones(len(TABLE.y), np.float32)
    if h.class_weights:
        for each in (0, 1):
            weights[TABLE.y == each] = len(learn) / (2 * (TABLE.y[learn] == each).sum())
    params = init_params(NETWORK, key=jax.random.fold_in(KEY, restart), init=h.init)
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(params)]

    def tree() -> Any:
        return jax.tree.unflatten(jax.tree.structure(params), [leaf.astype(np.float32) for leaf in leaves])

    batch = h.batch_size or len(learn)
    steps = -(-len(learn) // batch)
    velocities = [np.zeros_like(leaf) for leaf in leaves]
    training, validation = [], []
    for epoch in range(h.epochs):
        shuffle_key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(KEY, SHUFFLE_KEY), restart), epoch)
        order = np.asarray(shuffle(learn.astype(np.int32), len(learn), key=shuffle_key))
        losses = []
        for step in range(steps):
            first = min(step * batch, len(learn) - batch)
            rows = order[first : first + batch]
            args = (tree(), TABLE.x[rows], TABLE.y[rows], NETWORK, weights[rows])
            losses.append(float(value(*args)))
            grads = [np.asarray(grad, np.float64) for grad in jax.tree.leaves(gradient(*args))]
            norm = np.sqrt(sum((grad**2).sum() for grad in grads))
            shrink = min(1.0, h.clip / norm) if h.clip else 1.0
            share = (epoch + step / steps) / h.epochs
            rate = h.learning_rate * (np.cos(np.pi * share / 2) ** 2 if h.schedule == "cosine" else 1.0)
            for index, grad in enumerate(grads):
                decay = (
                    h.weight_decay[restart % len(h.weight_decay)] * leaves[index] if leaves[index].ndim == 2 else 0.0
                )
                velocities[index] = shrink * grad + (0.9 * velocities[index] if h.optimizer == "momentum" else 0.0)
                leaves[index] = leaves[index] - rate * (velocities[index] + decay)
        training.append(float(np.mean(losses)))
        if len(held):
            validation.append(float(value(tree(), TABLE.x[held], TABLE.y[held], NETWORK, weights[held])))
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
    ids=["class weights", "all else"],
)
def test_training_by_batches_is_numpys_loop_over_the_same_rows(changes: dict[str, Any]) -> None:
    plain = {"epochs": 3, "restarts": 2, "optimizer": "sgd", "learning_rate": 0.3, "log_every": 1}
    plain |= {"weight_decay": (0.0,), "clip": 0.0, "ensemble": 2, "init": "he"}
    result = fit(NETWORK, TABLE, key=KEY, **(plain | changes))
    for restart in range(2):
        leaves, training, validation = sgd_by_hand(Hyperparameters(**(plain | changes)), restart)
        np.testing.assert_allclose(result.history.losses[:, restart], training, rtol=1e-5)
        if validation:
            np.testing.assert_allclose(result.history.validation[:, restart], validation, rtol=1e-5)
        else:
            assert np.isnan(result.history.validation).all()
        for found, wanted in zip(jax.tree.leaves(result.state.params), leaves, strict=True):
            np.testing.assert_allclose(found[restart], wanted, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def stopped() -> Any:
    """A run of which some starts end early."""
    return fit(NETWORK, TABLE, key=KEY, **STOPPING)


def test_a_start_ends_when_its_validation_loss_has_not_fallen_for_so_many_epochs(stopped: Any) -> None:
    validation = stopped.history.validation
    ends = []
    for restart in range(5):
        best, waited, end = np.inf, 0, len(validation)
        for epoch, found in enumerate(validation[:, restart]):
            if waited == 6:
                end = epoch
                break
            best, waited = (found, 0) if found < best else (best, waited + 1)
        ends.append(end)
        assert np.isfinite(validation[:end, restart]).all()
        assert np.isnan(validation[end:, restart]).all()
        assert np.isnan(stopped.history.losses[end:, restart]).all()
    assert len(set(ends)) > 2
    assert stopped.epoch == len(validation) == max(ends) < 60


def test_the_parameters_kept_are_those_of_the_smallest_validation_losses_the_best_first(stopped: Any) -> None:
    smallest = np.nanmin(stopped.history.validation, axis=0)
    assert stopped.losses.tolist() == smallest.tolist()
    assert stopped.state.best.epoch.tolist() == (np.nanargmin(stopped.history.validation, axis=0) + 1).tolist()
    assert (stopped.loss, stopped.best) == (smallest.min(), int(smallest.argmin()))
    x, y = TABLE.x[stopped.held_out], TABLE.y[stopped.held_out]
    members = [jax.tree.map(lambda leaf, member=member: leaf[member], stopped.params) for member in range(3)]
    assert jax.tree.leaves(stopped.params)[0].shape[0] == 3
    found = [float(value(member, x, y, NETWORK)) for member in members]
    np.testing.assert_allclose(found, sorted(smallest)[:3], rtol=1e-5)
    assert len(set(smallest)) == 5


def test_a_single_network_is_the_best_of_the_ensemble(stopped: Any) -> None:
    one = fit(NETWORK, TABLE, key=KEY, **(STOPPING | {"ensemble": 1}))
    assert same_bits(one.params, jax.tree.map(lambda leaf: leaf[0], stopped.params))


def test_a_start_that_has_ended_no_longer_changes_and_stretches_change_nothing(stopped: Any) -> None:
    last_epochs = np.isfinite(stopped.history.validation).sum(axis=0)
    seen: dict[int, Any] = {}
    stretches = 0
    for progress in train(NETWORK, TABLE, key=KEY, stretch_seconds=1e-9, **STOPPING):
        stretches += 1
        for restart in np.flatnonzero(last_epochs <= progress.epoch):
            now = jax.tree.map(lambda leaf, restart=restart: np.array(leaf[restart]), progress.state)
            assert same_bits(seen.setdefault(int(restart), now), now)
    assert stretches == stopped.epoch
    assert len(seen) >= 3
    again = progress.result()
    assert same_bits((again.state, again.params), (stopped.state, stopped.params))
    assert same_bits(again.history.validation, stopped.history.validation)
    assert same_bits(again.history.losses, stopped.history.losses)
    assert again.temperature == stopped.temperature


def test_the_cosine_schedule_is_optaxs() -> None:
    factor = optax.schedules.cosine_decay_schedule(1.0, 40)
    for step in range(0, 41, 8):
        updates = {"w": jnp.array([2.0, -4.0])}
        found = apply_schedule(updates, "cosine", step / 40)["w"]
        np.testing.assert_allclose(found, np.array([2.0, -4.0]) * float(factor(step)), rtol=1e-5, atol=1e-6)
        assert apply_schedule(updates, "constant", step / 40) is updates


def test_the_cosine_schedule_over_all_rows_is_the_same_by_hand() -> None:
    result = fit(NETWORK, XOR, key=KEY, epochs=10, restarts=1, learning_rate=0.5, schedule="cosine", log_every=4)
    params = init_params(NETWORK, key=jax.random.fold_in(KEY, 0))
    for epoch in range(10):
        rate = 0.25 * (1 + np.cos(np.pi * epoch / 10))
        grads = gradient(params, XOR.x, XOR.y, NETWORK)
        params = jax.tree.map(lambda p, g, rate=rate: np.asarray(p - np.float32(rate) * g), params, grads)
    for found, wanted in zip(jax.tree.leaves(result.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


PARAMS = [Layer(jnp.array([[2.0], [-3.0]]), jnp.array([5.0]))]
GRADS = [Layer(jnp.array([[3.0], [0.0]]), jnp.array([4.0]))]


def update(grads: Any, **options: Any) -> list[Any]:
    optimizer = make_optimizer(Hyperparameters(**options))
    [(weight, bias)] = optimizer.update(grads, optimizer.init(PARAMS), PARAMS)[0]
    return [weight.ravel().tolist(), bias.tolist()]


def test_weights_decay_and_biases_do_not() -> None:
    [(weight, bias)] = decay_weights(GRADS, PARAMS, 0.1)
    np.testing.assert_allclose(weight, [[3.0 - 0.2], [0.3]], rtol=1e-6)
    assert bias.tolist() == [4.0]


def test_a_long_gradient_is_clipped_and_a_short_one_is_not() -> None:
    weight, bias = update(GRADS, learning_rate=1.0, clip=1.0)
    assert weight == pytest.approx([-0.6, 0.0])
    assert bias == pytest.approx([-0.8])
    assert update(GRADS, learning_rate=1.0, clip=5.5) == [[-3.0, 0.0], [-4.0]]


# What two runs have in common, and how many epochs the first one does.
RUNS = {
    "adam by batches": (TABLE, STOPPING | {"epochs": 25, "patience": 30, "schedule": "cosine"}, 13),
    "sgd with restarts in two chunks": (XOR, {"epochs": 40, "restarts": 66, "log_every": 7, "schedule": "cosine"}, 17),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_has_the_same_bits_as_one_that_went_on(name: str) -> None:
    table, options, epoch = RUNS[name]
    options = {"key": KEY} | options
    whole = fit(NETWORK, table, **options)
    snapshots = train(NETWORK, table, stretch_seconds=1e-9, **options)
    first = next(progress for progress in snapshots if progress.epoch == epoch)
    leaves = [np.array(leaf) for leaf in jax.tree.leaves(first.state)]
    *_, last = train(NETWORK, table, resume=(leaves, epoch), stretch_seconds=1e-9, **options)
    rest = last.result()
    assert not same_bits(first.state.params, rest.state.params)
    assert same_bits((rest.state, rest.params), (whole.state, whole.params))
    assert (rest.epoch, rest.loss, rest.best) == (whole.epoch, whole.loss, whole.best)
    later = whole.history.epochs > epoch
    assert rest.history.epochs.tolist() == whole.history.epochs[later].tolist()
    assert same_bits(rest.history.losses, whole.history.losses[later])
    assert same_bits(rest.history.validation, whole.history.validation[later])


@pytest.mark.parametrize(("table", "options"), [(XOR, {"epochs": 2**62}), (TABLE, {"epochs": 9, "patience": 2**62})])
def test_numbers_beyond_those_of_the_device_will_do(table: Any, options: dict[str, Any]) -> None:
    options = (STOPPING if table is TABLE else {"restarts": 1}) | options
    assert 0 < next(train(NETWORK, table, key=KEY, **options)).epoch < 2**31


def test_a_state_that_does_not_fit_is_refused(stopped: Any) -> None:
    leaves = [np.array(leaf) for leaf in jax.tree.leaves(stopped.state)]
    half = [leaves[0].astype(np.float16), *leaves[1:]]
    shorter = [leaf[:-1] for leaf in leaves]
    for wrong, found in ((leaves[:-1], ""), (half, "[((5, 2, 3), dtype('float16'))"), (shorter, "[((4,"), ([], "[]")):
        message = rf"^the state must have the shapes \[\(\(5, 2, 3\), .*, not {re.escape(found)}"
        with pytest.raises(ValueError, match=message):
            train(NETWORK, TABLE, resume=(wrong, 1), key=KEY, **STOPPING)
    with pytest.raises(ValueError, match="the state must have the shapes"):
        train(NETWORK, TABLE, resume=(leaves, 1), key=KEY, **(STOPPING | {"optimizer": "sgd"}))
    with pytest.raises(ValueError, match=r"^epochs must be more than the \d+ that are done"):
        train(NETWORK, TABLE, resume=(leaves, STOPPING["epochs"]), key=KEY, **STOPPING)
