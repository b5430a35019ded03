"""docs/deploy/many-processes.sh, with a stand-in for `nudge` whose processes fail, stop and succeed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "docs" / "deploy" / "many-processes.sh"
# It notes its arguments in a file of its own. Then it does what the test says for its number, at the first start or
# anew: to end with a status, to wait, to stop, or to wait for files of others and then end with a status.
STAND_IN = """
import os, signal, sys, time
from pathlib import Path

(number,) = (each.partition("=")[2] for each in sys.argv if each.startswith("--process-id="))
start = "anew" if "--resume" in sys.argv else "first"
Path(f"new.{number}").write_text(" ".join([str(os.getpid()), *sys.argv[1:]]))
os.rename(f"new.{number}", f"{start}.{number}")
action = os.environ.get(f"{start}_{number}", "0")
if action == "wait":
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(f"ready.{number}").touch()
    time.sleep(600)
if action == "stop":
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(600)
status, *files = action.split()
while not all(Path(name).exists() for name in files):
    time.sleep(0.01)
sys.exit(int(status))
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """The environment of three processes."""
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    return os.environ | {"NUDGE": f"{sys.executable} {tmp_path / 'stand_in.py'}", "PROCESSES": "3", "GRACE": "0"}


def run(folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [SCRIPT, "table.csv", "--restarts=8"]
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=60)


def starts(folder: Path) -> list[str]:
    """Which processes were started, and which of them again."""
    return sorted(path.name for pattern in ("first.*", "anew.*") for path in folder.glob(pattern))


def arguments(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().split()[1:]


def left_running(folder: Path) -> list[str]:
    """The processes that were started and have not ended."""
    pids = {name: int((folder / name).read_text().split()[0]) for name in starts(folder)}
    return [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]


def test_every_process_gets_its_number(tmp_path: Path, settings: dict[str, str]) -> None:
    ended = run(tmp_path, settings)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert starts(tmp_path) == ["first.0", "first.1", "first.2"]
    together = ["train", "table.csv", "--restarts=8", "--coordinator=127.0.0.1:29500", "--processes=3"]
    for number in range(3):
        assert arguments(tmp_path, f"first.{number}") == [*together, f"--process-id={number}"]


def test_a_machine_starts_its_own_processes(tmp_path: Path, settings: dict[str, str]) -> None:
    assert run(tmp_path, settings | {"IDS": "1 2", "COORDINATOR": "10.0.0.1:1234"}).returncode == 0
    assert starts(tmp_path) == ["first.1", "first.2"]
    assert "--coordinator=10.0.0.1:1234" in arguments(tmp_path, "first.1")


@pytest.mark.parametrize("others", ["wait", "stop"])
def test_after_a_failure_the_rest_is_ended_and_all_go_on(tmp_path: Path, settings: dict[str, str], others: str) -> None:
    ended = run(tmp_path, settings | {"first_0": others, "first_1": "1 first.0 first.2", "first_2": others})
    assert ended.returncode == 0, ended.stderr
    assert "process 1 ended with status 1" in ended.stderr
    assert starts(tmp_path) == sorted(f"{start}.{number}" for start in ("first", "anew") for number in range(3))
    assert arguments(tmp_path, "anew.2").count("--resume") == 1
    assert left_running(tmp_path) == []


def test_it_gives_up_with_the_status_of_what_failed_first(tmp_path: Path, settings: dict[str, str]) -> None:
    failing = {"RESTARTS": "2", "first_2": "7", "anew_2": "9", "anew_0": "wait"}
    ended = run(tmp_path, settings | failing)
    assert ended.returncode == 9
    assert ended.stderr.count("with --resume") == 2
    assert left_running(tmp_path) == []


def test_bad_input_is_not_tried_again(tmp_path: Path, settings: dict[str, str]) -> None:
    ended = run(tmp_path, settings | {"first_0": "wait", "first_1": "2"})
    assert ended.returncode == 2
    assert not list(tmp_path.glob("anew.*"))
    assert left_running(tmp_path) == []


@pytest.mark.parametrize(("number", "grace", "status"), [(signal.SIGINT, "30", 130), (signal.SIGTERM, "0", 143)])
def test_a_signal_ends_every_process(
    tmp_path: Path, settings: dict[str, str], number: signal.Signals, grace: str, status: int
) -> None:
    """Also SIGTERM, which JAX catches in a process that has joined others."""
    waiting = settings | {"GRACE": grace} | {f"first_{each}": "wait" for each in range(3)}
    with subprocess.Popen([SCRIPT], cwd=tmp_path, env=waiting, stderr=subprocess.PIPE) as script:
        while len(list(tmp_path.glob("ready.*"))) < 3:
            assert script.poll() is None
        script.send_signal(number)
        assert script.wait(timeout=60) == status
    assert not list(tmp_path.glob("anew.*"))
    assert left_running(tmp_path) == []


def test_the_number_of_processes_must_be_given(tmp_path: Path, settings: dict[str, str]) -> None:
    del settings["PROCESSES"]
    ended = run(tmp_path, settings)
    assert ended.returncode != 0
    assert "say how many processes there are" in ended.stderr
