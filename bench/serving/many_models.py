"""A service with two hundred models of different shapes, compared with a service with one of them.

    python -m bench.serving.many_models [--models 200]

It measures the time to the first answer, the time until every model answers and until every program is compiled, with
nothing in the cache of programs and with all of them in it, the memory of each model beyond its params, how long an
answer of the default model takes meanwhile, and the time from SIGTERM to the end while XLA compiles.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.serving.footprint import megabytes
from model import Checkpoint, Layer, Network, TrainingRecord, save
from model.ensembles import Members
from model.messages import align_columns

FIRST_ANSWER_BAR, MEMORY_BAR, END_BAR = 1.5, 2.0, 2.0
MEMBERS = 4  # as many networks as most trained checkpoints have
DEFAULT = "default"
TURNS = 5


@dataclass
class Run:
    """What one start took, in seconds and megabytes."""

    first_answer: float
    all_answer: float = 0.0
    all_compiled: float = 0.0
    memory: float = 0.0
    slowest_answer: float = 0.0
    end: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=200)
    count = parser.parse_args().models
    with tempfile.TemporaryDirectory() as folder:
        one, many = Path(folder, "one"), Path(folder, "many")
        write_checkpoint(one, DEFAULT, 16)
        sizes = [write_checkpoint(many, DEFAULT, 16)]
        sizes += [write_checkpoint(many, f"model-{index}", 17 + index) for index in range(count - 1)]
        first, firsts = [], []
        for _ in range(TURNS):
            firsts.append(start(one, folder, until="answer").first_answer)
            first.append(start(many, folder, until="answer").first_answer)
        end = statistics.median(start(many, f"{folder}/empty-{turn}", until="compiling").end for turn in range(TURNS))
        alone = start(one, folder, until="compiled")
        cold = start(many, f"{folder}/cold", until="compiled")
        warm = start(many, f"{folder}/cold", until="compiled")
    ratio = statistics.median(many / one for many, one in zip(first, firsts, strict=True))
    beyond = (cold.memory - alone.memory - sum(sizes[1:])) / (count - 1)
    rows = [
        ["", "one model", f"{count} models", "", "bar"],
        ["to the first answer", f"{statistics.median(firsts):.2f} s", f"{statistics.median(first):.2f} s"],
        ["", "", "", f"{ratio:.2f} ×", bar(ratio, FIRST_ANSWER_BAR)],
        ["until every model answers", f"{alone.all_answer:.2f} s", f"{cold.all_answer:.2f} s"],
        ["until all is compiled", f"{alone.all_compiled:.1f} s", f"{cold.all_compiled:.1f} s"],
        ["the same with the programs in the cache", "", f"{warm.all_compiled:.1f} s"],
        ["slowest answer of the default model meanwhile", "", f"{1000 * cold.slowest_answer:.0f} ms"],
        ["memory of the worker", f"{alone.memory:.0f} MB", f"{cold.memory:.0f} MB"],
        ["memory of a model beyond its params", "", f"{beyond:.2f} MB", "", bar(beyond, MEMORY_BAR)],
        ["from SIGTERM to the end while XLA compiles", "", f"{end:.2f} s", "", bar(end, END_BAR)],
    ]
    print(align_columns([row + [""] * (5 - len(row)) for row in rows]))


def bar(value: float, limit: float) -> str:
    return f"{limit}" + ("" if value <= limit else "  MISSED")


def write_checkpoint(folder: Path, name: str, units: int) -> float:
    """Write a checkpoint with random params, and return the megabytes of its params."""
    inputs = 4 + units % 23
    network, rng = Network((inputs, units, units, 1)), np.random.default_rng(units)
    params = [
        Layer(
            rng.normal(0, rows**-0.5, (MEMBERS, rows, columns)).astype(np.float32),
            np.zeros((MEMBERS, columns), np.float32),
        )
        for rows, columns in ((inputs, units), (units, units), (units, 1))
    ]
    record = TrainingRecord(table="random", epoch=0, loss=0.7, seed=0)
    columns = tuple(f"x{index}" for index in range(inputs))
    save(folder / f"{name}.safetensors", Checkpoint((Members(network, params),), columns, "y", (0, 1), record))
    return sum(leaf.nbytes for layer in params for leaf in layer) / 1e6


def start(folder: Path, cache: str, until: str) -> Run:
    """Start a service with one worker, and end it when it has answered, when it compiles, or when all is compiled."""
    columns = "&".join(f"x{index}=0.5" for index in range(4 + 16 % 23))
    began = time.perf_counter()
    with running(folder, cache) as (process, port):
        while True:
            try:
                ask(port, f"/predict?{columns}")
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.005)
        run = Run(time.perf_counter() - began)
        (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        while until == "compiling" and not metric(port, "nudge_compilations_total") > 0:
            time.sleep(0.01)
        files = len(list(folder.glob("*.safetensors")))
        compiled, since = -1.0, time.perf_counter()
        while until == "compiled" and time.perf_counter() - since < 3:
            asked = time.perf_counter()
            ask(port, f"/predict?{columns}")
            run.slowest_answer = max(run.slowest_answer, time.perf_counter() - asked)
            if metric(port, "nudge_model_workers") == files:
                run.all_answer = run.all_answer or time.perf_counter() - began
            if metric(port, "nudge_compilations_total") != compiled:
                compiled, since = metric(port, "nudge_compilations_total"), time.perf_counter()
                run.all_compiled = since - began
            time.sleep(0.02)
        run.memory = megabytes(int(worker))
        ended = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        run.end = time.perf_counter() - ended
    return run


def ask(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as reply:
        return str(reply.read().decode())


def metric(port: int, name: str) -> float:
    """The sum of a metric over its labels."""
    return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", ask(port, "/metrics"), re.MULTILINE)))


@contextmanager
def running(folder: Path, cache: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a service until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"NUDGE_CHECKPOINTS": str(folder), "NUDGE_MODEL": DEFAULT, "WEB_CONCURRENCY": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "serve", "--bind", f"127.0.0.1:{port}"],
        cwd=Path(__file__).parents[2],
        env=os.environ | settings | {"JAX_COMPILATION_CACHE_DIR": cache},
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process, port
        finally:
            process.kill()


if __name__ == "__main__":
    main()
