"""The command line in the process of the tests, and a checkpoint that is trained on a file."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.commands.examples import QUICK_TRAINING, run_here, write_animals
from tests.conftest import Nudge


@pytest.fixture
def nudge_here(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nudge:
    """What `nudge` does, in the process of the tests: for tests to which a process of its own would add only time."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, input: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        with patch.dict(os.environ, environment | variables, clear=True):
            return run_here(*arguments, input=input)

    return run


@pytest.fixture(scope="session")
def animals(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A directory with animals.csv, checkpoints/animals.safetensors, and what training printed as printed.txt."""
    directory = tmp_path_factory.mktemp("animals")
    write_animals(directory / "animals.csv")
    run = subprocess.run(
        [sys.executable, "-m", "model", "train", "animals.csv", "--target", "kind", *QUICK_TRAINING],
        capture_output=True,
        text=True,
        cwd=directory,
        env=environment,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    (directory / "printed.txt").write_text(run.stdout)
    return directory


@pytest.fixture
def animals_checkpoint(animals: Path) -> str:
    """The path of the checkpoint that is trained on animals.csv."""
    return str(animals / "checkpoints" / "animals.safetensors")
