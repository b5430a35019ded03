"""Tables that stay in a file while they are learned from, compared to the same tables in memory.

    python -m bench.streaming [--megabytes 2400] [--columns 250] [--epochs 6] [--formats parquet csv] [--folder FOLDER]

A table of so many megabytes in float32 is written as a Parquet and as a CSV file. Each file is read and trained with
its rows in a temporary file, which shows the memory: the peak after the imports. Then, in another process, three runs
take turns after each epoch, because other work on the machine would slow down one of them: with the rows in a file, in
memory with the same windows, and in memory without windows, as by default. The speed is the median of the epochs from
the second on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contestants import ask_once
from bench.million import TARGET, Measurements, process_memory

if TYPE_CHECKING:
    from model.tables.streamed_table import StreamedTable
    from model.tables.table import Table
    from model.training.result import Progress

BLOCK_ROWS = 20_000
# The float32 table is at least so many times the memory that is taken after the imports.
MEMORY_BAR = 5.0
# The speed is at least this share of that in memory.
SPEED_BAR = 0.8
TRAINING: dict[str, Any] = {"restarts": 2, "ensemble": 2, "encodings": ("numbers",), "validation": 0.1, "log_every": 1}
RUNS = {"file": "in a file", "memory": "in memory with the same windows", "whole": "in memory without windows"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2400)
    parser.add_argument("--columns", type=int, default=250)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--formats", nargs="+", default=["parquet", "csv"], choices=["parquet", "csv"])
    parser.add_argument("--folder", help="for the files; by default that for temporary files")
    parser.add_argument("--worker", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, path = options.worker
        print(json.dumps(WORKERS[name](path, options.epochs)))
        return
    rows = options.megabytes * 1_000_000 // (4 * options.columns)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        files = write_table(Path(folder), rows, options.columns)
        for each in options.formats:
            print(f"\n{rows:,} rows, {options.columns} columns, {files[each].stat().st_size / 1e6:,.0f} MB of {each}.")
            memory, speed = (run_worker(name, files[each], options.epochs) for name in WORKERS)
            show(memory, speed, rows, options.columns)


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


def run_worker(name: str, path: Path, epochs: int) -> Measurements:
    """Measure one thing in its own process."""
    measured: Measurements = ask_once("bench.streaming", "--epochs", str(epochs), "--worker", name, str(path))
    return measured


def read_streamed(path: str) -> StreamedTable:
    from model.tables.from_file import read_table
    from model.tables.streamed_table import StreamedTable, Streaming

    table = read_table(path, TARGET, streaming=Streaming(always=True, say=lambda note: None))
    assert isinstance(table, StreamedTable)
    return table


def epochs_of(table: Table, epochs: int, has_windows: bool = True) -> Iterator[Progress]:
    """Train, and yield after each epoch."""
    import jax

    from model.training.defaults import default_network, default_window
    from model.training.fit import train

    window = default_window(table) if has_windows else None
    # An epoch in windows is cut into pieces of so many seconds, and one without windows is never cut.
    options = TRAINING | {"epochs": epochs, "window": window, "stretch_seconds": 1e9 if has_windows else 1e-9}
    return train(default_network(table), table, key=jax.random.key(0), **options)


def measure_memory(path: str, epochs: int) -> Measurements:
    """Read and train a file, up to its checkpoint."""
    import jax  # noqa: F401
    import polars  # noqa: F401

    import model.tables.reading
    import model.training.fit  # noqa: F401
    from model.training.result import make_checkpoint

    before, start = process_memory("VmHWM"), time.perf_counter()
    table = read_streamed(path)
    read, reading = time.perf_counter() - start, process_memory("VmHWM") - before
    *_, last = epochs_of(table, min(epochs, 2))
    make_checkpoint(last.result(), table, table_name="table", seed=0)
    return {"read": read, "reading": reading, "memory": process_memory("VmHWM") - before}


def measure_speed(path: str, epochs: int) -> Measurements:
    """Train with the rows in a file and in memory, in turns."""
    from model.tables.table import Table

    in_file = read_streamed(path)
    named = {field.name: getattr(in_file, field.name) for field in dataclasses.fields(Table)}
    in_memory = Table(**named)
    runs = {
        "file": epochs_of(in_file, epochs),
        "memory": epochs_of(in_memory, epochs),
        "whole": epochs_of(in_memory, epochs, has_windows=False),
    }
    seconds: dict[str, list[float]] = defaultdict(list)
    losses: dict[str, list[Any]] = {name: [] for name in runs}
    for _ in range(epochs):
        for name, run in runs.items():
            start, used = time.perf_counter(), time.process_time()
            record = next(run).records[-1]
            seconds[name].append(time.perf_counter() - start)
            seconds[f"{name} CPU"].append(time.process_time() - used)
            losses[name].append([record.losses[-1].tolist(), record.validation[-1].tolist()])
    found = {name: statistics.median(each[1:]) for name, each in seconds.items()}
    return found | {"losses": losses["whole"][-1][0][0], "is_same": float(losses["file"] == losses["memory"])}


WORKERS = {"memory": measure_memory, "speed": measure_speed}


def show(memory: Measurements, speed: Measurements, rows: int, columns: int) -> None:
    """Print what was measured, and which bars are met."""
    print(f"Reading takes {memory['read']:.1f} s and {memory['reading']:.0f} MB.")
    for name, words in RUNS.items():
        used = speed[f"{name} CPU"]
        print(f"An epoch {words} takes {speed[name]:.2f} s, {rows / speed[name]:,.0f} rows/s; {used:.2f} s of a core.")
    share = rows * columns * 4 / 1e6 / memory["memory"]
    print(f"The table is {share:.1f} × the memory of {memory['memory']:.0f} MB, bar {MEMORY_BAR:g}", end="")
    print(f"{met_or_missed(share >= MEMORY_BAR)}.")
    for name in ("memory", "whole"):
        ratio = speed[name] / speed["file"]
        print(f"The speed is {ratio:.0%} of that {RUNS[name]}, bar {SPEED_BAR:.0%}{met_or_missed(ratio >= SPEED_BAR)}.")
    print(f"The losses are those in memory with the same windows, to the bit{met_or_missed(bool(speed['is_same']))}.")


def met_or_missed(is_met: bool) -> str:
    return ", met" if is_met else ", MISSED"


if __name__ == "__main__":
    main()
