"""The start and the memory of the service, compared with a process that only imports JAX.

    python -m bench.serving.footprint [--turns 5]

It measures the time to the first answer, the resident memory of a worker after that answer, and how much the memory
grows from the first 20,000 requests to 200,000 more. It needs a C compiler for the client (load.c).
"""

from __future__ import annotations

import argparse
import json
import os
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
from pathlib import Path

from bench.serving.__main__ import compile_load
from model.messages import align_columns

TIME_BAR, MEMORY_BAR, GROWTH_BAR = 2.0, 1.3, 1.05
REQUESTS = 200_000
IMPORT_PROGRAM = "import jax, sys; print('ready', flush=True); sys.stdin.read()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as folder:
        command = ["train", "xor", "--epochs", "20000", "--out", f"{folder}/xor.safetensors"]
        subprocess.run([sys.executable, "-m", "model", *command], check=True, stdout=subprocess.DEVNULL)
        measured = [(measure_import(), measure_service(folder)) for _ in range(turns)]
        before, after, requests = measure_growth(Path(folder))
    rows = [["", "import jax", "the service", "ratio", "bar"]]
    for name, unit, index, bar in (("to the first answer", "s", 0, TIME_BAR), ("memory", "MB", 1, MEMORY_BAR)):
        alone, service = (statistics.median(pair[side][index] for pair in measured) for side in (0, 1))
        ratio = statistics.median(pair[1][index] / pair[0][index] for pair in measured)
        met = "" if ratio <= bar else "  MISSED"
        rows.append([name, f"{alone:.2f} {unit}", f"{service:.2f} {unit}", f"{ratio:.2f}", f"{bar}{met}"])
    met = "" if after / before <= GROWTH_BAR else "  MISSED"
    name = f"memory after {requests:,} more requests"
    rows.append([name, f"{before:.2f} MB", f"{after:.2f} MB", f"{after / before:.3f}", f"{GROWTH_BAR}{met}"])
    print(align_columns(rows))


def measure_import() -> tuple[float, float]:
    """The seconds of a process that imports JAX and ends, and the megabytes of a process that has imported it."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import jax"], check=True)
    seconds = time.perf_counter() - started
    with subprocess.Popen(
        [sys.executable, "-c", IMPORT_PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        memory = megabytes(process.pid)
        process.kill()
    return seconds, memory


def measure_service(folder: str) -> tuple[float, float]:
    """The seconds from the start of gunicorn to the first answer, and the megabytes of its worker then."""
    started = time.perf_counter()
    with running(folder) as (_, worker):
        return time.perf_counter() - started, megabytes(worker)


def measure_growth(folder: Path) -> tuple[float, float, int]:
    """The megabytes of a worker before and after at least REQUESTS requests, and the exact number of requests."""
    load, request, requests = compile_load(folder), folder / "request", 0
    request.write_bytes(b"GET /predict?a=@@@@@@@@&b=@@@@@@@@ HTTP/1.1\r\nHost: x\r\n\r\n")

    def ask(port: int, seconds: int) -> int:
        run = subprocess.run([load, str(port), "8", str(seconds), request], check=True, capture_output=True)
        return int(json.loads(run.stdout)["requests"])

    with running(str(folder)) as (port, worker):
        while requests < REQUESTS // 10:
            requests += ask(port, 2)
        before, requests = megabytes(worker), 0
        while requests < REQUESTS:
            requests += ask(port, 10)
        return before, megabytes(worker), requests


@contextmanager
def running(folder: str, **variables: str) -> Iterator[tuple[int, int]]:
    """Run a service with one worker until the block ends. Yields its port and the worker's process, after an answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-c", "serve/gunicorn_conf.py", "-b", f"127.0.0.1:{port}"]
    with subprocess.Popen(
        [*command, "serve:create_app()"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"NUDGE_CHECKPOINTS": folder, "WEB_CONCURRENCY": "1"} | variables,
        stderr=subprocess.DEVNULL,
    ) as process:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/predict?a=1&b=0", timeout=60):
                    break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.005)
        *_, worker = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()  # forked last
        try:
            yield port, int(worker)
        finally:
            process.terminate()


def megabytes(pid: int) -> float:
    """The resident memory of a process, private and shared."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError(f"no VmRSS of process {pid}")


if __name__ == "__main__":
    main()
