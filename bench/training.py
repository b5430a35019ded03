"""Training beside its limits: C for one network, C with SIMD for 1,024, and the guide's way in NumPy.

    python -m bench.training

Everything runs on one processor core, in turns, from the same starts; first it is checked that all of them compute
the same. It needs a C compiler (`cc`, or $CC).
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

if hasattr(os, "sched_setaffinity"):  # before JAX counts the cores
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax
import jax.numpy as jnp
import numpy as np

from model import Network, Result, fit, truth_table
from model.commands.jax_setup import configure_jax
from model.hyperparameters import Hyperparameters
from model.messages import align_columns
from model.training.defaults import TRUTH_TABLE_DEFAULTS
from model.training.full_batch import FullBatchSettings, train_full_batch
from model.training.optimizers import make_optimizer
from model.training.state import RECORD_CAPACITY, State, initial_state

NETWORK, TABLE = Network((2, 2, 1)), truth_table("xor")
RATE, LOG_EVERY = TRUTH_TABLE_DEFAULTS.learning_rate, TRUTH_TABLE_DEFAULTS.log_every

STARTS = 16  # single networks: C branches at a ReLU, so that its time depends on the start (JAX's does not)
ONE_EPOCHS, MANY, MANY_EPOCHS, NUMPY_EPOCHS, COMPARED_EPOCHS = 100_000, 1024, 2_000, 1_000, 300
BLOCKS = (8, 16, 32, 64)
TURNS, RUNS = 5, 3  # turns from each start, and runs of each program in its turn

# At most 1.2 × C, at least 1,000 × NumPy, at most 1.6 × C with SIMD.
ONE_BAR, NUMPY_BAR, MANY_BAR = 1.2, 1_000, 1.6

FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp-simd")


def main() -> None:
    configure_jax()
    jax.config.update("jax_enable_compilation_cache", False)
    ones, many = [Jax(1, seed) for seed in range(STARTS)], Jax(MANY, 0)
    with tempfile.TemporaryDirectory() as folder:
        limits = {block: compile_limit(Path(folder), block) for block in BLOCKS}
        block = min(limits, key=lambda block: min(run_c(limits[block], many.start, MANY_EPOCHS, RUNS).seconds))
        limit = limits[block]
        agreement = [max(compare(limit, one) for one in ones), compare(limit, many), max(map(compare_nudges, ones))]
        alone = [
            in_turns(
                C=lambda one=one: run_c(limit, one.start, ONE_EPOCHS, RUNS).seconds,
                train=lambda one=one: timed(lambda: one.train(ONE_EPOCHS)),
                fit=lambda one=one: timed(lambda: one.fit(ONE_EPOCHS)),
            )
            for one in ones
        ]
        together = in_turns(
            C=lambda: run_c(limit, many.start, MANY_EPOCHS, RUNS).seconds,
            train=lambda: timed(lambda: many.train(MANY_EPOCHS)),
        )
    nudges = timed(lambda: nudge_loop(ones[0].start[0], NUMPY_EPOCHS))

    c, jax_one, jax_fit = (per_step([a[name] for a in alone], ONE_EPOCHS) for name in ("C", "train", "fit"))
    c_simd, jax_many = (per_step([together[name]], MANY_EPOCHS * MANY) for name in ("C", "train"))
    numpy = per_step([nudges], NUMPY_EPOCHS)
    rows = [
        ["one network, 100,000 epochs", "best", "median", "ratio", "bar"],
        ["  C", *c.text(), "", ""],
        ["  JAX, on the device", *jax_one.text(), *at_most(jax_one.best / c.best, ONE_BAR)],
        ["  JAX, the whole call (fit)", *jax_fit.text(), f"{jax_fit.best / c.best:.2f} × C", ""],
        ["  NumPy, nudges", *numpy.text(), *at_least(numpy.best / jax_one.best, NUMPY_BAR)],
        ["1,024 restarts, 2,000 epochs", "", "", "", ""],
        [f"  C, SIMD over blocks of {block}", *c_simd.text(), "", ""],
        ["  JAX, on the device", *jax_many.text(), *at_most(jax_many.best / c_simd.best, MANY_BAR)],
    ]
    print(align_columns(rows))
    print(
        f"\nNanoseconds an epoch of one network, on one core, {TURNS * RUNS} runs in turns; the ratio is of the best.\n"
        f"One network: the mean over {STARTS} starts. Python {sys.version.split()[0]}, JAX {jax.__version__}, "
        f"cc {' '.join(FLAGS)}.\n"
        f"After {COMPARED_EPOCHS} epochs from the same starts JAX agrees with C to {agreement[0]:.0e} (one network),\n"
        f"{agreement[1]:.0e} (1,024 restarts), with NumPy's forward differences to {agreement[2]:.0e}."
    )


class Jax:
    """Networks at their starts, and the compiled program that trains them. start: [restarts, 9]."""

    def __init__(self, restarts: int, seed: int) -> None:
        self.restarts, self.key = restarts, jax.random.key(seed)
        self.x, self.y = jnp.asarray(TABLE.x), jnp.asarray(TABLE.y)
        self.optimizer = make_optimizer(Hyperparameters(learning_rate=RATE))
        self.state = initial_state(self.key, NETWORK, self.optimizer, restarts)
        self.start = flat(self.state.params, restarts)

    def train(self, epochs: int) -> tuple[State, jax.Array]:
        """Train for a number of epochs, with a record every LOG_EVERY, and wait for the end."""
        records = epochs // LOG_EVERY
        assert records <= RECORD_CAPACITY
        settings = FullBatchSettings(NETWORK, self.optimizer)
        trained = train_full_batch(self.state, self.x, self.y, settings, records, LOG_EVERY)
        return jax.block_until_ready(trained)

    def fit(self, epochs: int) -> Result:
        return fit(NETWORK, TABLE, key=self.key, epochs=epochs, restarts=self.restarts)

    def trained(self, epochs: int) -> np.ndarray:
        """[restarts, 9 + 1]: the parameters and the last recorded loss."""
        state, recorded = self.train(epochs)
        losses = np.asarray(recorded)[:, epochs // LOG_EVERY - 1].reshape(self.restarts, 1)
        return np.hstack([flat(state.params, self.restarts), losses])


def flat(params: object, restarts: int) -> np.ndarray:
    """[chunks, …, restarts of a chunk] leaves -> [restarts, 9]."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    if restarts > 1:
        leaves = [np.moveaxis(leaf, -1, 1) for leaf in leaves]
    return np.concatenate([leaf.reshape(restarts, -1) for leaf in leaves], axis=1)


class C(NamedTuple):
    """What limit.c answers. seconds: one a run. trained: [networks, 9 + 1], as of Jax."""

    seconds: list[float]
    trained: np.ndarray


def compile_limit(folder: Path, block: int) -> Path:
    source, limit = Path(__file__).with_name("limit.c"), folder / f"limit{block}"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    subprocess.run([*compiler, *FLAGS, f"-DBLOCK={block}", "-o", limit, source, "-lm"], check=True)
    return limit


def run_c(limit: Path, start: np.ndarray, epochs: int, runs: int) -> C:
    """Train the networks of start [networks, 9], `runs` times from the same start."""
    numbers = np.concatenate([TABLE.x.ravel(), TABLE.y, start.ravel()])
    arguments = [str(argument) for argument in (len(start), epochs, LOG_EVERY, RATE, runs)]
    text = " ".join(f"{number:.9g}" for number in numbers)
    process = subprocess.run([limit, *arguments], input=text, capture_output=True, text=True, check=True)
    result = json.loads(process.stdout)
    return C(result["seconds"], np.column_stack([np.reshape(result["params"], start.shape), result["losses"]]))


def nudge_loop(params: np.ndarray, epochs: int) -> np.ndarray:
    """The guide's simpler view as one would write it: nudge one parameter after the other, and descend."""
    p, epsilon = params.astype(np.float64), 1e-5
    for _ in range(epochs):
        before = numpy_loss(p)
        gradient = np.zeros_like(p)
        for index in range(len(p)):
            p[index] += epsilon
            gradient[index] = (numpy_loss(p) - before) / epsilon
            p[index] -= epsilon
        p -= RATE * gradient
    return p


def numpy_loss(p: np.ndarray) -> float:
    hidden = np.maximum(TABLE.x @ p[:4].reshape(2, 2) + p[4:6], 0)
    prediction = 1 / (1 + np.exp(-(hidden @ p[6:8] + p[8])))
    return -np.mean(TABLE.y * np.log(prediction) + (1 - TABLE.y) * np.log(1 - prediction))


def compare(limit: Path, ours: Jax) -> float:
    return difference(ours.trained(COMPARED_EPOCHS), run_c(limit, ours.start, COMPARED_EPOCHS, 1).trained, 1e-5)


def compare_nudges(ours: Jax) -> float:
    nudged = nudge_loop(ours.start[0], COMPARED_EPOCHS)
    return difference(ours.trained(COMPARED_EPOCHS)[0], np.append(nudged, numpy_loss(nudged)), 1e-2)


def difference(ours: np.ndarray, theirs: np.ndarray, allowed: float) -> float:
    """The largest |a - b| / max(1, |b|); ends the program where it is more than allowed."""
    largest = float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))))
    if not largest <= allowed:
        sys.exit(f"the programs do not compute the same: they differ by {largest:.0e} after {COMPARED_EPOCHS} epochs")
    return largest


def timed(function: Callable[[], object]) -> list[float]:
    """The seconds of RUNS calls."""
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return seconds


def in_turns(**programs: Callable[[], list[float]]) -> dict[str, list[float]]:
    """The seconds of every run, one program after the other, so that all meet the same weather; one turn to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(1 + TURNS):
        for name, program in programs.items():
            runs = program()
            seconds[name] += runs if turn else []
    return seconds


class Nanoseconds(NamedTuple):
    best: float
    median: float

    def text(self) -> list[str]:
        digits = 0 if self.best >= 1000 else 1
        return [f"{value:,.{digits}f}" for value in self]


def per_step(seconds: list[list[float]], steps: int) -> Nanoseconds:
    """seconds: [starts][runs], each of so many steps."""
    best, median = (statistics.mean(map(of, seconds)) for of in (min, statistics.median))
    return Nanoseconds(best / steps * 1e9, median / steps * 1e9)


def at_most(ratio: float, bar: float) -> list[str]:
    return [f"{ratio:.2f} × C", f"at most {bar}{'' if ratio <= bar else '  MISSED'}"]


def at_least(ratio: float, bar: float) -> list[str]:
    return [f"{ratio:,.0f} × JAX", f"at least {bar:,}{'' if ratio >= bar else '  MISSED'}"]


if __name__ == "__main__":
    main()
