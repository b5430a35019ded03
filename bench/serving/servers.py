"""The servers: started in sessions of their own, asked once whether they answer rightly, and stopped."""

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
from bench.serving.questions import Question, filled

ROOT = Path(__file__).parents[2]
PEERS = ("mlserver", "litserve", "bentoml", "mlflow", "ray")
START, STOP, ANSWER = 90, 20, 10  # seconds
TOLERANCE = 1e-5

# Nothing is sent home, and one worker is one.
ENVIRONMENT = {
    "WEB_CONCURRENCY": "1",
    "NUDGE_LOG_LEVEL": "warning",
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class NotRight(Exception):
    """A server did not start, or its answer is not the prediction; the message says what it did instead."""


class Server:
    """One that runs. python: of its environment. folder: for its files, with the parameters and a checkpoint in it."""

    def __init__(self, name: str, python: str, folder: Path) -> None:
        self.name, self.python, self.folder = name, python, folder
        self.port, self.grpc_port = free_port(), free_port()
        self.log = folder / f"{name}.log"
        place = {
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
                env=os.environ | ENVIRONMENT | place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def command(self) -> list[str]:
        applications = {"nudge": "serve:create_app()", "constant": "bench.serving.peer_constant:app"}
        if self.name not in applications:
            return [self.python, "-m", f"bench.serving.peer_{self.name}"]
        where = ["-c", "serve/gunicorn_conf.py", "-b", f"127.0.0.1:{self.port}"]
        return [self.python, "-m", "gunicorn", *where, applications[self.name]]

    def wait(self, question: Question, forward: Forward) -> None:
        """Return once it answers the question rightly; raises NotRight where it has not done so for START seconds."""
        end = time.monotonic() + START
        while True:
            try:
                self.check(question, forward)
                return
            except (NotRight, OSError, http.client.HTTPException) as error:
                code = self.process.poll()
                if code is not None or time.monotonic() > end:
                    what = f"it ended with status {code}" if code is not None else f"after {START} s: {error}"
                    raise NotRight(f"{what}; the end of its log:\n{self.tail()}") from None
                time.sleep(0.2)

    def check(self, question: Question, forward: Forward) -> None:
        """Ask once, over HTTP or gRPC; raises NotRight where the predictions are not those of the forward pass."""
        if question.request:
            found = self._ask_http(question)
        else:
            answer = self.folder / "answer.npy"
            process = subprocess.run(self.grpc_load(1, 0, answer), capture_output=True, text=True, cwd=ROOT)
            if process.returncode:
                raise NotRight(f"gRPC failed: {process.stderr.strip().splitlines()[-1:]}")
            found = np.load(answer)
        if self.name == "constant":
            return
        expected = forward(question.rows)
        if found.shape != expected.shape or not np.max(np.abs(found - expected)) <= TOLERANCE:
            raise NotRight(f"its predictions are not the network's: {found[:3]} …, not {expected[:3]} …")

    def _ask_http(self, question: Question) -> np.ndarray:
        with socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER) as connection:
            connection.sendall(filled(question.request, question.rows))
            response = http.client.HTTPResponse(connection)
            response.begin()
            body = response.read()
        headers: Mapping[str, str] = {name.lower(): value for name, value in response.getheaders()}
        if response.status != 200:
            raise NotRight(f"it answers {response.status}: {body[:200].decode(errors='replace').strip()}")
        try:
            return question.read(headers, body)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise NotRight(f"its answer cannot be read ({error!r}): {body[:200].decode(errors='replace')}") from None

    def grpc_load(self, connections: int, seconds: float, *answer: Path) -> list[Any]:
        program = [self.python, "-m", "bench.serving.load_grpc"]
        return [*program, str(self.grpc_port), str(connections), str(seconds), self.folder / "rows.npy", *answer]

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(f"    {line[:200]}" for line in lines[-8:])

    def stop(self) -> None:
        """SIGTERM to all that it started, and SIGKILL to what is left of that."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for group in self._groups():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, number)
            end = time.monotonic() + STOP
            while time.monotonic() < end and self._groups():
                time.sleep(0.05)
        self.process.wait()

    def _groups(self) -> set[int]:
        """The process groups of its session, in which Ray gives every worker one of its own."""
        self.process.poll()
        groups = set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, group, session = stat.read_text().rpartition(")")[2].split()[:4]
                if int(session) == self.process.pid and state != "Z":
                    groups.add(int(group))
        return groups


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
