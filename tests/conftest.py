"""Settings and fixtures of all tests. The shapes and types of arguments are checked at every call."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.monitoring
import jaxtyping
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

from tests.extent import THOROUGH, extent, quick_compilation_flags
from tests.shape_checks import check_calls

# Before JAX starts a device. The commands that the tests run inherit it.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {quick_compilation_flags()}".strip()
# Compiled programs are many objects that live long, and each full collection visits all of them.
gc.set_threshold(50_000, 20, 100)

jaxtyping.jaxtyped = lambda *, typechecker: check_calls  # which the hook puts around each function
with install_import_hook("model", "beartype.beartype"):
    import model
    from model import *  # noqa: F403 - `model` imports a module, and so gets it checked, when one of its names is used

jax.config.update("jax_numpy_rank_promotion", "raise")

# The same examples in every run, and no deadline, because the first example compiles.
settings.register_profile("nudge", deadline=None, derandomize=True, print_blob=True, max_examples=extent(100, 25))
settings.load_profile("nudge")

ROOT = Path(__file__).parents[1]
# The files that take longest. They begin first, so that at the end no process waits for another.
LONGEST_FILES = (
    *("pages/test_model_page.py", "pages/test_model_page_for_all.py", "pages/test_learn_way.py"),
    *("checking/test_check.py", "serve/test_lifecycle.py", "checking/test_rules.py", "test_estimators.py"),
    *("training/test_fit.py", "serve/test_openapi.py", "tables/test_people_commands.py"),
)
Nudge = Callable[..., subprocess.CompletedProcess[str]]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two processes more than there are cores, because many tests wait for other processes."""
    return (os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not THOROUGH:
        left_out = {item for item in items if item.get_closest_marker("thorough")}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user with an empty cache directory, without the variables of make and of Nudge."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NUDGE_", "MAKE", "MFLAGS"))}
    return inherited | {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session", autouse=True)
def empty_cache(environment: dict[str, str]) -> Iterator[None]:
    """Commands that run in the process of the tests neither read nor fill the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", environment["XDG_CACHE_HOME"])
        yield


@pytest.fixture
def nudge(environment: dict[str, str], tmp_path: Path) -> Nudge:
    """A function that runs the command line in its own process, in the test's directory."""

    def run(*arguments: str, input: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "model", *arguments],
            input=input,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment | variables,
            timeout=300,
        )

    return run


@pytest.fixture(scope="module")
def quick_compilation() -> Iterator[None]:
    """Compile quickly rather than well: for tests that compile much, and in which any compiler would do."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()  # so that no other test runs these programs


@pytest.fixture
def without_shape_checks() -> Iterator[None]:
    """Turn off the checks of shapes, as they are for a user, so that the test sees what the function itself refuses."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def solved() -> "model.Checkpoint":
    """A checkpoint that predicts every row of XOR right. It is not saved."""
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
    return model.Checkpoint(result.ensemble, table.columns, table.target, table.classes, record)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory, solved: "model.Checkpoint") -> Path:
    """A directory that holds the solved checkpoint as xor.safetensors."""
    directory = tmp_path_factory.mktemp("checkpoints")
    model.save(directory / "xor.safetensors", solved)
    return directory


@pytest.fixture
def compilations() -> Iterator[list[str]]:
    """The programs that JAX compiles during a test, as an event for each."""
    events: list[str] = []

    def listen(event: str, seconds: float, **_: Any) -> None:
        if event.endswith("backend_compile_duration"):
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield events
    jax.monitoring.unregister_event_duration_listener(listen)
