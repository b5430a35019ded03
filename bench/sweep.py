"""A sweep against the same runs one by one: through the command line, and in a loop of `fit`.

    python -m bench.sweep [--seeds 2] [--rows 1000] [--epochs 60]

6 shapes × 2 learning rates × the seeds. With --seeds 16 it takes a quarter of an hour. The command line has a cache of
compiled programs that is empty for the sweep and for the runs one by one. The loop of `fit` is warm: all its programs
are compiled before; the sweep in its process compiles its own, and that counts. Bars: at least 5 times faster than the
command line, 1.5 times faster than the loop, and losses that are equal to 1e-5.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHAPES = ((8,), (16,), (32,), (64,), (16, 16), (64, 64))
RATES = (0.01, 0.003)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--skip-command-line", action="store_true", help="only the loop of fit")
    options = parser.parse_args()
    runs = len(SHAPES) * len(RATES) * options.seeds
    print(
        f"{runs} runs on {options.rows:,} rows of 8 columns, at most {options.epochs} epochs, {os.cpu_count()} cores."
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        write_table(path, options.rows)
        if not options.skip_command_line:
            swept, single = time_command_line(path, options.seeds, options.epochs)
            print(
                f"command line: the sweep {swept:.1f} s, one by one {single:.1f} s: {single / swept:.1f} times faster"
            )
        swept, warming, single, difference = time_loop(path, options.seeds, options.epochs)
        print(
            f"in one process: the sweep {swept:.1f} s, the warm loop {single:.1f} s (and {warming:.1f} s to warm): "
            f"{single / swept:.1f} times faster; the losses differ by {difference:.1g}"
        )


def write_table(path: Path, rows: int) -> None:
    """Write normally distributed columns, and two classes that depend on a product of two of them."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 8)).round(3)
    target = np.where(x[:, 0] * x[:, 1] + x[:, 2] + 0.5 * rng.normal(size=rows) > 0, "yes", "no")
    pl.DataFrame({f"x{index}": x[:, index] for index in range(8)} | {"y": target}).write_csv(path)


def time_command_line(path: Path, seeds: int, epochs: int) -> tuple[float, float]:
    """Seconds of `nudge sweep`, and of `nudge train` for each of its runs."""
    nudge = [sys.executable, "-m", "model"]
    common = [str(path), "--target", "y", "--epochs", str(epochs), "--json"]
    shapes, rates = (",".join("x".join(map(str, shape)) for shape in SHAPES), ",".join(map(str, RATES)))

    def run(*arguments: str, cache: str) -> None:
        environment = os.environ | {"XDG_CACHE_HOME": cache, "PYTHONPATH": str(ROOT)}
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        subprocess.run([*nudge, *arguments], cwd=path.parent, env=environment, stdout=subprocess.PIPE, check=True)

    started = time.perf_counter()
    grid = ("--grid", f"hidden={shapes}", "--grid", f"learning_rate={rates}", "--seeds", str(seeds))
    run("sweep", *common, *grid, cache=str(path.parent / "sweep"))
    swept = time.perf_counter() - started
    started = time.perf_counter()
    for shape, rate, seed in product(SHAPES, RATES, range(seeds)):
        own = ("--hidden", ",".join(map(str, shape)), "--learning-rate", str(rate), "--seed", str(seed))
        run("train", *common, *own, cache=str(path.parent / "train"))
    return swept, time.perf_counter() - started


def time_loop(path: Path, seeds: int, epochs: int) -> tuple[float, float, float, float]:
    """Seconds of `sweep`, of the first run of each combination, and of a loop of `fit`; and how far the losses differ."""
    import jax

    from model import default_network, fit, read_table, sweep

    table = read_table(path, "y")
    started = time.perf_counter()
    swept = {
        (each.values["hidden"], each.values["learning_rate"], each.run.seed): each.result
        for each in sweep(table, {"hidden": SHAPES, "learning_rate": RATES}, seeds=seeds, epochs=epochs)
    }
    sweep_seconds = time.perf_counter() - started
    started = time.perf_counter()
    for shape, rate in product(SHAPES, RATES):
        fit(default_network(table, shape), table, key=jax.random.key(0), learning_rate=rate, epochs=1)
    warming = time.perf_counter() - started
    started, difference = time.perf_counter(), 0.0
    for shape, rate, seed in product(SHAPES, RATES, range(seeds)):
        network = default_network(table, shape)
        result = fit(network, table, key=jax.random.key(seed), learning_rate=rate, epochs=epochs)
        found = swept[shape, rate, seed]
        difference = max(difference, abs(result.loss - found.loss) if found else float("inf"))
    return sweep_seconds, warming, time.perf_counter() - started, difference


if __name__ == "__main__":
    main()
