"""How long the service takes to its first answer, and how much memory a worker has, beside `import jax` alone.

    python -m bench.serving.footprint [--turns 5]

A worker is measured once it has answered; its memory is what it has resident.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from model.text import aligned

TIME_BAR, MEMORY_BAR = 2.0, 1.3
IMPORT = "import jax, sys; print('ready', flush=True); sys.stdin.read()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as folder:
        train = [
            sys.executable,
            "-m",
            "model",
            "train",
            "xor",
            "--epochs",
            "20000",
            "--out",
            f"{folder}/xor.safetensors",
        ]
        subprocess.run(train, check=True, stdout=subprocess.DEVNULL)
        measured = [(imported(), served(folder)) for _ in range(turns)]
    rows = [["", "import jax", "the service", "ratio", "bar"]]
    for name, unit, place, bar in (("to the first answer", "s", 0, TIME_BAR), ("memory", "MB", 1, MEMORY_BAR)):
        alone, service = (statistics.median(pair[side][place] for pair in measured) for side in (0, 1))
        ratio = statistics.median(pair[1][place] / pair[0][place] for pair in measured)
        met = "" if ratio <= bar else "  MISSED"
        rows.append([name, f"{alone:.2f} {unit}", f"{service:.2f} {unit}", f"{ratio:.2f}", f"{bar}{met}"])
    print(aligned(rows))


def imported() -> tuple[float, float]:
    """The seconds of a process that imports JAX and ends, and the megabytes of one that has."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import jax"], check=True)
    seconds = time.perf_counter() - started
    with subprocess.Popen([sys.executable, "-c", IMPORT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        memory = megabytes(process.pid)
        process.kill()
    return seconds, memory


def served(folder: str) -> tuple[float, float]:
    """The seconds from the start of gunicorn to the first 200, and the megabytes of its worker then."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-c", "serve/gunicorn_conf.py", "-b", f"127.0.0.1:{port}"]
    started = time.perf_counter()
    with subprocess.Popen(
        [*command, "serve:create_app()"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"NUDGE_CHECKPOINTS": folder, "WEB_CONCURRENCY": "1"},
        stderr=subprocess.DEVNULL,
    ) as process:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/predict?a=1&b=0", timeout=60):
                    break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.005)
        seconds = time.perf_counter() - started
        (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        memory = megabytes(int(worker))
        process.terminate()
    return seconds, memory


def megabytes(pid: int) -> float:
    """What a process has resident, private or shared."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError(f"no VmRSS of process {pid}")


if __name__ == "__main__":
    main()
