"""Run the service as a process, and ask it."""

import contextlib
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

CONFIGURATION = ("-c", str(ROOT / "serve" / "gunicorn_conf.py"))
# The script `nudge` starts Python like this: the current directory is not on sys.path.
NUDGE_SERVE = ("-P", "-m", "model", "serve")

# Seconds after which what a test waits for will not come any more.
LONGEST_WAIT = 120

Service = tuple[subprocess.Popen[str], int]


@contextmanager
def serving(
    environment: dict[str, str], cwd: Path, *options: str, application: str = "serve:create_app()"
) -> Iterator[Service]:
    """Run gunicorn on a free port, which it gets as an open socket. Connections wait there while the service loads.

    Only gunicorn keeps the socket: when it ends, so do the connections that still wait.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port: int = listener.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", *CONFIGURATION, "-b", f"fd://{listener.fileno()}", *options]
        with subprocess.Popen(
            [*command, application],
            cwd=cwd,
            env=environment | {"TMPDIR": str(cwd)},
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            listener.close()
            try:
                yield process, port
            finally:
                process.kill()


@dataclass
class RunningCommand:
    """A command that serves, as a process with its output in a file."""

    process: subprocess.Popen[bytes]
    output_file: Path

    @property
    def output(self) -> str:
        """All that was printed and logged so far."""
        return self.output_file.read_text()

    def wait_for_output(self, pattern: str) -> re.Match[str]:
        """The first match in the output. Fails if the command ends without one."""
        end = time.monotonic() + LONGEST_WAIT
        while True:
            assert time.monotonic() < end, f"{pattern!r} was expected in: {self.output}"
            has_ended = self.process.poll() is not None
            match = re.search(pattern, self.output)
            if match:
                return match
            assert not has_ended, f"{pattern!r} was expected in: {self.output}"
            time.sleep(0.02)

    def wait_for_port(self) -> int:
        """The port on which the command listens."""
        return int(self.wait_for_output(r"Listening at: http://\S+:(\d+) ")[1])

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@contextmanager
def running(
    environment: dict[str, str], cwd: Path, *options: str, command: tuple[str, ...] = NUDGE_SERVE
) -> Iterator[RunningCommand]:
    """Run `nudge serve`, or another command of Python, in a folder. At the end, kill it and its children."""
    output_file = cwd / "output.txt"
    with (
        output_file.open("wb") as output,
        subprocess.Popen(
            [sys.executable, *command, *options],
            cwd=cwd,
            env=environment | {"TMPDIR": str(cwd)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield RunningCommand(process, output_file)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, dict[str, object]]:
    """The status and the JSON of an answer."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def wait_until_ready(port: int) -> None:
    """Wait until the default model answers."""
    wait_until(lambda: get(port, "/v2/health/ready")[0] == 200)


def child_processes(pid: int) -> list[int]:
    """The processes that a process has started: for gunicorn's master, its workers."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def has_loaded_jax(pid: int) -> bool:
    """Whether JAX is in the memory of a process."""
    return "jaxlib" in Path(f"/proc/{pid}/maps").read_text()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Ask again and again until it is so, for two minutes at most."""
    end = time.monotonic() + LONGEST_WAIT
    while not is_so():
        assert time.monotonic() < end, f"this never came: {inspect.getsource(is_so)}"
        time.sleep(0.02)
