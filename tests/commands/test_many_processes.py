"""`nudge train` in several processes over Gloo: the same bits as one, and an end for all when one dies or hangs."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from model import load
from model.commands import connection
from model.commands.watchdog import ALIVE, DEFAULT_TIMEOUT, ENDED, INTERRUPTED, Sign, Watch
from model.tables.result_files import read_results
from tests.conftest import Nudge

# Long enough to be alive when it is killed, and saved often.
RUN = ("xor", "--restarts", "70", "--log-every", "10")
LONG_RUN = (*RUN, "--epochs", "4000000", "--save-every", "10")
Start = Callable[..., list[subprocess.Popen[str]]]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """A function that starts processes of one run, which are killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(
        count: int, *arguments: str, unlike: tuple[str, ...] = (), command: str = "train"
    ) -> list[subprocess.Popen[str]]:
        address = f"127.0.0.1:{free_port()}"
        begin = len(started)
        for number in range(count):
            options = ("--coordinator", address, "--processes", str(count), "--process-id", str(number))
            options += unlike if number else ()
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "model", command, *arguments, *options],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=tmp_path,
                    env=environment,
                )
            )
        return started[begin:]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def ends(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """The status, the output and the errors of each."""
    found = [process.communicate(timeout=300) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, found, strict=True)]


def same_tensors(one: Path, other: Path) -> bool:
    first, second = load(one), load(other)
    leaves = [(each.params[0].weight, each.params[1].bias, *each.state) for each in (first, second)]
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(*leaves, strict=True))


@pytest.mark.parametrize("count", [2, 4])
def test_processes_write_the_same_bytes_as_one(start: Start, nudge: Nudge, tmp_path: Path, count: int) -> None:
    arguments = ("xor", "--epochs", "2000", "--restarts", "70", "--log-every", "500")
    alone = nudge("train", *arguments, "--out", "alone.safetensors")
    found = ends(start(count, *arguments, "--out", "together.safetensors"))
    assert [(status, errors) for status, _, errors in found] == [(0, "")] * count, found
    assert found[0][1].splitlines()[:-2] == alone.stdout.splitlines()[:-2]
    assert [output for _, output, _ in found[1:]] == [""] * (count - 1)
    assert (tmp_path / "together.safetensors").read_bytes() == (tmp_path / "alone.safetensors").read_bytes()


def test_a_file_is_learned_from_by_two_processes_as_by_one(start: Start, nudge: Nudge, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a * b > 0 else 'no'}" for a, b in rng.normal(size=(120, 2))]
    (tmp_path / "table.csv").write_text("a,b,c\n" + "\n".join(rows) + "\n")
    arguments = ("table.csv", "--target", "c", "--epochs", "6", "--restarts", "4", "--hidden", "4")
    assert nudge("train", *arguments, "--out", "alone.safetensors").returncode == 0
    found = ends(start(2, *arguments, "--out", "together.safetensors"))
    assert [(status, errors) for status, _, errors in found] == [(0, "")] * 2, found
    assert (tmp_path / "together.safetensors").read_bytes() == (tmp_path / "alone.safetensors").read_bytes()


def test_a_table_in_a_file_is_learned_from_by_two_processes_as_by_one(
    start: Start, nudge: Nudge, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a * b > 0 else 'no'}" for a, b in rng.normal(size=(3000, 2))]
    (tmp_path / "table.csv").write_text("a,b,c\n" + "\n".join(rows) + "\n")
    # Epochs that take longer than a stretch.
    windows = ("--window", "64", "--batch-size", "4", "--folds", "1", "--restarts", "5", "--ensemble", "2")
    arguments = ("table.csv", "--target", "c", *windows, "--epochs", "2")
    assert nudge("train", *arguments, "--out", "alone.safetensors").returncode == 0
    found = ends(start(2, *arguments, "--out", "together.safetensors"))
    assert [status for status, _, _ in found] == [0, 0], found
    assert (tmp_path / "together.safetensors").read_bytes() == (tmp_path / "alone.safetensors").read_bytes()


def test_two_processes_share_the_rows_of_a_step(start: Start, nudge: Nudge, tmp_path: Path) -> None:
    arguments = ("xor", "--epochs", "10", "--restarts", "5", "--log-every", "1", "--learning-rate", "0.5")
    assert nudge("train", *arguments, "--out", "alone.safetensors").returncode == 0
    found = ends(start(2, *arguments, "--mesh", "data=2", "--out", "together.safetensors"))
    assert [(status, errors) for status, _, errors in found] == [(0, "")] * 2, found
    alone, together = (load(tmp_path / f"{name}.safetensors") for name in ("alone", "together"))
    pairs = list(zip(alone.training.losses, together.training.losses, strict=True))
    assert len(pairs) == 10
    assert max(abs(one.training - other.training) for one, other in pairs) < 1e-5
    for one, other in zip(alone.state, together.state, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize(
    ("victim", "how", "seconds"),
    [
        (0, signal.SIGKILL, 3),
        (0, signal.SIGSTOP, 3),
        (2, signal.SIGKILL, 3),
        (3, signal.SIGSTOP, 3),
        pytest.param(1, signal.SIGKILL, DEFAULT_TIMEOUT, marks=pytest.mark.thorough),
    ],
)
def test_when_a_process_dies_or_hangs_all_others_say_so_and_two_go_on(
    start: Start, nudge: Nudge, tmp_path: Path, victim: int, how: signal.Signals, seconds: int
) -> None:
    checkpoint = tmp_path / "checkpoints" / "xor.safetensors"
    processes = start(4, *LONG_RUN, "--process-timeout", str(seconds))
    wait_for(checkpoint, processes)
    os.kill(processes[victim].pid, how)
    who = rf"process {victim} of 4 \(.*, process {processes[victim].pid}\)"
    for status, _, errors in ends([process for process in processes if process is not processes[victim]]):
        assert status == 1
        assert re.fullmatch(rf"nudge: {who} has given no sign of life for {seconds} seconds, .* again.*\n", errors)
    processes[victim].kill()

    more = (*RUN, "--epochs", str(load(checkpoint).training.epoch + 1000))
    found = ends(start(2, *more, "--resume"))
    assert [(status, errors) for status, _, errors in found] == [(0, "")] * 2, found
    assert nudge("train", *more, "--out", "whole.safetensors").returncode == 0
    assert same_tensors(checkpoint, tmp_path / "whole.safetensors")


@pytest.mark.parametrize(("victim", "how"), [(0, signal.SIGINT), (1, signal.SIGTERM)])
def test_a_process_that_is_asked_to_stop_stops_all_and_the_checkpoint_is_saved(
    start: Start, tmp_path: Path, victim: int, how: signal.Signals
) -> None:
    checkpoint = tmp_path / "checkpoints" / "xor.safetensors"
    processes = start(2, *LONG_RUN)
    wait_for(checkpoint, processes)
    os.kill(processes[victim].pid, how)
    (status, _, errors), (other_status, _, other_errors) = ends(processes)
    assert (status, other_status) == (130, 130)
    words = rf"stopped after epoch {load(checkpoint).training.epoch:,} of 4,000,000, loss .*; .* keeps it\."
    assert re.fullmatch(rf"nudge: {words}\n", errors)
    assert re.fullmatch(rf"nudge: process 0 of 2 \(.*\) has ended: {words}\n", other_errors)


def test_a_sweep_in_two_processes_is_that_of_one(start: Start, nudge: Nudge, tmp_path: Path) -> None:
    grid = ("--grid", "hidden=2,3", "--grid", "learning_rate=0.1,0.5", "--seeds", "2")
    arguments = ("xor", *grid, "--epochs", "50", "--restarts", "20")
    assert nudge("sweep", *arguments, "--out", "alone.safetensors").returncode == 0
    found = ends(start(2, *arguments, "--out", "together.safetensors", command="sweep"))
    assert [(status, errors) for status, _, errors in found] == [(0, "")] * 2, found
    assert (tmp_path / "together.safetensors").read_bytes() == (tmp_path / "alone.safetensors").read_bytes()
    rows = [read_results(tmp_path / f"{name}.sweep.parquet")[0] for name in ("alone", "together")]
    assert len(rows[0]) == 8
    alone, together = ([each | {"seconds": 0} for each in part] for part in rows)
    assert alone == together


def wait_for(file: Path, processes: Sequence[subprocess.Popen[str]]) -> None:
    """Wait until a file is there, or a process has ended."""
    while not file.exists():
        for process in processes:
            try:
                process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(process.communicate())


@pytest.mark.parametrize("unlike", [("--seed", "7"), ("--save-every", "3"), ("--mesh", "data=2")])
def test_processes_that_are_started_with_other_options_are_refused(start: Start, unlike: tuple[str, ...]) -> None:
    found = ends(start(2, "xor", "--epochs", "10", unlike=unlike))
    words = "process 1 has another table, checkpoint or options than process 0; start all with the same command, "
    assert found[1][0] == 2
    assert found[1][2].startswith(f"nudge: {words}")
    assert found[0][0] == 1
    assert re.match(rf"nudge: process 1 of 2 \(.*\) has ended: {words}", found[0][2])


def test_an_error_in_one_process_ends_all(start: Start, tmp_path: Path) -> None:
    found = ends(start(2, "absent.csv", "--target", "a"))
    assert {status for status, _, _ in found} <= {1, 2}
    assert all("absent.csv" in errors and errors.count("\n") == 1 for _, _, errors in found)


class Service:
    """What the coordination service holds, without a connection."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def key_value_set(self, key: str, value: str, allow_overwrite: bool = False) -> None:
        assert allow_overwrite or key not in self.texts
        self.texts[key] = value

    def key_value_dir_get(self, place: str) -> list[tuple[str, str]]:
        return [pair for pair in self.texts.items() if pair[0].startswith(place)]


def watch_of(**options: Any) -> Watch:
    def end(words: str) -> Any:
        raise SystemExit(words)

    return Watch(Service(), 0, 3, 20, end, **options)


def test_a_pause_of_ten_seconds_raises_no_alarm_and_silence_does() -> None:
    watch = watch_of()
    for turn in range(100):
        silent = 10 <= turn < 20  # process 1 is paused once, process 2 from turn 70 on for good
        signs = {
            0: Sign(ALIVE, turn, "here"),
            1: Sign(ALIVE, 10 if silent else turn, "there"),
            2: Sign(ALIVE, min(turn, 70), "elsewhere"),
        }
        lost = watch.find_lost(signs)
        assert (lost is not None) == (turn >= 90), turn
    assert lost is not None
    assert lost.startswith("process 2 of 3 (elsewhere) has given no sign of life for 20 seconds")


def test_a_process_that_never_gives_a_sign_is_lost() -> None:
    watch = watch_of()
    found = [watch.find_lost({0: Sign(ALIVE, turn, ""), 1: Sign(ENDED, 0, "")}) for turn in range(20)]
    assert found[:-1] == [None] * 19
    assert found[-1] is not None
    assert found[-1].startswith("process 2 of 3 has given no sign")


def test_a_process_that_failed_is_named_with_its_reason() -> None:
    failed = Sign.from_text(Sign(ENDED, 0, "there, process 7", "no such file").as_text())
    assert watch_of().find_lost({1: failed}) == "process 1 of 3 (there, process 7) has ended: no such file"


def test_one_process_that_is_interrupted_is_enough() -> None:
    watch = watch_of()
    assert not watch.any_interrupted()
    watch.find_lost({1: Sign(INTERRUPTED, 0, "")})
    assert watch.any_interrupted()
    assert watch_of(is_interrupted=lambda: True).any_interrupted()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--coordinator", "here:1"], "--coordinator, --processes and --process-id go together"),
        (["--coordinator", "here", "--processes", "2", "--process-id", "0"], "--coordinator must be HOST:PORT"),
        (["--coordinator", "h:1", "--processes", "2", "--process-id", "2"], "--process-id must be from 0 to 1, not 2"),
        (["--mesh", "restart=2,rows=3"], "is not a shape such as restart=2,data=4"),
        (["--mesh", "restart=2,restart=2"], "is not a shape such as restart=2,data=4"),
        (
            ["--mesh", "restart=3,data=2"],
            "at most as many devices as there are, 1, not restart=3 × data=2; JAX",
        ),
        (["--distributed"], "the processes of this run did not find each other"),
    ],
)
def test_wrong_options_get_a_sentence(nudge: Nudge, options: list[str], message: str) -> None:
    run = nudge("train", "xor", "--epochs", "10", *options)
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr
    assert run.stderr.count("\n") == 1


def test_rows_that_are_shared_come_in_steps_as_long_as_a_sum(nudge: Nudge, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [f"{a:.2f},{b:.2f},{a + b:.2f}" for a, b in rng.normal(size=(5000, 2))]
    (tmp_path / "table.csv").write_text("a,b,c\n" + "\n".join(rows) + "\n")
    arguments = ("table.csv", "--target", "c", "--hidden", "2", "--epochs", "1", "--fast", "--restarts", "1")
    sizes = {}
    for mesh in ("restart=2", "data=2"):
        run = nudge("train", *arguments, "--mesh", mesh, "--out", f"{mesh}.safetensors", JAX_NUM_CPU_DEVICES="2")
        assert run.returncode == 0, run.stderr
        sizes[mesh] = load(tmp_path / f"{mesh}.safetensors").training.batch_size
    assert sizes == {"restart=2": 64, "data=2": 250}


def test_a_process_says_that_the_first_one_never_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "START_TIMEOUT", 1)
    with pytest.raises(click.UsageError, match=r"^process 0 cannot be reached at 127\.0\.0\.1:\d+ for 1 seconds: .*"):
        connection._wait_for_first(f"127.0.0.1:{free_port()}")


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(click.UsageError, match=rf"^process 0 cannot listen at port {port}: .*; name another"):
            connection._wait_until_free(port, 1)


def test_a_watch_that_ends_does_not_wait_for_a_service_that_hangs() -> None:
    class Hanging(Service):
        def key_value_set(self, key: str, value: str, allow_overwrite: bool = False) -> None:
            threading.Event().wait()

    watch = Watch(Hanging(), 0, 2, 20, watch_of().end)
    ending = threading.Thread(target=watch.finish, args=("stopped",), daemon=True)
    ending.start()
    ending.join(60)
    assert not ending.is_alive()


def test_the_rows_of_a_step_are_those_of_the_run_that_goes_on(nudge: Nudge, tmp_path: Path) -> None:
    rows = [f"{a},{a % 7},{(a * a) % 5}" for a in range(2000)]
    (tmp_path / "table.csv").write_text("a,b,c\n" + "\n".join(rows) + "\n")
    arguments = ("table.csv", "--target", "c", "--task", "regression", "--fast", "--hidden", "2", "--restarts", "2")
    first = nudge("train", *arguments, "--epochs", "1", "--mesh", "data=2", JAX_NUM_CPU_DEVICES="2")
    assert first.returncode == 0, first.stderr
    then = nudge("train", *arguments, "--epochs", "2", "--resume")
    assert then.returncode == 0, then.stderr
    assert load(tmp_path / "checkpoints" / "table.safetensors").training.batch_size == 100
