"""64 starts on two devices and two cores, against one device on one core: how much faster are they?

    python -m bench.two_devices

The starts of XOR, and of a table of 1,000 rows and 8 columns. The programs are compiled before, and the two take turns.
The bar: two devices are at least 1.8 times as fast.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from model.messages import align_columns

TURNS, RESTARTS, ROWS, COLUMNS, BAR = 5, 64, 1000, 8, 1.8
EPOCHS = {"XOR": 4_000_000, "a table": 100}


def main() -> None:
    workers = {devices: start(devices) for devices in (1, 2)}
    rows = [["64 starts of", "one device, s", "two devices, s", "ratio, median (least, most)", "bar"]]
    for name in EPOCHS:
        seconds: dict[int, list[float]] = {devices: [] for devices in workers}
        for _ in range(TURNS + 1):
            for devices, worker in workers.items():
                seconds[devices].append(ask(worker, name))
        one, two = (each[1:] for each in seconds.values())  # the first one compiles
        ratios = [a / b for a, b in zip(one, two, strict=True)]
        median = statistics.median(ratios)
        bar = f"at least {BAR}" + ("" if median >= BAR else ", missed")
        spread = f"{median:.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
        rows.append([name, f"{min(one):.2f}", f"{min(two):.2f}", spread, bar])
    for worker in workers.values():
        worker.communicate("")
    print(align_columns(rows))


def start(devices: int) -> subprocess.Popen[str]:
    """A process with so many devices, on as many cores."""
    return subprocess.Popen(
        [sys.executable, "-m", "bench.two_devices", str(devices)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)},
    )


def ask(worker: subprocess.Popen[str], name: str) -> float:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(f"{name}\n")
    worker.stdin.flush()
    seconds: float = json.loads(worker.stdout.readline())
    return seconds


def answer(devices: int) -> None:
    """Train what standard input names, and print the seconds."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:devices]))
    import jax

    from model import Network, fit, table_from, truth_table
    from model.commands.jax_setup import configure_jax

    configure_jax()
    assert jax.device_count() == devices
    table, options = table_from(columns(), target="y"), {"encodings": "numbers", "patience": 100}
    jobs: dict[str, tuple[Network, Any, dict[str, Any]]] = {
        "XOR": (Network((2, 2, 1)), truth_table("xor"), {}),
        "a table": (Network((COLUMNS, 64, 64, 1)), table, options),
    }
    for line in sys.stdin:
        network, data, settings = jobs[name := line.strip()]
        started = time.perf_counter()
        fit(network, data, key=jax.random.key(0), epochs=EPOCHS[name], restarts=RESTARTS, **settings)
        print(json.dumps(time.perf_counter() - started), flush=True)


def columns() -> dict[str, Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, COLUMNS))
    y = x[:, 0] * x[:, 1] + rng.normal(size=ROWS) > 0
    return {f"x{index}": x[:, index] for index in range(COLUMNS)} | {"y": y.astype(int)}


if __name__ == "__main__":
    answer(int(sys.argv[1])) if len(sys.argv) > 1 else main()
