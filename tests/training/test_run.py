"""Training runs: resuming one to the same bits."""

import re
from typing import Any

import jax
import numpy as np
import pytest

from model import Table, fit, train
from tests.examples import same_bits
from tests.training.examples import EARLY_STOPPING, KEY, NOISY_TABLE, TANH_NETWORK, XOR

pytestmark = pytest.mark.core

# For each run the table, the options, and how many epochs are done before it is resumed.
RUNS: dict[str, tuple[Table, dict[str, Any], int]] = {
    "adam in minibatches": (NOISY_TABLE, EARLY_STOPPING | {"epochs": 25, "patience": 30, "schedule": "cosine"}, 13),
    "sgd with two chunks of restarts": (
        XOR,
        {"epochs": 40, "restarts": 66, "log_every": 7, "schedule": "cosine"},
        17,
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_has_the_same_bits_as_one_that_was_not_stopped(name: str) -> None:
    table, options, epoch = RUNS[name]
    whole = fit(TANH_NETWORK, table, key=KEY, **options)
    snapshots = train(TANH_NETWORK, table, key=KEY, stretch_seconds=1e-9, **options)
    stopped = next(snapshot for snapshot in snapshots if snapshot.epoch == epoch)
    leaves = [np.array(leaf) for leaf in jax.tree.leaves(stopped.state)]
    *_, last = train(TANH_NETWORK, table, key=KEY, resume=(leaves, epoch), stretch_seconds=1e-9, **options)
    resumed = last.result()
    assert not same_bits(stopped.state[0].params, resumed.state[0].params)
    assert same_bits((resumed.state, resumed.params), (whole.state, whole.params))
    assert (resumed.epoch, resumed.loss, resumed.best) == (whole.epoch, whole.loss, whole.best)
    is_later = whole.history.epochs > epoch
    assert resumed.history.epochs.tolist() == whole.history.epochs[is_later].tolist()
    assert same_bits(resumed.history.losses, whole.history.losses[is_later])
    assert same_bits(resumed.history.validation, whole.history.validation[is_later])


@pytest.mark.parametrize(
    ("table", "options"),
    [
        (XOR, {"restarts": 1, "epochs": 2**62}),
        (NOISY_TABLE, EARLY_STOPPING | {"epochs": 9, "patience": 2**62}),
    ],
)
def test_a_run_takes_counts_that_the_device_cannot_hold(table: Table, options: dict[str, Any]) -> None:
    assert 0 < next(train(TANH_NETWORK, table, key=KEY, **options)).epoch < 2**31


def test_a_state_of_other_shapes_is_refused() -> None:
    def resume(leaves: list[Any], **options: Any) -> None:
        train(TANH_NETWORK, NOISY_TABLE, resume=(leaves, 1), key=KEY, **(EARLY_STOPPING | options))

    first = next(train(TANH_NETWORK, NOISY_TABLE, key=KEY, **EARLY_STOPPING))
    leaves = [np.array(leaf) for leaf in jax.tree.leaves(first.state)]
    half_precision = [leaves[0].astype(np.float16), *leaves[1:]]
    fewer_restarts = [leaf[:-1] for leaf in leaves]
    for wrong, found in (
        (leaves[:-1], ""),
        (half_precision, "[((5, 8, 3), dtype('float16'))"),
        (fewer_restarts, "[((4,"),
        ([], "[]"),
    ):
        message = rf"^the state must have the shapes \[\(\(5, 8, 3\), .*, not {re.escape(found)}"
        with pytest.raises(ValueError, match=message):
            resume(wrong)
    with pytest.raises(ValueError, match="the state must have the shapes"):
        resume(leaves, optimizer="sgd")


def test_a_run_that_has_done_all_its_epochs_is_not_resumed() -> None:
    with pytest.raises(ValueError, match=r"^epochs must be more than the 60 that are done, not 60$"):
        train(TANH_NETWORK, NOISY_TABLE, resume=([], EARLY_STOPPING["epochs"]), key=KEY, **EARLY_STOPPING)
