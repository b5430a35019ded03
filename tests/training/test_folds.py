"""Networks of two encodings, each with a fold of its own: what they hold out, predict and keep."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest
import scipy.optimize
import scipy.special

from model import Layer, Result, Table, fit, table_from_arrays, train
from model.ensembles import bin_inputs
from model.metrics import metrics
from model.network import Network, logits
from model.tables.bins import make_bins
from tests.examples import same_bits
from tests.training.examples import KEY

pytestmark = pytest.mark.core

FOLDS, RESTARTS = 3, 6
OPTIONS: dict[str, Any] = {"epochs": 12, "restarts": RESTARTS, "ensemble": RESTARTS, "folds": FOLDS, "batch_size": 16}


def noisy_table(task: str) -> Table:
    """90 rows whose target follows a step of the first column."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 2))
    step = 2.0 * (x[:, 0] > 0.3) + rng.normal(size=90) / 2
    return (
        table_from_arrays(x, step)
        if task == "regression"
        else table_from_arrays(x, (step > 1).astype(int), ("no", "yes"))
    )


@pytest.fixture(scope="module", params=["binary", "regression"])
def trained(request: pytest.FixtureRequest) -> tuple[Table, Network, Result]:
    table = noisy_table(request.param)
    network = Network((2, 4, 1), "tanh", request.param)
    return table, network, fit(network, table, key=KEY, **OPTIONS)


def logits_by_restart(table: Table, network: Network, result: Result) -> np.ndarray:
    """[restarts, rows], the logits of every restart for every row; first those that see numbers, then bins."""
    bins = make_bins(table.column_specs)
    assert bins is not None
    found = []
    for state, x in zip(result.state, (table.x, bin_inputs(table.x, bins)), strict=True):
        description = Network((x.shape[1], *network.sizes[1:]), network.activation, network.task)
        assert state.best is not None
        first, last = jax.device_get(state.best.params)
        for index in range(FOLDS):
            params = [
                Layer(first.weight[index, : x.shape[1]], first.bias[index]),
                Layer(*(leaf[index] for leaf in last)),
            ]
            found.append(np.asarray(logits(params, x, description), np.float64))
    return np.array(found)


def own_logits(table: Table, network: Network, result: Result) -> np.ndarray:
    """[rows, encodings that are kept], the logits of the networks that have not learned from the row."""
    z, folds = logits_by_restart(table, network, result), fold_of_rows(table, network, result)
    kept = [FOLDS * (members.bins is not None) for members in result.ensemble]
    return np.array([[z[first + fold, row] for first in kept] for row, fold in enumerate(folds)])


def fold_of_rows(table: Table, network: Network, result: Result) -> np.ndarray:
    """Which fold each row is in, from the validation losses: the only split that explains all of them."""
    z = logits_by_restart(table, network, result)
    y = np.asarray(table.y, np.float64)
    losses = (z - y) ** 2 if network.task == "regression" else np.logaddexp(0, z) - z * y
    folds = np.full(len(y), -1)
    for fold, held_out in enumerate(result_folds(table, network)):
        folds[held_out] = fold
        for restart in (fold, fold + FOLDS):
            assert result.losses[restart] == pytest.approx(losses[restart, held_out].mean(), rel=1e-4)
    return folds


def result_folds(table: Table, network: Network) -> list[np.ndarray]:
    progress = next(train(network, table, key=KEY, **OPTIONS))
    return [fold.held_out for fold in progress.run.folds]


def test_each_restart_validates_on_its_fold_and_every_row_is_held_out_once(
    trained: tuple[Table, Network, Result],
) -> None:
    folds = fold_of_rows(*trained)
    assert sorted(np.bincount(folds).tolist()) == [30, 30, 30]
    assert trained[2].held_out.tolist() == list(range(90))


def test_a_row_is_predicted_by_the_networks_that_have_not_learned_from_it(
    trained: tuple[Table, Network, Result],
) -> None:
    table, network, result = trained
    own = own_logits(table, network, result)
    expected = own if network.task == "regression" else scipy.special.expit(own / result.temperature)
    np.testing.assert_allclose(result.predictions, expected.mean(axis=1), rtol=1e-4, atol=1e-5)
    unscale = table.target_scaling.unscale
    predictions, y = (
        (unscale(result.predictions), unscale(table.y)) if not table.classes else (result.predictions, table.y)
    )
    assert result.metrics == pytest.approx(metrics(network.task, predictions, y), rel=1e-4)


def test_the_temperature_is_that_of_the_predictions_out_of_fold(trained: tuple[Table, Network, Result]) -> None:
    table, network, result = trained
    if network.task == "regression":
        assert result.temperature == 1.0
        return
    own = own_logits(table, network, result)

    def objective(log_temperature: float) -> float:
        mean = scipy.special.expit(own / np.exp(log_temperature)).mean(axis=1)
        return float(-np.log(np.where(table.y == 1, mean, 1 - mean)).sum() + log_temperature**2 / (2 * 0.2**2))

    expected = scipy.optimize.minimize_scalar(objective, bounds=(-2.5, 2.5), method="bounded").x
    assert np.log(result.temperature) == pytest.approx(expected, abs=0.02)


def test_one_encoding_is_kept_if_it_is_better_alone() -> None:
    """Whichever is kept, its loss out of fold is not larger than that of either encoding alone."""
    table = noisy_table("regression")
    network = Network((2, 4, 1), "tanh", "regression")
    results = [fit(network, table, key=jax.random.key(seed), **OPTIONS) for seed in range(4)]
    for result in results:
        squares = (table.y - result.predictions) ** 2
        kept = len(result.ensemble)
        alone = [fit_loss(table, network, result, part) for part in (0, 1)]
        assert float(squares.mean()) <= min(alone) * (1 + 1e-4)
        assert kept == 2 or float(squares.mean()) == pytest.approx(min(alone), rel=1e-4)


def fit_loss(table: Table, network: Network, result: Result, part: int) -> float:
    """The loss on the rows held out of the restarts of one encoding."""
    states = [state.best for state in result.state]
    assert states[part] is not None
    losses = np.asarray(jax.device_get(states[part].loss))
    return float(losses.mean())


def test_an_ensemble_keeps_the_best_of_each_encoding_and_fold() -> None:
    """All of these, or those of one encoding."""
    options = OPTIONS | {"restarts": 12, "ensemble": 6}
    result = fit(Network((2, 4, 1), "tanh"), noisy_table("binary"), key=KEY, **options)
    best: list[set[int]] = []
    for encoding in (0, 6):
        groups = [[encoding + fold, encoding + fold + FOLDS] for fold in range(FOLDS)]
        best.append({min(group, key=lambda restart: result.losses[restart]) for group in groups})
    kept: set[int] = set()
    for members in result.ensemble:
        state = result.state[int(members.bins is not None)].best
        assert state is not None
        weights = np.asarray(state.params[1].weight)
        same = [np.flatnonzero((weights == weight).all(axis=(1, 2))) for weight in np.asarray(members.params[1].weight)]
        kept |= {6 * (members.bins is not None) + int(restart) for (restart,) in same}
    assert kept in (best[0] | best[1], best[0], best[1])


def test_a_resumed_run_of_two_encodings_has_the_same_bits(trained: tuple[Table, Network, Result]) -> None:
    table, network, whole = trained
    snapshots = train(network, table, key=KEY, stretch_seconds=1e-9, **OPTIONS)
    stopped = next(snapshot for snapshot in snapshots if snapshot.epoch == 5)
    leaves = [np.array(leaf) for leaf in jax.tree.leaves(stopped.state)]
    *_, last = train(network, table, key=KEY, resume=(leaves, 5), **OPTIONS)
    resumed = last.result()
    assert same_bits((resumed.state, resumed.ensemble), (whole.state, whole.ensemble))
    assert same_bits(resumed.predictions, whole.predictions)


def test_restarts_of_the_two_encodings_start_from_different_params() -> None:
    table = noisy_table("binary")
    network = Network((2, 4, 1), "tanh")
    run = next(train(network, table, key=KEY, **OPTIONS)).run
    starts = [np.asarray(state.params[1].weight) for state in run.start()]
    weights = [each.tobytes() for start in starts for each in start]
    assert all(one != other for one, other in itertools.combinations(weights, 2))


def test_restarts_of_one_fold_have_different_weight_decays() -> None:
    """Strong decay makes weights small: with two rounds of three folds, each fold has a strong and a weak one."""
    options = OPTIONS | {"restarts": 12, "ensemble": 12, "epochs": 3, "weight_decay": (300.0, 0.0), "clip": 1.0}
    *_, progress = train(
        Network((2, 4, 1), "tanh"), noisy_table("binary"), key=KEY, **(options | {"learning_rate": 1e-3})
    )
    for state in progress.state:
        norms = np.linalg.norm(np.asarray(state.params[1].weight), axis=(1, 2))
        is_strong = norms < np.median(norms)
        assert is_strong.tolist() == [True, False, True, False, True, False]


def test_a_network_with_a_few_inputs_more_needs_no_other_program(compilations: list[str]) -> None:
    """So the folds of a cross-validation, which have other categories, compile once."""
    rng = np.random.default_rng(0)
    tables = [
        table_from_arrays(rng.integers(0, 2, (90, columns)) * 1.0, np.arange(90) % 2, ("no", "yes"))
        for columns in (9, 13, 16, 17)
    ]
    for table, expected in zip(tables, (True, False, False, True), strict=True):
        compilations.clear()
        fit(Network((table.x.shape[1], 5, 1)), table, key=KEY, **(OPTIONS | {"epochs": 1}))
        assert bool(compilations) == expected
