"""Killing and stopping processes of a run at random moments: do all others end, and do two go on to the same end?

    python -m bench.processes [ROUNDS]

In each round four processes train XOR, one of them, drawn at random, is killed or stopped at a random moment, and the
others must end within 30 seconds with a sentence that names it. Then two processes go on with --resume, and what they
learn is compared with a run that nobody disturbed: bit for bit where restarts are shared, and to 1e-4 where rows are.
By default each of the four processes is killed and stopped, with restarts and with rows, 10 times in all for each pair.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from model import load
from model.messages import align_columns

PROCESSES, ROUNDS, LONGEST_SECONDS = 4, 10, 30
TOLERANCE = 1e-4
RUN = ("xor", "--restarts", "70", "--log-every", "10")
# The options of each way to share a run; {} is the number of processes. The epochs take several seconds.
SHARED = {"restarts": ("--epochs", "400000"), "rows": ("--epochs", "4000", "--mesh", "data={}")}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    draw = random.Random(0)
    rows = [["shared", "signal", "ended", "seconds, longest", "named it", "the same end"]]
    for shared in SHARED:
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "whole.safetensors"
            train(options_of(shared, 1), 1, whole).wait_for_all()
            for how in (signal.SIGKILL, signal.SIGSTOP):
                found = [play(shared, how, draw, whole) for _ in range(rounds)]
                seconds, named, same = zip(*found, strict=True)
                ended = sum(each <= LONGEST_SECONDS for each in seconds)
                counts = (f"{sum(each)} of {rounds}" for each in (named, same))
                rows.append([shared, how.name, f"{ended} of {rounds}", f"{max(seconds):.0f}", *counts])
    print(align_columns(rows))


def play(shared: str, how: signal.Signals, draw: random.Random, whole: Path) -> tuple[float, bool, bool]:
    """One round: how long the others went on, whether all named the process, and whether two reached the same end."""
    victim = draw.randrange(PROCESSES)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "xor.safetensors"
        run = train(options_of(shared, PROCESSES), PROCESSES, checkpoint, "--save-every", "100")
        while not checkpoint.exists():
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 3))
        pid = run.processes[victim].pid
        os.kill(pid, how)
        started = time.monotonic()
        errors = [text for number, text in run.wait_for(set(range(PROCESSES)) - {victim})]
        seconds = time.monotonic() - started
        run.processes[victim].kill()
        named = all(f"process {pid})" in each or not each for each in errors)
        train([*options_of(shared, 2), "--resume"], 2, checkpoint).wait_for_all()
        return seconds, named, same_end(checkpoint, whole, 0.0 if shared == "restarts" else TOLERANCE)


def options_of(shared: str, processes: int) -> list[str]:
    return [each.format(processes) for each in SHARED[shared]]


def same_end(one: Path, other: Path, tolerance: float) -> bool:
    first, second = load(one), load(other)
    pairs = zip(first.state, second.state, strict=True)
    return first.training.epoch == second.training.epoch and all(
        np.allclose(a, b, rtol=0, atol=tolerance) for a, b in pairs
    )


class Run:
    """The processes of one run."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self.processes = processes

    def wait_for(self, numbers: set[int]) -> Iterator[tuple[int, str]]:
        """The errors of some of them, as they end."""
        for number in sorted(numbers):
            yield number, self.processes[number].communicate()[1]

    def wait_for_all(self) -> None:
        errors = [text for _, text in self.wait_for(set(range(len(self.processes))))]
        if any(process.returncode for process in self.processes):
            raise SystemExit("\n".join(errors))


def train(options: list[str], count: int, out: Path, *others: str) -> Run:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    command = [sys.executable, "-m", "model", "train", *RUN, *options, *others, "--out", str(out)]
    joined = [
        ["--coordinator", address, "--processes", str(count), "--process-id", str(number)] for number in range(count)
    ]
    return Run(
        [
            subprocess.Popen([*command, *each], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for each in joined
        ]
    )


if __name__ == "__main__":
    main()
