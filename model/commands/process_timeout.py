"""A command that runs in a process of its own, so that it can be ended after some time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import click

TIMEOUT_OPTION = "--timeout"


def run_with_timeout(seconds: float) -> int:
    """Run this command again without its time limit, in another process, and end that process when time is up.

    Args:
        seconds: how long it may run.

    Returns:
        Its exit status.

    Raises:
        click.ClickException: if it has not ended by then. The message says how far it was.
    """
    read_fd, write_fd = os.pipe()
    command = [sys.executable, "-P", "-m", "model", *_arguments_without_timeout(), "--progress-fd", str(write_fd)]
    stages: list[str] = []
    with subprocess.Popen(command, pass_fds=[write_fd]) as process:
        os.close(write_fd)
        reader = threading.Thread(target=_read_lines, args=(read_fd, stages), daemon=True)
        reader.start()
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            reader.join()
            stage = stages[-1] if stages else "nothing had begun yet"
            raise click.ClickException(
                f"the check was expected to end within {seconds:g} seconds, and it has not: {stage}; "
                "a loop in the function may never end, or it needs more time"
            ) from None


def report_progress(file_descriptor: int, stage: str) -> None:
    """Tell the process that waits how far this one is.

    Args:
        file_descriptor: of its pipe.
        stage: one line.
    """
    os.write(file_descriptor, f"{stage}\n".encode())


def _arguments_without_timeout() -> list[str]:
    arguments = sys.argv[1:]
    if TIMEOUT_OPTION in arguments:
        index = arguments.index(TIMEOUT_OPTION)
        return [*arguments[:index], *arguments[index + 2 :]]
    return [each for each in arguments if not each.startswith(f"{TIMEOUT_OPTION}=")]


def _read_lines(file_descriptor: int, lines: list[str]) -> None:
    with os.fdopen(file_descriptor) as file:
        lines.extend(line.rstrip("\n") for line in file)
