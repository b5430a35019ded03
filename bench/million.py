"""A CSV file of a million rows, read and learnt from for one epoch: beside PyTorch and scikit-learn.

    python -m bench.million [--torch-python PYTHON] [--rows 1000000] [--turns 3]

Each runs in a process of its own, in turns, a 64-64 network with Adam in batches of 1,024 and of 256 rows, the rows
shuffled. What is timed goes from opening the file to the end of the epoch: imports are left out, compiling is not.
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

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, TARGET, HIDDEN = 30, "target", (64, 64)
BATCHES = (1024, 256)
# Memory that is taken beyond the imports: less than so many times the table in float32.
MEMORY_BAR = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter with torch, polars and numpy")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--worker", nargs=3, metavar=("NAME", "FILE", "BATCH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, path, batch = options.worker
        print(json.dumps(WORKERS[name](path, int(batch))))
        return
    pythons = {"nudge": sys.executable, "PyTorch": options.torch_python, "scikit-learn": sys.executable}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "million.csv")
        write(path, options.rows)
        print(f"{options.rows:,} rows, {COLUMNS} columns, {path.stat().st_size / 1e6:.0f} MB of CSV.")
        path.read_bytes()  # into the page cache, for all alike
        runs: dict[tuple[int, str], list[dict[str, float]]] = {}
        for _ in range(options.turns):
            for batch in BATCHES:
                for name, python in pythons.items():
                    runs.setdefault((batch, name), []).append(run(python, name, path, batch))
    show(runs, options.rows)


def write(path: Path, rows: int) -> None:
    """Columns from a normal distribution, and a target that a small random network draws."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, COLUMNS)).round(6)
    score = np.tanh(x @ rng.normal(size=(COLUMNS, 8)) / COLUMNS**0.5) @ rng.normal(size=8)
    frame = pl.DataFrame({f"x{index}": x[:, index] for index in range(COLUMNS)})
    target = (score + 0.5 * rng.normal(size=rows) > 0).astype(np.int64)
    frame.with_columns(pl.Series(TARGET, target)).write_csv(path)


def run(python: str, name: str, path: Path, batch: int) -> dict[str, float]:
    environment = {name: value for name, value in os.environ.items() if name not in DROPPED}
    command = [python, "-m", "bench.million", "--worker", name, str(path), str(batch)]
    process = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return found


# Of the environment: a cache would hide the compiling, and polars tells its allocator here how to treat its children's.
DROPPED = ("JAX_COMPILATION_CACHE_DIR", "_RJEM_MALLOC_CONF")


class Watch:
    """The seconds of each part, and the memory: made when the imports are done."""

    def __init__(self) -> None:
        self.imported, self.seconds = memory("VmRSS"), {}
        self.since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self.since = now - self.since, now

    def found(self, loss: float) -> dict[str, float]:
        peak = memory("VmHWM")
        return self.seconds | {"growth": peak - self.imported, "peak": peak, "loss": float(loss)}


def memory(name: str) -> float:
    """MB of this process."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def ours(path: str, batch: int) -> dict[str, float]:
    import jax

    import model.tables.reading  # noqa: F401
    from model.tables.from_file import read_table
    from model.training.defaults import default_network
    from model.training.fit import train

    watch = Watch()
    table = read_table(path, TARGET)
    watch.lap("read")
    network = default_network(table, HIDDEN)
    options = {"restarts": 1, "ensemble": 1, "epochs": 1, "validation": 0.0, "batch_size": batch, "log_every": 1}
    (progress,) = train(network, table, key=jax.random.key(0), **options)
    watch.lap("epoch")
    progress.result()
    watch.lap("metrics")
    return watch.found(progress.records[-1].losses[-1, 0])


def torch_(path: str, batch: int) -> dict[str, float]:
    import numpy as np
    import polars as pl
    import torch

    watch = Watch()
    frame = pl.read_csv(path)
    x = frame.drop(TARGET).to_numpy()
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(frame[TARGET].to_numpy().astype(np.float32))
    watch.lap("read")
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
    loss_of = torch.nn.BCEWithLogitsLoss()
    order, total, steps = torch.randperm(len(inputs)), 0.0, 0
    for start in range(0, len(inputs), batch):
        taken = order[start : start + batch]
        optimizer.zero_grad()
        loss = loss_of(network(inputs[taken])[:, 0], targets[taken])
        loss.backward()
        optimizer.step()
        total, steps = total + loss.item(), steps + 1
    watch.lap("epoch")
    return watch.found(total / steps)


def sklearn_(path: str, batch: int) -> dict[str, float]:
    import warnings

    import polars as pl
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    warnings.simplefilter("ignore", ConvergenceWarning)
    watch = Watch()
    frame = pl.read_csv(path)
    x, y = StandardScaler().fit_transform(frame.drop(TARGET).to_numpy()), frame[TARGET].to_numpy()
    watch.lap("read")
    network = MLPClassifier(hidden_layer_sizes=HIDDEN, max_iter=1, batch_size=batch, random_state=0).fit(x, y)
    watch.lap("epoch")
    return watch.found(network.loss_)


WORKERS: dict[str, Callable[[str, int], dict[str, float]]] = {
    "nudge": ours,
    "PyTorch": torch_,
    "scikit-learn": sklearn_,
}


def show(runs: dict[tuple[int, str], list[dict[str, float]]], rows: int) -> None:
    middle = {
        key: {name: statistics.median(found[name] for found in several) for name in several[0]}
        for key, several in runs.items()
    }
    table = rows * COLUMNS * 4 / 1e6
    print("\n| rows a batch | | reading, s | the epoch, s | together, s | beyond the imports, MB | in all, MB | loss |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (batch, name), m in middle.items():
        cells = [f"{batch:,}", name, *(f"{m[part]:.2f}" for part in ("read", "epoch"))]
        cells += [f"{m['read'] + m['epoch']:.2f}", f"{m['growth']:.0f}", f"{m['peak']:.0f}", f"{m['loss']:.4f}"]
        print(f"| {' | '.join(cells)} |")
    print()
    for batch in dict.fromkeys(batch for batch, _ in middle):
        m = middle[batch, "nudge"]
        for other in ("PyTorch", "scikit-learn"):
            ratio = (m["read"] + m["epoch"]) / sum(middle[batch, other][part] for part in ("read", "epoch"))
            print(f"Batches of {batch:,}: {ratio:.2f} of the time of {other}, bar below 1{missed(ratio < 1)}.")
        share = m["growth"] / table
        print(
            f"Batches of {batch:,}: memory {share:.2f} × the float32 table, "
            f"bar {MEMORY_BAR:g}{missed(share < MEMORY_BAR)}."
        )
        print(
            f"Batches of {batch:,}: the metrics of all rows afterwards, {m['metrics']:.2f} s, are not in these times."
        )
    print(f"\nMedians of {len(next(iter(runs.values())))} runs in turns.")


def missed(met: bool) -> str:
    return ", met" if met else ", MISSED"


if __name__ == "__main__":
    main()
