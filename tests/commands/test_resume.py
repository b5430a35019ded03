"""`nudge train --resume` and `--save-every`: a run that was stopped goes on to the same bits."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model import Checkpoint, Result, load
from model.commands.cli import cli
from model.commands.training_job import TrainingJob
from tests.conftest import Nudge
from tests.examples import same_bits

TRAIN_IN_MINIBATCHES = (
    *("train", "numbers.csv", "--target", "y", "--hidden", "4", "--restarts", "2", "--ensemble", "2"),
    *("--patience", "1000000", "--save-every", "1", "--epochs", "9000"),
)
TRAIN_ALL_ROWS = ("train", "xor", "--restarts", "70", "--optimizer", "momentum")


def assert_same_training(first: Path, second: Path) -> None:
    """Check that two checkpoints have the same networks and the same state, bit for bit."""
    one, other = load(first), load(second)
    assert same_bits((one.ensemble, one.state), (other.ensemble, other.state))


@pytest.mark.slow
def test_a_run_in_minibatches_that_is_killed_and_resumed_has_the_same_bits(
    nudge: Nudge, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Adam has a state of its own. The run is killed three times, at random moments."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    columns = {f"x{index}": x[:, index] for index in range(3)} | {"y": (x[:, 0] * x[:, 1] > 0).astype(int)}
    pl.DataFrame(columns).write_csv(tmp_path / "numbers.csv")
    assert nudge(*TRAIN_IN_MINIBATCHES, "--out", "whole.safetensors").returncode == 0
    out = tmp_path / "parts.safetensors"
    resume = (*TRAIN_IN_MINIBATCHES, "--out", str(out), "--resume")
    kills = 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-m", "model", *resume], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()  # training has begun
            time.sleep(rng.uniform(0, 0.5))
            process.send_signal(signal.SIGKILL)
        kills += process.returncode == -signal.SIGKILL
        assert not out.exists() or load(out).training.epoch <= 9000
    assert kills > 0
    last = nudge(*resume)
    assert last.returncode == 0, last.stderr
    assert load(out).training.epoch == 9000
    assert_same_training(tmp_path / "whole.safetensors", out)


def test_the_first_stretch_counts_for_when_to_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One restart of XOR has so many epochs in its first stretch that few are left for the second."""
    saved: list[int] = []
    original = TrainingJob.save

    def save(job: TrainingJob, result: Result) -> Checkpoint:
        saved.append(result.epoch)
        return original(job, result)

    monkeypatch.setattr(TrainingJob, "save", save)
    options = [
        "--restarts",
        "1",
        "--epochs",
        "120000",
        "--save-every",
        "50000",
        "--out",
        str(tmp_path / "xor.safetensors"),
    ]
    cli.main(["train", "xor", *options], standalone_mode=False)
    assert saved[0] < 120_000
    assert saved[-1] == 120_000


@pytest.fixture
def half_trained(nudge: Nudge, tmp_path: Path) -> Path:
    """A checkpoint after 500 epochs with all rows at once."""
    path = tmp_path / "parts.safetensors"
    assert nudge(*TRAIN_ALL_ROWS, "--epochs", "500", "--out", str(path)).returncode == 0
    return path


def test_a_run_with_all_rows_that_is_resumed_has_the_same_bits(
    nudge: Nudge, tmp_path: Path, half_trained: Path
) -> None:
    assert nudge(*TRAIN_ALL_ROWS, "--epochs", "1100", "--out", "whole.safetensors").returncode == 0
    run = nudge(*TRAIN_ALL_ROWS, "--epochs", "1100", "--out", str(half_trained), "--resume")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0].startswith("Epoch 600, Loss: ")
    assert_same_training(tmp_path / "whole.safetensors", half_trained)


def test_a_run_is_not_resumed_with_other_settings(nudge_here: Nudge, tmp_path: Path, half_trained: Path) -> None:
    before = half_trained.read_bytes()
    resume = ("--out", "parts.safetensors", "--resume")
    done = nudge_here(*TRAIN_ALL_ROWS, "--epochs", "500", *resume)
    words = "parts.safetensors has done all 500 epochs; ask for more with --epochs to go on.\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", words)  # so that a cluster may start it once more
    done = nudge_here(*TRAIN_ALL_ROWS, "--epochs", "400", *resume)
    assert done.stderr == "nudge: --resume: parts.safetensors has done 500 epochs; ask for more with --epochs\n"
    other_seed = nudge_here(*TRAIN_ALL_ROWS, "--epochs", "1200", "--seed", "5", *resume)
    assert other_seed.stderr == "nudge: --resume: parts.safetensors has the seed 0, and not 5; ask for the same\n"
    (tmp_path / "xor.csv").write_text("a,b,xor\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    other_table = nudge_here("train", "xor.csv", "--target", "xor", *resume)
    assert other_table.stderr.count("\n") == 1
    assert done.returncode == other_seed.returncode == other_table.returncode == 2
    assert half_trained.read_bytes() == before
