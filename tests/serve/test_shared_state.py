"""Real workers whose temporary directory is full, gone or never there, and that load many models."""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
import pytest

from model import Checkpoint, Layer, Network, save
from tests.examples import with_params
from tests.serve.examples import QUERY, with_other_predictions
from tests.serve.serving import Service, child_processes, get, running, serving, wait_until

COUNT = 'nudge_request_seconds_count{route="/predict",status="200"}'


@pytest.fixture
def models(tmp_path: Path, solved: Checkpoint) -> Path:
    save(tmp_path / "models" / "xor.safetensors", solved)
    return tmp_path / "models"


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The temporary directory of the service."""
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


@pytest.fixture
def two_workers(environment: dict[str, str], models: Path, temporary: Path) -> Iterator[Service]:
    settings = {"NUDGE_CHECKPOINTS": str(models), "WEB_CONCURRENCY": "2", "NUDGE_POLL": "0.1"}
    with serving(environment | settings, temporary) as (process, port):
        wait_until(lambda: metric(port, "nudge_model_workers") == 2)
        yield process, port


def metric(port: int, name: str) -> float:
    """The sum of a metric, over all labels that are not named."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def runtime_of(temporary: Path) -> Path:
    """The directory that the workers share."""
    (directory,) = temporary.glob("nudge-*")
    return directory


def kill_a_worker(process: subprocess.Popen[str]) -> int:
    """Kill a worker, wait until another one has replaced it, and return the process id of the first."""
    victim = child_processes(process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in child_processes(process.pid) and len(child_processes(process.pid)) == 2)
    return victim


def log_of(process: subprocess.Popen[str]) -> str:
    """End a service, which must succeed, and return its log."""
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert "Traceback" not in log
    return log


def remove(directory: Path) -> None:
    """Remove a directory in which the service may write meanwhile."""
    while True:
        try:
            return shutil.rmtree(directory)
        except OSError:  # a file came into it
            assert directory.exists()


def test_a_cleaned_directory_and_killed_workers_end_nothing(two_workers: Service, temporary: Path) -> None:
    """All that the service has in the temporary directory goes, and so does that itself."""
    process, port = two_workers
    for is_all in (False, True, True):
        before = runtime_of(temporary)
        remove(temporary if is_all else before)
        kill_a_worker(process)
        kill_a_worker(process)
        assert get(port, QUERY)[1]["label"] == 1
        wait_until(lambda: metric(port, "nudge_model_workers") == 2)
        assert runtime_of(temporary) == before
        wait_until(lambda before=before: (before / "models" / "xor.safetensors").exists())
    log_of(process)
    assert list(temporary.iterdir()) == []


def test_a_worker_that_starts_when_everything_is_gone_waits_for_its_models(
    environment: dict[str, str], models: Path, temporary: Path
) -> None:
    settings = {"NUDGE_CHECKPOINTS": str(models), "NUDGE_POLL": "0.1"}
    with serving(environment | settings, temporary) as (process, port):
        assert get(port, QUERY)[0] == 200
        models.rename(models.with_name("elsewhere"))
        remove(temporary)
        (worker,) = child_processes(process.pid)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: child_processes(process.pid) not in ([], [worker]))
        assert get(port, "/v2/health/ready")[0] == 503
        assert get(port, "/v2/health/live")[0] == 200
        models.with_name("elsewhere").rename(models)
        wait_until(lambda: get(port, "/v2/health/ready")[0] == 200)
        assert get(port, QUERY)[1]["label"] == 1
        log_of(process)


def test_a_worker_that_cannot_start_ends_no_other(environment: dict[str, str], models: Path, temporary: Path) -> None:
    """The application breaks while the service runs, as in a half-finished upgrade, and is mended again."""
    application = temporary / "own_application.py"
    sound = "from serve import create_app\napp = create_app()\n"
    application.write_text(sound)
    settings = {"NUDGE_CHECKPOINTS": str(models), "WEB_CONCURRENCY": "2", "PYTHONDONTWRITEBYTECODE": "1"}
    with serving(environment | settings, temporary, application="own_application:app") as (process, port):
        wait_until(lambda: metric(port, "nudge_model_workers") == 2)
        application.write_text("raise RuntimeError('half an upgrade')\n")
        os.kill(child_processes(process.pid)[0], signal.SIGKILL)
        assert process.stderr is not None
        failures = 0
        while failures < 2:
            failures += "exited with code 1" in next(process.stderr)
            assert get(port, QUERY)[1]["label"] == 1
        application.write_text(sound)
        wait_until(lambda: metric(port, "nudge_model_workers") == 2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_workers_that_cannot_write_any_file_go_on(two_workers: Service, temporary: Path) -> None:
    """No process may make a file longer than 0 bytes. That looks like a full disk."""
    process, port = two_workers
    for _ in range(5):
        assert get(port, QUERY)[0] == 200
    wait_until(lambda: metric(port, COUNT) == 5)
    for pid in (process.pid, *child_processes(process.pid)):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
    check_that_nothing_is_lost_but_counts(process, port, temporary)


@contextmanager
def mounted(directory: Path, kibibytes: int) -> Iterator[None]:
    """Mount a small file system in memory, if this is permitted here."""
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k,mode=700", "tmpfs", str(directory)],
        capture_output=True,
        text=True,
    )
    if mount.returncode:
        pytest.skip(f"mounting is not permitted here: {mount.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(directory: Path) -> None:
    """Write to a file until the file system is full."""
    with (directory / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))


@pytest.mark.skipif(shutil.which("mount") is None or os.geteuid() != 0, reason="mounting needs the superuser")
def test_workers_on_a_full_disk_go_on(environment: dict[str, str], models: Path, temporary: Path) -> None:
    settings = {"NUDGE_CHECKPOINTS": str(models), "WEB_CONCURRENCY": "2", "NUDGE_POLL": "0.1"}
    with mounted(temporary, 256), serving(environment | settings, temporary) as (process, port):
        for _ in range(5):
            assert get(port, QUERY)[0] == 200
        wait_until(lambda: metric(port, "nudge_model_workers") == 2 and metric(port, COUNT) == 5)
        fill(temporary)
        check_that_nothing_is_lost_but_counts(process, port, temporary)


def check_that_nothing_is_lost_but_counts(process: subprocess.Popen[str], port: int, temporary: Path) -> None:
    """Ask workers that cannot write, kill one of them, and ask again."""
    workers = child_processes(process.pid)
    for _ in range(40):
        assert get(port, QUERY)[0] == 200
    assert metric(port, COUNT) >= 5
    assert child_processes(process.pid) == workers, "none has died"
    kill_a_worker(process)
    for _ in range(40):
        assert get(port, QUERY)[0] == 200
    assert metric(port, COUNT) >= 5
    assert child_processes(process.pid)[0] == workers[1]
    kill_a_worker(process)
    assert get(port, QUERY)[1]["label"] == 1
    log = log_of(process)
    assert 1 <= log.count("cannot be written") <= 5, "one warning of each process"
    assert "SIGBUS" not in log


@pytest.mark.skipif(shutil.which("mount") is None or os.geteuid() != 0, reason="mounting needs the superuser")
def test_a_service_starts_with_a_full_temporary_directory(
    environment: dict[str, str], models: Path, temporary: Path
) -> None:
    with mounted(temporary, 64):
        fill(temporary)
        with serving(environment | {"NUDGE_CHECKPOINTS": str(models)}, temporary) as (process, port):
            assert get(port, QUERY)[1]["label"] == 1
            assert metric(port, "nudge_model_workers") == 1
            log_of(process)


def test_a_service_without_any_directory_to_write_to_serves(
    environment: dict[str, str], models: Path, tmp_path: Path
) -> None:
    program = (
        "import tempfile\n"
        "def fail(*arguments, **names): raise FileNotFoundError(2, 'No usable temporary directory found')\n"
        "tempfile.mkdtemp = tempfile.mkstemp = fail\n"
        "from serve.__main__ import main\n"
        "main()\n"
    )
    settings = {"NUDGE_CHECKPOINTS": str(models), "WEB_CONCURRENCY": "2", "PYTHONUNBUFFERED": "1"}
    (tmp_path / "serving.py").write_text(program)
    options = ("--bind", "127.0.0.1:0")
    with running(environment | settings, tmp_path, *options, command=(str(tmp_path / "serving.py"),)) as service:
        port = service.wait_for_port()
        assert get(port, QUERY)[1]["label"] == 1
        assert metric(port, "nudge_model_workers") == 1, "each worker tells of itself"
        (master,) = [service.process.pid]
        victim = child_processes(master)[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in child_processes(master) and len(child_processes(master)) == 2)
        assert get(port, QUERY)[1]["label"] == 1
        assert service.end() == 0
    assert service.output.count("No directory for temporary files can be written") == 1


def test_the_files_of_workers_that_have_died_do_not_add_up(two_workers: Service, temporary: Path) -> None:
    process, port = two_workers
    for deaths in range(1, 5):
        for _ in range(5):
            assert get(port, QUERY)[0] == 200
        wait_until(lambda expected=5 * deaths: metric(port, COUNT) == expected)
        kill_a_worker(process)
    wait_until(lambda: metric(port, "nudge_model_workers") == 2)
    assert metric(port, COUNT) == 20, "the counts of killed workers are kept"
    reports = [path for path in runtime_of(temporary).rglob("*.json") if path.is_file()]
    assert len(reports) == 3, "those of two workers, and one of all that have died"
    log_of(process)


def test_models_stay_while_their_volume_is_unmounted(two_workers: Service, models: Path, solved: Checkpoint) -> None:
    """An unmounted volume leaves an empty directory behind. Workers that start then serve the copies."""
    process, port = two_workers
    models.rename(models.with_name("volume"))
    models.mkdir()
    wait_until(lambda: metric(port, "nudge_directory_missing") == 2)
    for _ in range(2):
        kill_a_worker(process)
    wait_until(lambda: metric(port, "nudge_directory_missing") == 2)
    assert get(port, QUERY)[1]["label"] == 1
    models.rmdir()
    models.with_name("volume").rename(models)
    version = save(models / "xor.safetensors", with_other_predictions(solved, 1.0)).version
    wait_until(lambda: metric(port, f'nudge_model_workers{{model="xor",version="{version}"') == 2)
    assert metric(port, "nudge_directory_missing") == 0
    log_of(process)


def write_large_models(directory: Path, solved: Checkpoint, count: int) -> None:
    """Checkpoints of networks of different shapes, each of which XLA takes some time to compile."""
    rng = np.random.default_rng(0)
    for index in range(count):
        network = Network((2, *(60 + index for _ in range(5)), 1), "gelu")
        shapes = zip(network.sizes[:-1], network.sizes[1:], strict=True)
        params = [
            Layer(rng.normal(0, rows**-0.5, (4, rows, columns)).astype(np.float32), np.zeros((4, columns), np.float32))
            for rows, columns in shapes
        ]
        save(directory / f"large-{index}.safetensors", with_params(solved, jax.tree.map(np.asarray, params), network))


def test_the_default_model_answers_before_the_others_are_compiled_and_sigterm_ends_that(
    environment: dict[str, str], models: Path, temporary: Path, solved: Checkpoint
) -> None:
    write_large_models(models, solved, 10)
    settings = {"NUDGE_CHECKPOINTS": str(models), "XDG_CACHE_HOME": str(temporary / "cache")}
    with serving(environment | settings, temporary) as (process, port):
        assert get(port, "/v2/health/ready")[0] == 200
        assert metric(port, "nudge_compilations_total") < 10
        assert get(port, QUERY)[1]["label"] == 1
        wait_until(lambda: metric(port, "nudge_unready_models") == 0)
        for index in range(10):
            assert get(port, f"/v2/models/large-{index}/ready")[0] == 200
            assert get(port, f"/models/large-{index}/predict?a=1&b=0")[0] == 200
        wait_until(lambda: metric(port, "nudge_compilations_total") > 0)
        assert metric(port, "nudge_compilations_total") < 10
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert not re.search("SIG(ABRT|KILL|SEGV)|exited with code|terminate called", log), log


def test_a_worker_that_starts_later_finds_its_programs_in_the_cache(
    environment: dict[str, str], models: Path, temporary: Path, solved: Checkpoint
) -> None:
    """The user has no cache directory, so that it is in the directory of the service."""
    write_large_models(models, solved, 2)
    (temporary / "file").write_text("no directory")
    settings = {"NUDGE_CHECKPOINTS": str(models), "XDG_CACHE_HOME": str(temporary / "file")}
    with serving(environment | settings, temporary) as (process, port):
        assert get(port, "/v2/health/ready")[0] == 200
        programs = runtime_of(temporary) / "programs"
        wait_until(lambda: programs.exists() and len(list(programs.iterdir())) >= 2)
        log_of(process)
