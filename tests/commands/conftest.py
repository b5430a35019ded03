"""A checkpoint that is trained on a file."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.examples import QUICK_TRAINING, write_animals


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
