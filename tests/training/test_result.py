"""Snapshots of training, its result, and the checkpoint of a result."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from model import Network, Progress, fit, load, make_checkpoint, save, train, truth_table
from model.evaluation.labels import confusion_matrix
from model.evaluation.thresholds import choose_threshold
from model.metrics import baseline_metrics, metrics
from model.training.measuring import evenly_spaced
from tests.conftest import Nudge
from tests.examples import predictions_by_hand, same_bits
from tests.training.examples import EARLY_STOPPING, KEY, NOISY_TABLE, TANH_NETWORK

NETWORK, XOR = Network((2, 2, 1)), truth_table("xor")


@pytest.fixture(scope="module")
def snapshots() -> list[Progress]:
    """Every snapshot of a run with short stretches."""
    return list(train(NETWORK, XOR, key=KEY, epochs=3_000, restarts=4, stretch_seconds=1e-4))


def test_each_snapshot_keeps_its_own_epoch_losses_and_records(snapshots: list[Progress]) -> None:
    assert len(snapshots) > 3
    assert [each.epoch for each in snapshots] == sorted({each.epoch for each in snapshots})
    assert [len(each.records) for each in snapshots] == list(range(1, len(snapshots) + 1))
    first, last = snapshots[0], snapshots[-1]
    assert not np.array_equal(first.losses, last.losses)
    assert first.result().epoch == first.epoch < last.result().epoch == 3_000


def test_each_snapshot_keeps_its_own_state(snapshots: list[Progress]) -> None:
    weights = [np.asarray(each.state[0].params[0].weight).tobytes() for each in snapshots]
    assert len(set(weights)) == len(snapshots)
    shorter = fit(NETWORK, XOR, key=KEY, epochs=snapshots[0].epoch, restarts=4)
    assert weights[0] == np.asarray(shorter.state[0].params[0].weight).tobytes()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Progress)])
def test_a_snapshot_cannot_be_changed(snapshots: list[Progress], name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(snapshots[0], name, None)


def test_a_checkpoint_made_in_python_is_the_one_that_the_command_writes(nudge: Nudge, tmp_path: Path) -> None:
    assert nudge("train", "xor", "--epochs", "500", "--restarts", "3", "--out", "command.safetensors").returncode == 0
    result = fit(NETWORK, XOR, key=KEY, epochs=500, restarts=3)
    save(tmp_path / "python.safetensors", make_checkpoint(result, XOR, table_name="xor", seed=0))
    by_command, by_python = load(tmp_path / "command.safetensors"), load(tmp_path / "python.safetensors")
    assert by_python.training == by_command.training
    np.testing.assert_allclose(by_python.params[0].weight, by_command.params[0].weight, rtol=1e-4)


def test_the_metrics_and_the_baseline_are_those_of_the_rows_held_out() -> None:
    result = fit(TANH_NETWORK, NOISY_TABLE, key=KEY, **EARLY_STOPPING)
    x, y = NOISY_TABLE.x[result.held_out], NOISY_TABLE.y[result.held_out]
    mean = predictions_by_hand(result.params, x, TANH_NETWORK, result.temperature).mean(axis=0)
    assert result.metrics == pytest.approx(metrics("binary", mean, y), rel=1e-4)
    record = make_checkpoint(result, NOISY_TABLE, table_name="noisy.csv", seed=0).training
    assert record.metrics == result.metrics
    assert record.baseline == baseline_metrics("binary", np.delete(NOISY_TABLE.y, result.held_out), y, 2)
    assert (record.rows, record.held_out, record.table_digest) == (48, 12, NOISY_TABLE.digest)


def test_a_rule_chooses_the_threshold_on_the_rows_held_out_and_changes_no_training() -> None:
    plain = fit(TANH_NETWORK, NOISY_TABLE, key=KEY, **EARLY_STOPPING)
    tuned = fit(TANH_NETWORK, NOISY_TABLE, key=KEY, threshold="cost:1,9", **EARLY_STOPPING)
    assert same_bits(plain.params, tuned.params)
    x, y = NOISY_TABLE.x[tuned.held_out], NOISY_TABLE.y[tuned.held_out]
    mean = predictions_by_hand(tuned.params, x, TANH_NETWORK, tuned.temperature).mean(axis=0)
    assert tuned.threshold == pytest.approx(choose_threshold("cost:1,9", mean, y), rel=1e-4)
    assert plain.threshold == 0.5 != tuned.threshold
    labels = (mean >= tuned.threshold).astype(int)
    checkpoint = make_checkpoint(tuned, NOISY_TABLE, table_name="noisy.csv", seed=0)
    assert checkpoint.threshold == tuned.threshold
    assert checkpoint.training.threshold == "cost:1,9"
    assert checkpoint.training.confusion == confusion_matrix(labels, y.astype(int), 2)
    assert checkpoint.training.intervals["accuracy"][0] < tuned.metrics["accuracy"] == np.mean(labels == y)
    assert sum(each.rows for each in checkpoint.training.reliability) == len(y)


def test_metrics_count_rows_by_their_weights() -> None:
    weights = np.linspace(0.5, 2, len(NOISY_TABLE.y)).astype(np.float32)
    table = dataclasses.replace(NOISY_TABLE, weights=weights)
    result = fit(TANH_NETWORK, table, key=KEY, **EARLY_STOPPING)
    x, y, counted = (each[result.held_out] for each in (table.x, table.y, weights))
    mean = predictions_by_hand(result.params, x, TANH_NETWORK, result.temperature).mean(axis=0)
    assert result.metrics == pytest.approx(metrics("binary", mean, y, counted.astype(float)), rel=1e-4)
    record = make_checkpoint(result, table, table_name="noisy.csv", seed=0).training
    learned, others = (np.delete(each, result.held_out) for each in (table.y, weights))
    shares = np.average(learned, weights=others)
    assert record.baseline["log loss"] == pytest.approx(
        np.average(-np.log(np.where(y > 0.5, shares, 1 - shares)), weights=counted), rel=1e-5
    )


@pytest.mark.parametrize("threshold", ["f1", 0.3])
def test_a_threshold_without_two_classes_in_a_file_is_refused(threshold: float | str) -> None:
    with pytest.raises(ValueError, match="expected a file whose target has two classes, found a truth table; leave it"):
        fit(NETWORK, XOR, key=KEY, epochs=1, threshold=threshold)


def test_a_truth_table_has_neither_metrics_nor_a_digest() -> None:
    record = make_checkpoint(fit(NETWORK, XOR, key=jax.random.key(1), epochs=9), XOR, table_name="xor", seed=1).training
    assert (record.metrics, record.baseline, record.table_digest, record.held_out) == ({}, {}, "", 0)


def test_evenly_spaced_rows_are_all_rows_or_ten_thousand_of_them() -> None:
    assert evenly_spaced(7).tolist() == list(range(7))
    spaced = evenly_spaced(1_234_567)
    assert (len(spaced), spaced[0], spaced[-1]) == (10_000, 0, 1_234_566)
    assert set(np.diff(spaced)) == {123, 124}
