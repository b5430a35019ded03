"""Ctrl-C ends every command with status 130 and a sentence that says what was written."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model import load
from tests.conftest import ROOT


def start(environment: dict[str, str], cwd: Path, arguments: list[str], *, until: str) -> subprocess.Popen[str]:
    """Start a Python process, and wait until it has printed these words."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment | {"PYTHONPATH": f"{cwd}:{ROOT}"},
    )
    assert process.stdout is not None
    printed = ""
    while until not in printed:
        printed += process.stdout.read(1)
        assert process.poll() is None, printed
    return process


def interrupt(environment: dict[str, str], cwd: Path, arguments: list[str], *, after: str) -> tuple[int, str]:
    """Press Ctrl-C after a process has printed these words. Returns its exit status and its last words."""
    with start(environment, cwd, arguments, until=after) as process:
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=60)  # before its input is closed, which would end it too
        return status, process.communicate()[1]


def wait_for_cpu_time(pid: int, seconds: float) -> None:
    """Wait until a process without output has used so much time of the processor."""
    ticks = os.sysconf("SC_CLK_TCK")
    while True:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if (int(fields[11]) + int(fields[12])) / ticks > seconds:
            return
        time.sleep(0.05)


@pytest.mark.parametrize("log_every", ["100", "1000000000"])
def test_ctrl_c_during_training_keeps_what_was_learned(
    environment: dict[str, str], tmp_path: Path, log_every: str
) -> None:
    command = [sys.executable, "-m", "model", "train", "--epochs", "1000000000", "--log-every", log_every]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as process:
        if log_every == "100":
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Epoch 100, Loss: ")
        else:
            wait_for_cpu_time(process.pid, seconds=4)  # the imports take less
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    checkpoint = load(tmp_path / "checkpoints" / "xor.safetensors")
    assert 0 < checkpoint.training.epoch < 1_000_000_000
    assert re.fullmatch(
        rf"nudge: stopped after epoch {checkpoint.training.epoch:,} of 1,000,000,000, loss \d\.\d+; "
        r"checkpoints/xor.safetensors keeps it\.\n",
        errors,
    )


def test_ctrl_c_during_the_imports_writes_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "jax.py").write_text("import sys; print('importing', flush=True); sys.stdin.read()")
    ended = interrupt(environment, tmp_path, ["-m", "model", "train"], after="importing\n")
    assert ended == (130, "nudge: stopped; nothing was written.\n")
    assert not (tmp_path / "checkpoints").exists()


CHECK_THAT_WAITS = """
import sys
from model.commands.interrupts import interrupts
interrupts.listen()
from model.commands import check as check_command
from model.commands import cli
def check_gradients(*args, **options):
    print("checking", flush=True)
    sys.stdin.read()
check_command.check_gradients = check_gradients
cli.main()
"""


def test_ctrl_c_after_training_says_what_the_file_keeps(environment: dict[str, str], tmp_path: Path) -> None:
    """The file is written before the gradients are checked."""
    train = ["-c", CHECK_THAT_WAITS, "train", "--epochs", "900"]
    status, message = interrupt(environment, tmp_path, train, after="checking\n")
    assert status == 130
    assert re.fullmatch(
        r"nudge: stopped after epoch 900 of 900, loss \d\.\d+; checkpoints/xor.safetensors keeps it\.\n", message
    )
    assert load(tmp_path / "checkpoints" / "xor.safetensors").training.epoch == 900


BUSY_MAIN_THREAD = """
import ctypes, time
from model.commands.interrupts import interrupts
interrupts.listen()
interrupts.hold()
print("holding", flush=True)
while not interrupts.pressed:
    time.sleep(0.01)
print("pressed", flush=True)
ctypes.CDLL(None).sleep(600)
"""


def test_a_second_ctrl_c_ends_the_process_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    """The main thread does not return to Python, as in a long epoch."""
    with start(environment, tmp_path, ["-c", BUSY_MAIN_THREAD], until="holding\n") as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "pressed\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "nudge: stopped; nothing was written.\n")
    assert process.returncode == 130


WRITE_THAT_WAITS = """
import pathlib, signal, sys, time
from model.commands.interrupts import interrupts
interrupts.listen()
interrupts.hold()
interrupts.pressed = True
with interrupts.lock:
    print("writing", flush=True)
    sys.stdin.read()
    while signal.SIGINT in signal.sigpending():
        time.sleep(0.01)
    pathlib.Path("file").write_text("whole")
    interrupts.release("it is written.")
"""


def test_a_second_ctrl_c_waits_until_a_file_is_written(environment: dict[str, str], tmp_path: Path) -> None:
    with start(environment, tmp_path, ["-c", WRITE_THAT_WAITS], until="writing\n") as process:
        process.send_signal(signal.SIGINT)
        _, message = process.communicate("go on", timeout=60)
    assert (process.returncode, message) == (130, "nudge: it is written.\n")
    assert (tmp_path / "file").read_text() == "whole"


def test_ctrl_c_ends_ask_without_a_message(environment: dict[str, str], tmp_path: Path, checkpoints: Path) -> None:
    ask = ["-m", "model", "ask", str(checkpoints / "xor.safetensors")]
    assert interrupt(environment, tmp_path, ask, after="Input a: ") == (130, "")
