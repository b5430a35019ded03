"""One epoch of a million rows from a CSV file, compared to PyTorch and scikit-learn.

    python -m bench.million [--torch-python PYTHON] [--rows 1000000] [--turns 3]

Each library trains a 64-64 network with Adam on shuffled rows, in batches of 1,024 and of 256 rows. Each run has its
own process, and the libraries take turns. The time is measured from the opening of the file to the end of the epoch.
It includes compiling, but not the imports.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, TARGET, HIDDEN = 30, "target", (64, 64)
BATCH_SIZES = (1024, 256)
# The memory that is taken after the imports is less than so many times the table in float32.
MEMORY_BAR = 3.0
# Variables that the processes do not inherit: a cache would hide the compiling, and polars sets the other one to tell
# its allocator how to treat this process.
DROPPED_VARIABLES = ("JAX_COMPILATION_CACHE_DIR", "_RJEM_MALLOC_CONF")

# What a run measures, by name: seconds, megabytes, and the loss.
Measurements = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter with torch, polars and numpy")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--worker", nargs=3, metavar=("NAME", "FILE", "BATCH_SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, path, batch_size = options.worker
        print(json.dumps(WORKERS[name](path, int(batch_size))))
        return
    pythons = {"nudge": sys.executable, "PyTorch": options.torch_python, "scikit-learn": sys.executable}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "million.csv")
        write_table(path, options.rows)
        print(f"{options.rows:,} rows, {COLUMNS} columns, {path.stat().st_size / 1e6:.0f} MB of CSV.")
        path.read_bytes()  # into the page cache, for every library
        runs: dict[tuple[int, str], list[Measurements]] = {}
        for _ in range(options.turns):
            for batch_size in BATCH_SIZES:
                for name, python in pythons.items():
                    runs.setdefault((batch_size, name), []).append(run_worker(python, name, path, batch_size))
    show(runs, options.rows)


def write_table(path: Path, rows: int) -> None:
    """Write normally distributed columns and a target that a small random network gives them."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, COLUMNS)).round(6)
    score = np.tanh(x @ rng.normal(size=(COLUMNS, 8)) / COLUMNS**0.5) @ rng.normal(size=8)
    frame = pl.DataFrame({f"x{index}": x[:, index] for index in range(COLUMNS)})
    target = (score + 0.5 * rng.normal(size=rows) > 0).astype(np.int64)
    frame.with_columns(pl.Series(TARGET, target)).write_csv(path)


def run_worker(python: str, name: str, path: Path, batch_size: int) -> Measurements:
    """Run one library in its own process."""
    environment = {name: value for name, value in os.environ.items() if name not in DROPPED_VARIABLES}
    command = [python, "-m", "bench.million", "--worker", name, str(path), str(batch_size)]
    process = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    measurements: Measurements = json.loads(process.stdout.splitlines()[-1])
    return measurements


class Stopwatch:
    """Measures the seconds of each part and the memory. It starts when the imports are done."""

    def __init__(self) -> None:
        self.start_memory = process_memory("VmRSS")
        self.seconds: Measurements = {}
        self.part_start = time.perf_counter()

    def end_part(self, name: str) -> None:
        """Store the seconds since the start, or since the end of the part before."""
        now = time.perf_counter()
        self.seconds[name], self.part_start = now - self.part_start, now

    def measurements(self, loss: float) -> Measurements:
        peak = process_memory("VmHWM")
        return self.seconds | {"growth": peak - self.start_memory, "peak": peak, "loss": float(loss)}


def process_memory(name: str) -> float:
    """A number of the kernel about the memory of this process, in MB."""
    match = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024 / 1e6


def train_nudge(path: str, batch_size: int) -> Measurements:
    import jax

    import model.tables.reading  # noqa: F401
    from model.tables.from_file import read_table
    from model.training.defaults import default_network
    from model.training.fit import train

    stopwatch = Stopwatch()
    table = read_table(path, TARGET)
    stopwatch.end_part("read")
    network = default_network(table, HIDDEN)
    options: dict[str, Any] = {
        "restarts": 1,
        "ensemble": 1,
        "epochs": 1,
        "validation": 0.0,
        "batch_size": batch_size,
        "log_every": 1,
    }
    (progress,) = train(network, table, key=jax.random.key(0), **options)
    stopwatch.end_part("epoch")
    progress.result()
    stopwatch.end_part("metrics")
    return stopwatch.measurements(progress.records[-1].losses[-1, 0])


def train_torch(path: str, batch_size: int) -> Measurements:
    import numpy as np
    import polars as pl
    import torch

    stopwatch = Stopwatch()
    frame = pl.read_csv(path)
    x = frame.drop(TARGET).to_numpy()
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(frame[TARGET].to_numpy().astype(np.float32))
    stopwatch.end_part("read")
    torch.manual_seed(0)
    first, second = HIDDEN
    network = torch.nn.Sequential(
        torch.nn.Linear(COLUMNS, first),
        torch.nn.ReLU(),
        torch.nn.Linear(first, second),
        torch.nn.ReLU(),
        torch.nn.Linear(second, 1),
    )
    optimizer = torch.optim.Adam(network.parameters())
    loss_function = torch.nn.BCEWithLogitsLoss()
    order, total_loss, steps = torch.randperm(len(inputs)), 0.0, 0
    for start in range(0, len(inputs), batch_size):
        batch = order[start : start + batch_size]
        optimizer.zero_grad()
        loss = loss_function(network(inputs[batch])[:, 0], targets[batch])
        loss.backward()
        optimizer.step()
        total_loss, steps = total_loss + loss.item(), steps + 1
    stopwatch.end_part("epoch")
    return stopwatch.measurements(total_loss / steps)


def train_sklearn(path: str, batch_size: int) -> Measurements:
    import warnings

    import polars as pl
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    warnings.simplefilter("ignore", ConvergenceWarning)
    stopwatch = Stopwatch()
    frame = pl.read_csv(path)
    x, y = StandardScaler().fit_transform(frame.drop(TARGET).to_numpy()), frame[TARGET].to_numpy()
    stopwatch.end_part("read")
    network = MLPClassifier(hidden_layer_sizes=HIDDEN, max_iter=1, batch_size=batch_size, random_state=0).fit(x, y)
    stopwatch.end_part("epoch")
    return stopwatch.measurements(network.loss_)


WORKERS: dict[str, Callable[[str, int], Measurements]] = {
    "nudge": train_nudge,
    "PyTorch": train_torch,
    "scikit-learn": train_sklearn,
}


def show(runs: dict[tuple[int, str], list[Measurements]], rows: int) -> None:
    """Print the medians as a table, and then which bars are met."""
    medians = {
        key: {name: statistics.median(each[name] for each in measured) for name in measured[0]}
        for key, measured in runs.items()
    }
    print(
        "\n| rows in a batch | | reading, s | the epoch, s | together, s | after the imports, MB | in all, MB | loss |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (batch_size, name), median in medians.items():
        cells = [f"{batch_size:,}", name, f"{median['read']:.2f}", f"{median['epoch']:.2f}"]
        cells += [f"{training_time(median):.2f}", f"{median['growth']:.0f}", f"{median['peak']:.0f}"]
        print(f"| {' | '.join([*cells, format(median['loss'], '.4f')])} |")
    print()
    for batch_size in dict.fromkeys(batch_size for batch_size, _ in medians):
        show_bars(batch_size, {name: medians[batch_size, name] for name in WORKERS}, rows)
    print(f"\nMedians of {len(next(iter(runs.values())))} runs in turns.")


def show_bars(batch_size: int, medians: dict[str, Measurements], rows: int) -> None:
    """Print which bars are met with batches of one size."""
    nudge, start = medians["nudge"], f"Batches of {batch_size:,}:"
    for other in ("PyTorch", "scikit-learn"):
        ratio = training_time(nudge) / training_time(medians[other])
        print(f"{start} {ratio:.2f} of the time of {other}, bar below 1{met_or_missed(ratio < 1)}.")
    table_megabytes = rows * COLUMNS * 4 / 1e6
    share = nudge["growth"] / table_megabytes
    print(f"{start} memory {share:.2f} × the float32 table, bar {MEMORY_BAR:g}{met_or_missed(share < MEMORY_BAR)}.")
    print(f"{start} the metrics of all rows take {nudge['metrics']:.2f} s more, which are not in these times.")


def training_time(measurements: Measurements) -> float:
    """The seconds from the opening of the file to the end of the epoch."""
    return measurements["read"] + measurements["epoch"]


def met_or_missed(is_met: bool) -> str:
    return ", met" if is_met else ", MISSED"


if __name__ == "__main__":
    main()
