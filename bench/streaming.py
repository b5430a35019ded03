"""Tables that stay in a file while they are learned from, compared to the same tables in memory.

    python -m bench.streaming [--megabytes 2400] [--columns 250] [--epochs 3] [--formats parquet csv] [--folder FOLDER]

A table of so many megabytes in float32 is written as a Parquet and as a CSV file. Each file is read and trained with its
rows in a temporary file, and then with its rows in memory and the same windows, each in a process of its own. The memory
is the peak after the imports. The speed is that of the epochs from the second on, in rows a second. For comparison, the
last line of each file is a run in memory without windows, as it is by default.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.million import DROPPED_VARIABLES, ROOT, TARGET, met_or_missed, process_memory

BLOCK_ROWS = 20_000
# The float32 table is at least so many times the memory that is taken after the imports.
MEMORY_BAR = 5.0
# The speed is at least this share of that in memory.
SPEED_BAR = 0.8
TRAINING: dict[str, Any] = {"restarts": 2, "ensemble": 2, "encodings": ("numbers",), "validation": 0.1, "log_every": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2400)
    parser.add_argument("--columns", type=int, default=250)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--formats", nargs="+", default=["parquet", "csv"], choices=["parquet", "csv"])
    parser.add_argument("--folder", help="for the files; by default that for temporary files")
    parser.add_argument("--worker", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(train_file(*options.worker, options.epochs)))
        return
    rows = options.megabytes * 1_000_000 // (4 * options.columns)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        files = write_table(Path(folder), rows, options.columns)
        for each in options.formats:
            print(f"\n{rows:,} rows, {options.columns} columns, {files[each].stat().st_size / 1e6:,.0f} MB of {each}.")
            show({kind: run_worker(kind, files[each], options.epochs) for kind in KINDS}, rows, options.columns)


def write_table(folder: Path, rows: int, columns: int) -> dict[str, Path]:
    """Write normally distributed columns of two decimals and a target that depends on their sum, block by block."""
    import numpy as np
    import polars as pl

    csv, parquet, rng = folder / "table.csv", folder / "table.parquet", np.random.default_rng(0)
    with csv.open("wb") as file:
        for start in range(0, rows, BLOCK_ROWS):
            x = rng.normal(size=(min(BLOCK_ROWS, rows - start), columns)).round(2)
            target = x[:, ::2].sum(axis=1) - x[:, 1::2].sum(axis=1) + 0.3 * columns**0.5 * rng.normal(size=len(x)) > 0
            frame = pl.DataFrame({f"x{index}": x[:, index] for index in range(columns)})
            frame.with_columns(pl.Series(TARGET, target.astype(int))).write_csv(file, include_header=not start)
    pl.scan_csv(csv).sink_parquet(parquet)
    return {"csv": csv, "parquet": parquet}


def run_worker(kind: str, path: Path, epochs: int) -> dict[str, Any]:
    """Run one kind of training in its own process."""
    environment = {name: value for name, value in os.environ.items() if name not in DROPPED_VARIABLES}
    command = [sys.executable, "-m", "bench.streaming", "--epochs", str(epochs), "--worker", kind, str(path)]
    process = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return measured


# In a temporary file; in memory with the same windows; in memory without windows.
KINDS = ("file", "memory", "whole")


def train_file(kind: str, path: str, epochs: int) -> dict[str, Any]:
    """Read and train a file, up to its checkpoint, and measure what that takes."""
    import jax
    import polars  # noqa: F401

    import model.tables.reading  # noqa: F401
    from model.tables.from_file import read_table
    from model.tables.streamed_table import Streaming
    from model.training.defaults import default_network, default_window
    from model.training.fit import train
    from model.training.result import make_checkpoint

    before, start = process_memory("VmHWM"), time.perf_counter()
    streaming = Streaming(always=True, say=lambda note: None) if kind == "file" else None
    table = read_table(path, TARGET, streaming=streaming)
    read = time.perf_counter() - start
    ends, losses = [], []
    window = None if kind == "whole" else default_window(table)
    options = TRAINING | {"epochs": epochs, "window": window, "stretch_seconds": 1e9 if window else 1e-9}
    for progress in train(default_network(table), table, key=jax.random.key(0), **options):
        ends.append(time.perf_counter())
        losses.append(progress.records[-1].losses[-1].tolist())
    checkpoint = make_checkpoint(progress.result(), table, table_name="table", seed=0)
    return {
        "read": read,
        "epoch": (ends[-1] - ends[0]) / (len(ends) - 1),
        "memory": process_memory("VmHWM") - before,
        "losses": losses,
        "metric": checkpoint.training.metrics["log loss"],
    }


def show(runs: dict[str, dict[str, Any]], rows: int, columns: int) -> None:
    """Print what was measured, and which bars are met."""
    print("\n| rows are | reading, s | an epoch, s | rows/s | memory, MB | training loss | log loss |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kind, run in runs.items():
        name = {"file": "in a file", "memory": "in memory", "whole": "in memory, no windows"}[kind]
        cells = [
            name,
            f"{run['read']:.1f}",
            f"{run['epoch']:.2f}",
            f"{rows / run['epoch']:,.0f}",
            f"{run['memory']:.0f}",
        ]
        print(f"| {' | '.join([*cells, format(run['losses'][-1][0], '.7f'), format(run['metric'], '.7f')])} |")
    in_file, in_memory = runs["file"], runs["memory"]
    share = rows * columns * 4 / 1e6 / in_file["memory"]
    print(f"\nThe table is {share:.1f} × the memory, bar {MEMORY_BAR:g}{met_or_missed(share >= MEMORY_BAR)}.")
    speed = in_memory["epoch"] / in_file["epoch"]
    print(f"The speed is {speed:.0%} of that in memory, bar {SPEED_BAR:.0%}{met_or_missed(speed >= SPEED_BAR)}.")
    same = in_file["losses"] == in_memory["losses"] and in_file["metric"] == in_memory["metric"]
    print(f"The losses are those in memory, to the bit{met_or_missed(same)}.")


if __name__ == "__main__":
    main()
