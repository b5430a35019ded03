"""How much learners slow down predictions: one trains flat out, and another compiles for new networks all the time.

    python -m bench.serving.learners [--seconds 5] [--turns 5]

A service with one worker and a process for learners is asked for predictions over eight connections, in turns: alone,
and while the two learn. It needs Linux and a C compiler.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from bench.serving.__main__ import compile_load
from bench.serving.footprint import megabytes, running
from model.messages import align_columns

RATE_BAR, P99_BAR = 0.5, 5.0
CONNECTIONS = 8
WARM_UP_SECONDS = 2.0
REQUEST = b"GET /predict?a=@@@@@@@@&b=@@@@@@@@ HTTP/1.1\r\nHost: x\r\n\r\n"
TRAINED = {"sizes": [2, 8, 8, 1], "activation": "tanh", "task": "binary"}
MOONS = {"name": "moons", "rows": 500, "noise": 0.1, "seed": 0}
# As many as a call may have: about two seconds of work.
EPOCHS = 4000


class Measured(NamedTuple):
    """What a client saw: answers in a second, the 99th percentile in seconds, and errors."""

    rate: float
    p99: float
    errors: int


class Learners:
    """Two learners, who ask until they are told to stop.

    Args:
        port: of the service.
    """

    def __init__(self, port: int) -> None:
        self.port, self.stopped = port, threading.Event()
        self.trained, self.networks = 0, 0
        self._sizes = iter([])

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Let them learn until the block ends."""
        self.stopped.clear()
        threads = [threading.Thread(target=self._repeat, args=(each,)) for each in (self._train, self._try_another)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        try:
            yield
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()

    def _repeat(self, learn: Callable[[], None]) -> None:
        while not self.stopped.is_set():
            learn()

    def _train(self) -> None:
        params = self._ask("start", network=TRAINED, start={"seed": 0})["params"]
        body = {"network": TRAINED, "params": params, "table": MOONS, "epochs": EPOCHS}
        self._ask("train", **body, training={"optimizer": "adam", "learning_rate": 0.01})
        self.trained += EPOCHS

    def _try_another(self) -> None:
        """Ask all about a network that nobody has had before."""
        sizes = next(self._sizes, None)
        if sizes is None:
            self._sizes = product(range(1, 9), range(1, 9), range(1, 9))
            sizes = next(self._sizes)
        network = {"sizes": [2, *sizes, 1], "activation": "tanh", "task": "binary"}
        params = self._ask("start", network=network, start={"seed": 1})["params"]
        body = {"network": network, "params": params, "table": {"name": "moons", "rows": 50}}
        self._ask("gradients", **body, parameter="0.weight[0,0]", epsilon=1e-4)
        self._ask("train", **body, epochs=10)
        self.networks += 1

    def _ask(self, name: str, **body: Any) -> Any:
        url = f"http://127.0.0.1:{self.port}/learn/{name}"
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=120) as reply:
            return json.load(reply)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement (5)")
    parser.add_argument("--turns", type=int, default=5, help="measurements of each kind (5)")
    arguments = parser.parse_args()
    alone, beside = [], []
    with tempfile.TemporaryDirectory() as folder:
        load = compile_load(Path(folder))
        train = [sys.executable, "-m", "model", "train", "xor", "--epochs", "1", "--out", f"{folder}/xor.safetensors"]
        subprocess.run(train, check=True, stdout=subprocess.DEVNULL)
        with running(folder, NUDGE_LEARN="1") as (port, worker):
            wait_for_learning(port)
            learners = Learners(port)
            measure(load, port, Path(folder), WARM_UP_SECONDS)
            for _ in range(arguments.turns):
                alone.append(measure(load, port, Path(folder), arguments.seconds))
                with learners.learning():
                    beside.append(measure(load, port, Path(folder), arguments.seconds))
            memory = megabytes(learning_process(worker))
    print(align_columns(table(alone, beside)))
    print(
        f"\nThe learners did {learners.trained:,} epochs and tried {learners.networks} networks. Their process had "
        f"{memory:.0f} MB. Errors: {sum(each.errors for each in alone + beside)}."
    )


def table(alone: list[Measured], beside: list[Measured]) -> list[list[str]]:
    """The lines of the table. Each is the median of the turns."""
    rates, p99s = ([statistics.median(each[index] for each in kind) for kind in (alone, beside)] for index in (0, 1))
    share = statistics.median(after.rate / before.rate for before, after in zip(alone, beside, strict=True))
    slower = statistics.median(after.p99 / before.p99 for before, after in zip(alone, beside, strict=True))
    return [
        ["/predict", "alone", "while two learn", "ratio", "bar"],
        [
            "in a second",
            f"{rates[0]:,.0f}",
            f"{rates[1]:,.0f}",
            f"{share:.2f}",
            bar(share >= RATE_BAR, f"≥ {RATE_BAR}"),
        ],
        [
            "p99, ms",
            f"{p99s[0] * 1e3:.2f}",
            f"{p99s[1] * 1e3:.2f}",
            f"{slower:.2f}",
            bar(slower <= P99_BAR, f"≤ {P99_BAR}"),
        ],
    ]


def bar(is_met: bool, text: str) -> str:
    return text if is_met else f"{text} MISSED"


def measure(load: Path, port: int, folder: Path, seconds: float) -> Measured:
    """Ask for predictions for some seconds."""
    request = folder / "request"
    request.write_bytes(REQUEST)
    run = subprocess.run([load, str(port), str(CONNECTIONS), str(seconds), request], check=True, capture_output=True)
    found = json.loads(run.stdout)
    return Measured(found["requests"] / found["seconds"], found["p99"], found["errors"])


def wait_for_learning(port: int) -> None:
    """Wait until the process for learners answers."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/learn/presets", timeout=60):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)


def learning_process(worker: int) -> int:
    """The process for learners, which has the same parent as a worker."""
    parent = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1]
    first, *_ = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(first)


if __name__ == "__main__":
    main()
