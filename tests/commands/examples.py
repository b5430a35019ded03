"""A file of animals, quick options for training, and running the command line inside the test's process."""

import csv
import io
import os
import pty
import random
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from model.commands.cli import main

# Options with which training on a file takes about a second.
QUICK_TRAINING = ("--fast", "--hidden", "8", "--restarts", "3", "--ensemble", "2", "--epochs", "30")
HEADER = ("size, cm", "color", "wild", "constant", "kind")


def write_animals(path: Path, rows: int = 240, has_targets: bool = True) -> None:
    """Write texts with quoted commas and quotes, booleans, missing values, a constant column, and missing targets."""
    rng = random.Random(3)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for _ in range(rows):
            kind = rng.choice(["cat", "dog, big", 'the "ox"'])
            number = {"cat": 30, "dog, big": 70, 'the "ox"': 190}[kind] + rng.gauss(0, 12)
            size = rng.choice(["", "NA"]) if rng.random() < 0.1 else f"{number:.2f}"
            color = rng.choice(["red, dark", "grün", "", 'so-called "blue"'])
            target = kind if has_targets and rng.random() > 0.05 else ""
            writer.writerow([size, color, rng.choice(["True", "false"]), 7, target])


def run_here(*arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line in this process."""
    out, errors = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["nudge", *arguments]),
        patch.object(sys, "stdin", io.StringIO(input)),
        patch.dict(os.environ),
        redirect_stdout(out),
        redirect_stderr(errors),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), out.getvalue(), errors.getvalue())


def run_main(*arguments: str) -> tuple[int, str]:
    """Run the command line in this process. Returns its exit status and what it wrote to standard error."""
    run = run_here(*arguments)
    return run.returncode, run.stderr


def run_in_terminal(*arguments: str, environment: dict[str, str], directory: Path) -> str:
    """Run the command line in a process whose output is a terminal. Returns all that it shows."""
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "model", *arguments],
        stdout=terminal,
        stderr=terminal,
        cwd=directory,
        env=environment | {"TERM": "xterm", "COLUMNS": "100"},
    ):
        os.close(terminal)
        output = b""
        while True:
            try:
                output += os.read(controller, 65536)
            except OSError:  # the other end is closed
                break
    os.close(controller)
    return output.decode()
