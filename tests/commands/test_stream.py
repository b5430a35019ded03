"""`nudge train --stream`: the rows stay in a temporary file."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model import load
from model.tables import streamed_table
from tests.conftest import Nudge
from tests.examples import same_bits

TRAIN = ("train", "table.csv", "--target", "y", "--stream", "--window", "64", "--hidden", "4", "--restarts", "2")


@pytest.fixture(autouse=True)
def table(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(4000, 3))
    frame = pl.DataFrame({f"x{index}": x[:, index] for index in range(3)})
    frame.with_columns(pl.Series("y", (x[:, 0] * x[:, 1] > 0).astype(int))).write_csv(tmp_path / "table.csv")


def test_a_streamed_run_says_how_large_its_file_is_and_goes_on_with_the_same_window(nudge_here: Nudge) -> None:
    run = nudge_here(*TRAIN, "--epochs", "1", "--json", "--schedule", "constant")
    assert run.returncode == 0, run.stderr
    assert run.stderr.startswith("Note: 4,000 rows of 3 inputs take 48.0 kB in a temporary file in ")
    summary = json.loads(run.stdout)
    assert (summary["epoch"], summary["rows"], summary["window"]) == (1, 4000, 64)
    resume = ("--epochs", "2", "--json", "--schedule", "constant", "--resume")
    other = nudge_here(*TRAIN, "--window", "128", *resume)
    assert other.returncode == 2
    assert "has the window 64, and not 128; ask for the same" in other.stderr
    again = nudge_here(*TRAIN, *resume)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["epoch"] == 2


def test_a_table_that_does_not_fit_is_streamed(nudge_here: Nudge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_table, "available_memory", lambda: 48_000)
    arguments = ("train", "table.csv", "--target", "y", "--hidden", "4", "--restarts", "2")
    run = nudge_here(*arguments, "--epochs", "1")
    assert run.returncode == 0, run.stderr
    assert run.stderr.startswith("Note: 4,000 rows of 3 inputs take 48.0 kB in a temporary file in ")
    assert "Note: the rows are read from a temporary file in each epoch.\n" in run.stdout


def test_a_truth_table_is_not_streamed(nudge_here: Nudge) -> None:
    run = nudge_here("train", "xor", "--stream")
    assert run.returncode == 2
    assert "xor is a truth table; leave out --stream or --window: options of tables are for files" in run.stderr


@pytest.mark.slow
def test_a_run_that_is_stopped_within_an_epoch_goes_on_to_the_same_bits(
    nudge: Nudge, tmp_path: Path, environment: dict[str, str]
) -> None:
    whole = nudge(*TRAIN, "--epochs", "12", "--log-every", "1", "--patience", "99", "--out", "whole.safetensors")
    assert whole.returncode == 0, whole.stderr
    out = tmp_path / "parts.safetensors"
    resume = (*TRAIN, "--epochs", "12", "--log-every", "1", "--patience", "99", "--out", str(out), "--resume")
    with subprocess.Popen(
        [sys.executable, "-m", "model", *resume],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("Epoch 1,"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "stopped after epoch " in errors
    assert nudge(*resume).returncode == 0
    first, second = load(tmp_path / "whole.safetensors"), load(out)
    assert same_bits((first.ensemble, first.state), (second.ensemble, second.state))
