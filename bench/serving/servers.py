"""The servers: each is started in its own session, checked once for a right answer, and stopped at the end."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.serving.forward import Forward
from bench.serving.questions import Question, fill_placeholders

ROOT = Path(__file__).parents[2]
PEERS = ("mlserver", "litserve", "bentoml", "mlflow", "ray")
# The servers that compute nothing: under the worker of Nudge, and under gunicorn's own.
CONSTANT = ("worker", "gthread")
START_SECONDS, STOP_SECONDS, ANSWER_SECONDS = 90, 20, 10
TOLERANCE = 1e-5

# No server sends usage statistics, and each has one worker.
ENVIRONMENT = {
    "WEB_CONCURRENCY": "1",
    "NUDGE_LOG_LEVEL": "warning",
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class WrongAnswer(Exception):
    """A server does not start, or gives a wrong answer. The message says what it did instead."""


class Server:
    """A running server.

    Args:
        name: its name, such as "nudge" or "mlserver".
        python: the Python interpreter of its environment.
        folder: a folder for its files, which contains the parameters and a checkpoint.
    """

    def __init__(self, name: str, python: str, folder: Path) -> None:
        self.name, self.python, self.folder = name, python, folder
        self.port, self.grpc_port = free_port(), free_port()
        self.log = folder / f"{name}.log"
        variables = {
            "PYTHONPATH": str(ROOT),
            "PORT": str(self.port),
            "GRPC_PORT": str(self.grpc_port),
            "FOLDER": str(folder),
            "PARAMETERS": str(folder / "parameters.npz"),
            "NUDGE_CHECKPOINTS": str(folder),
            "BENTOML_HOME": str(folder / "bentoml"),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=os.environ | ENVIRONMENT | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def command(self) -> list[str]:
        configured = ["-c", "serve/gunicorn_conf.py"]
        options = {
            "nudge": [*configured, "serve:create_app()"],
            "worker": [*configured, "bench.serving.peer_constant:app"],
            "gthread": ["-k", "gthread", "--threads", "4", "--keep-alive", "80", "bench.serving.peer_constant:app"],
        }
        if self.name not in options:
            return [self.python, "-m", f"bench.serving.peer_{self.name}"]
        return [self.python, "-m", "gunicorn", "-b", f"127.0.0.1:{self.port}", *options[self.name]]

    def wait(self, question: Question, forward: Forward) -> None:
        """Wait until the server gives the right answer. Raises WrongAnswer if it gives none in START_SECONDS."""
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.check(question, forward)
                return
            except (WrongAnswer, OSError, http.client.HTTPException) as error:
                code = self.process.poll()
                if code is not None or time.monotonic() > end:
                    reason = f"it ended with status {code}" if code is not None else f"after {START_SECONDS} s: {error}"
                    raise WrongAnswer(f"{reason}; the end of its log:\n{self.log_tail()}") from None
                time.sleep(0.2)

    def check(self, question: Question, forward: Forward) -> None:
        """Ask once, by HTTP or gRPC. Raises WrongAnswer if the predictions are not those of the forward pass."""
        if question.request:
            predictions = self._ask_http(question)
        else:
            answer = self.folder / "answer.npy"
            process = subprocess.run(self.grpc_command(1, 0, answer), capture_output=True, text=True, cwd=ROOT)
            if process.returncode:
                raise WrongAnswer(f"gRPC failed: {process.stderr.strip().splitlines()[-1:]}")
            predictions = np.load(answer)
        if self.name in CONSTANT:
            return
        expected = forward(question.rows)
        if predictions.shape != expected.shape or not np.max(np.abs(predictions - expected)) <= TOLERANCE:
            raise WrongAnswer(f"its predictions are not the network's: {predictions[:3]} …, not {expected[:3]} …")

    def _ask_http(self, question: Question) -> np.ndarray:
        with socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(fill_placeholders(question.request, question.rows))
            response = http.client.HTTPResponse(connection)
            response.begin()
            body = response.read()
        headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        if response.status != 200:
            raise WrongAnswer(f"it answers {response.status}: {body[:200].decode(errors='replace').strip()}")
        try:
            return question.read(headers, body)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise WrongAnswer(f"its answer cannot be read ({error!r}): {body[:200].decode(errors='replace')}") from None

    def grpc_command(self, connections: int, seconds: float, *answer: Path) -> list[Any]:
        program = [self.python, "-m", "bench.serving.load_grpc"]
        return [*program, str(self.grpc_port), str(connections), str(seconds), self.folder / "rows.npy", *answer]

    def log_tail(self) -> str:
        """The end of the server's log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(f"    {line[:200]}" for line in lines[-8:])

    def stop(self) -> None:
        """Send SIGTERM to all processes of the server, and SIGKILL to those that remain."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for group in self._groups():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, number)
            end = time.monotonic() + STOP_SECONDS
            while time.monotonic() < end and self._groups():
                time.sleep(0.05)
        self.process.wait()

    def _groups(self) -> set[int]:
        """The process groups of the server's session. Ray gives every worker its own group."""
        self.process.poll()
        groups = set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, group, session = stat.read_text().rpartition(")")[2].split()[:4]
                if int(session) == self.process.pid and state != "Z":
                    groups.add(int(group))
        return groups


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
