"""A sweep against the same runs one by one: through the command line, and in a loop of `fit`.

    python -m bench.sweep [--seeds 2] [--rows 1000] [--epochs 60] [--only loop]

6 shapes × 2 learning rates × the seeds. Times are wall times, with the seconds of all processors beside them, which
other work on the machine changes less. Through the command line, the sweep and the single runs begin with an empty
cache of compiled programs. The single runs are timed for the seeds 0 and 1; further seeds are taken to need as long as
seed 1, which finds its programs in the cache. In one process, both are timed with and without the programs compiled
before. Bars: a sweep is at least 5 times faster than the command line, and 1.5 times faster than the warm loop, and the
losses are equal to 1e-5 after ten epochs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SHAPES = ((8,), (16,), (32,), (64,), (16, 16), (64, 64))
RATES = (0.01, 0.003)
EPOCHS_COMPARED = 10


class Time(NamedTuple):
    """Seconds on the clock, and of all processors."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.processor:.1f} s of processors)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--only", choices=["command line", "loop"])
    options = parser.parse_args()
    runs = len(SHAPES) * len(RATES) * options.seeds
    print(f"{runs} runs on {options.rows:,} rows of 8 columns, at most {options.epochs} epochs, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        write_table(path, options.rows)
        if options.only != "loop":
            compare_with_command_line(path, options.seeds, options.epochs)
        if options.only != "command line":
            compare_with_loop(path, options.seeds, options.epochs)


def write_table(path: Path, rows: int) -> None:
    """Write normally distributed columns, and two classes that depend on a product of two of them."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 8)).round(3)
    target = np.where(x[:, 0] * x[:, 1] + x[:, 2] + 0.5 * rng.normal(size=rows) > 0, "yes", "no")
    pl.DataFrame({f"x{index}": x[:, index] for index in range(8)} | {"y": target}).write_csv(path)


def timed(work: Callable[[], Any]) -> Time:
    before, started = os.times(), time.perf_counter()
    work()
    after = os.times()
    return Time(time.perf_counter() - started, sum(after[:4]) - sum(before[:4]))


def show(name: str, swept: Time, single: Time) -> None:
    print(f"{name}: the sweep {swept}, one by one {single}: ", end="")
    print(f"{single.wall / swept.wall:.2f} times faster ({single.processor / swept.processor:.2f} by processors)")


def compare_with_command_line(path: Path, seeds: int, epochs: int) -> None:
    """Time `nudge sweep`, and `nudge train` for its runs."""
    common = ["--target", "y", "--epochs", str(epochs), "--json"]

    def nudge(command: str, *arguments: str) -> None:
        environment = os.environ | {"XDG_CACHE_HOME": str(path.parent / command), "PYTHONPATH": str(ROOT)}
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        whole = [sys.executable, "-m", "model", command, str(path), *common, *arguments]
        subprocess.run(whole, cwd=path.parent, env=environment, stdout=subprocess.PIPE, check=True)

    def train(seed: int) -> None:
        for shape, rate in product(SHAPES, RATES):
            hidden = ",".join(map(str, shape))
            nudge("train", "--hidden", hidden, "--learning-rate", str(rate), "--seed", str(seed))

    shapes = ",".join("x".join(map(str, shape)) for shape in SHAPES)
    rates = ",".join(map(str, RATES))
    grid = ("--grid", f"hidden={shapes}", "--grid", f"learning_rate={rates}", "--seeds", str(seeds))
    swept = timed(lambda: nudge("sweep", *grid))
    first, others = timed(lambda: train(0)), timed(lambda: train(1))
    single = Time(*(one + (seeds - 1) * other for one, other in zip(first, others, strict=True)))
    show("command line", swept, single)


def compare_with_loop(path: Path, seeds: int, epochs: int) -> None:
    """Time `sweep` and a loop of `fit`, and say how far the losses differ."""
    import jax

    from model import default_network, fit, read_table, sweep

    table = read_table(path, "y")
    grid = {"hidden": SHAPES, "learning_rate": RATES}

    def losses_of_sweep(epochs: int, seeds: int = seeds) -> dict[Any, float]:
        runs = sweep(table, grid, seeds=seeds, epochs=epochs)
        return {(*run.values.values(), run.run.seed): run.result.loss for run in runs if run.result}

    def losses_of_loop(epochs: int, seeds: int = seeds) -> dict[Any, float]:
        return {
            (shape, rate, seed): fit(
                default_network(table, shape), table, key=jax.random.key(seed), learning_rate=rate, epochs=epochs
            ).loss
            for shape, rate, seed in product(SHAPES, RATES, range(seeds))
        }

    cold = timed(lambda: losses_of_sweep(epochs))
    warming = timed(lambda: losses_of_loop(1, seeds=1))
    warm, single = timed(lambda: losses_of_sweep(epochs)), timed(lambda: losses_of_loop(epochs))
    show("in one process, both warm", warm, single)
    show("the sweep compiles its programs, the loop has them", cold, single)
    show("both compile", cold, Time(*(one + other for one, other in zip(warming, single, strict=True))))
    swept, looped = losses_of_sweep(EPOCHS_COMPARED, 1), losses_of_loop(EPOCHS_COMPARED, 1)
    difference = max(abs(swept[run] - looped[run]) for run in looped)
    print(f"after {EPOCHS_COMPARED} epochs the losses differ by at most {difference:.1g}")


if __name__ == "__main__":
    main()
