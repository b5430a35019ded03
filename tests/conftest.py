"""Strict settings for every test: shapes checked at each call, no silent rank promotion."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

with install_import_hook("model", "beartype.beartype"):
    import model
    from model import *  # noqa: F403 - a module is imported, and with it checked, only when a name in it is asked for

jax.config.update("jax_numpy_rank_promotion", "raise")

# The same examples in every run, and no deadline: a first example compiles.
settings.register_profile("nudge", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("nudge")

ROOT = Path(__file__).parents[1]
Nudge = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user with a cache directory of their own, and none of make's or Nudge's variables."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("NUDGE_", "MAKE", "MFLAGS"))}
    return ours | {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def nudge(environment: dict[str, str], tmp_path: Path) -> Nudge:
    """Run the command line in a process of its own, in an empty directory."""

    def run(*args: str, input: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "model", *args],
            input=input,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment | extra,
            timeout=300,
        )

    return run


@pytest.fixture(scope="session")
def solved() -> "model.Checkpoint":
    """A checkpoint that has solved XOR, unsaved."""
    network, table = model.Network((2, 2, 1)), model.truth_table("xor")
    result = model.fit(network, table, key=jax.random.key(0), epochs=20_000)
    record = model.TrainingRecord(
        table="xor",
        epoch=result.epoch,
        epochs=result.epoch,
        restarts=result.restarts,
        solved=result.solved,
        loss=result.loss,
        seed=0,
        optimizer="sgd",
        learning_rate=0.01,
        log_every=100,
    )
    return model.Checkpoint(network, result.params, table.columns, table.target, table.classes, record)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory, solved: "model.Checkpoint") -> Path:
    """A directory with xor.safetensors in it."""
    directory = tmp_path_factory.mktemp("checkpoints")
    model.save(directory / "xor.safetensors", solved)
    return directory
