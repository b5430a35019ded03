"""A million rows from a CSV file to the end of an epoch: Nudge beside PyTorch and scikit-learn.

    python -m bench.million [--torch-python PYTHON] [--turns 3]

Each library trains a 64-64 network with Adam on shuffled rows, in batches of 1,024 and of 256 rows. Each run has its
own process, and the libraries take turns. The time is measured from the opening of the file to the end of the epoch.
It includes compiling, but not the imports.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.comparisons import Comparison, LeftOut, Part
from bench.contestants import ask_once
from bench.part import Options, run_part

COLUMNS, TARGET, HIDDEN = 30, "target", (64, 64)
ROWS, BATCH_SIZES = 1_000_000, (1024, 256)
NUDGE, TORCH, SKLEARN = "Nudge", "PyTorch with polars", "scikit-learn with pandas"
# The memory that is taken after the imports is less than so many times the table in float32.
MEMORY_BAR = 3.0

# What a run measures, by name: seconds, megabytes, and the loss.
Measurements = dict[str, float]


def measure(options: Options) -> Part:
    """The seconds and the memory of each library, in turns."""
    rows = 2_000 if options.tiny else ROWS
    pythons = dict.fromkeys(WORKERS, sys.executable) | {TORCH: options.torch_python}
    left_out = [] if options.torch_python else [LeftOut(TORCH, "it is not installed here")]
    runs: dict[tuple[int, str], list[Measurements]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "million.csv")
        write_table(path, rows)
        path.read_bytes()  # into the page cache, for every library
        for turn in range(1 + options.turns):  # the first reads everything from the disk, and does not count
            for batch_size in BATCH_SIZES if turn else BATCH_SIZES[:1]:
                for name, python in pythons.items():
                    if python:
                        arguments = ("--worker", name, str(path), str(batch_size))
                        found = ask_once("bench.million", *arguments, python=python)
                        runs.setdefault((batch_size, name), []).extend([found] if turn else [])
        megabytes = path.stat().st_size / 1e6
    comparisons = [each for batch_size in BATCH_SIZES for each in compare(runs, rows, batch_size)]
    note = f"The file has {COLUMNS} columns and {megabytes:,.0f} MB. Compiling counts, the imports do not."
    return Part(comparisons, left_out=left_out, notes=[note])


def compare(runs: dict[tuple[int, str], list[Measurements]], rows: int, batch_size: int) -> Iterator[Comparison]:
    """Nudge beside each other library, and beside the table in float32."""
    what = f"{rows:,} rows from a CSV file to the end of an epoch, {batch_size:,} a step"
    memory = f"{what}: memory beyond the imports"
    ours = runs[batch_size, NUDGE]
    for name in WORKERS:
        others = runs.get((batch_size, name), ())
        if others and name != NUDGE:
            yield Comparison(what, name, "s", [*map(training_time, ours)], [*map(training_time, others)], 1.0)
            yield Comparison(memory, name, "MB", grown(ours), grown(others), 1.0)
    table_megabytes = rows * COLUMNS * 4 / 1e6
    yield Comparison(memory, "the table in float32", "MB", grown(ours), [table_megabytes] * len(ours), MEMORY_BAR)


def grown(measured: Sequence[Measurements]) -> list[float]:
    return [each["growth"] for each in measured]


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
    """A number of Linux about the memory of this process, in MB."""
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

    import pandas as pd
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    warnings.simplefilter("ignore", ConvergenceWarning)
    stopwatch = Stopwatch()
    frame = pd.read_csv(path)
    x, y = StandardScaler().fit_transform(frame.drop(columns=TARGET).to_numpy()), frame[TARGET].to_numpy()
    stopwatch.end_part("read")
    network = MLPClassifier(hidden_layer_sizes=HIDDEN, max_iter=1, batch_size=batch_size, random_state=0).fit(x, y)
    stopwatch.end_part("epoch")
    return stopwatch.measurements(network.loss_)


WORKERS: dict[str, Callable[[str, int], Measurements]] = {
    NUDGE: train_nudge,
    TORCH: train_torch,
    SKLEARN: train_sklearn,
}


def training_time(measurements: Measurements) -> float:
    """The seconds from the opening of the file to the end of the epoch."""
    return measurements["read"] + measurements["epoch"]


if __name__ == "__main__":
    if "--worker" in sys.argv:
        _, _, library, file, size = sys.argv
        print(json.dumps(WORKERS[library](file, int(size))))
    else:
        run_part(measure, __doc__)
