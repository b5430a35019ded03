"""Snapshots of training, its result, and the checkpoint of a result."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from model import Network, fit, load, make_checkpoint, save, train, truth_table
from tests.conftest import Nudge

NETWORK, XOR, KEY = Network((2, 2, 1)), truth_table("xor"), jax.random.key(0)


def test_each_snapshot_of_training_keeps_its_own_state() -> None:
    snapshots = list(train(NETWORK, XOR, key=KEY, epochs=3_000, restarts=4, stretch_seconds=1e-4))
    assert len(snapshots) > 3
    assert [each.epoch for each in snapshots] == sorted({each.epoch for each in snapshots})
    assert [len(each.records) for each in snapshots] == list(range(1, len(snapshots) + 1))
    first, last = snapshots[0], snapshots[-1]
    assert not np.array_equal(first.state.params[0].weight, last.state.params[0].weight)
    again = fit(NETWORK, XOR, key=KEY, epochs=first.epoch, restarts=4)
    np.testing.assert_array_equal(first.state.params[0].weight, again.state.params[0].weight)
    assert first.result().epoch == first.epoch < last.result().epoch


def test_a_snapshot_cannot_be_changed() -> None:
    snapshot = next(train(NETWORK, XOR, key=KEY, epochs=100, restarts=1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.epoch = 7  # type: ignore[misc]


def test_a_checkpoint_that_is_made_in_python_is_the_one_that_the_command_writes(nudge: Nudge, tmp_path: Path) -> None:
    assert nudge("train", "xor", "--epochs", "500", "--restarts", "3", "--out", "command.safetensors").returncode == 0
    result = fit(NETWORK, XOR, key=KEY, epochs=500, restarts=3)
    save(tmp_path / "python.safetensors", make_checkpoint(result, XOR, table_name="xor", seed=0))
    by_command, by_python = load(tmp_path / "command.safetensors"), load(tmp_path / "python.safetensors")
    assert by_python.training == by_command.training
    np.testing.assert_allclose(by_python.params[0].weight, by_command.params[0].weight, rtol=1e-4)
