"""Training, compared to C for one network, to C with SIMD for 1,024 networks, and to nudges in NumPy.

    python -m bench.training

All programs run in turns on one processor core, from the same parameters. First they are checked to compute the same.
It needs a C compiler (`cc`, or $CC).
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
from model.training.state import RECORD_CAPACITY, State, chunk_count, initial_state

NETWORK, TABLE = Network((2, 2, 1)), truth_table("xor")
LEARNING_RATE, LOG_EVERY = TRUTH_TABLE_DEFAULTS.learning_rate, TRUTH_TABLE_DEFAULTS.log_every

# Single networks are trained from so many starts, because C branches at a ReLU: its time depends on the parameters.
STARTS = 16
MANY_RESTARTS = 1024
SINGLE_EPOCHS, MANY_EPOCHS, NUMPY_EPOCHS, COMPARED_EPOCHS = 100_000, 2_000, 1_000, 300
# How many networks the C program with SIMD computes at a time. The fastest number counts.
BLOCK_SIZES = (8, 16, 32, 64)
# Turns from each start, and runs of each program in its turn.
TURNS, RUNS = 5, 3

# At most 1.2 × C, at least 1,000 × NumPy, at most 1.6 × C with SIMD.
C_BAR, NUMPY_BAR, SIMD_BAR = 1.2, 1_000, 1.6
# The largest differences after COMPARED_EPOCHS.
C_TOLERANCE, NUDGE_TOLERANCE = 1e-5, 1e-2

COMPILER_FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp-simd")


def main() -> None:
    configure_jax()
    jax.config.update("jax_enable_compilation_cache", False)
    single, many = [JaxTraining(1, seed) for seed in range(STARTS)], JaxTraining(MANY_RESTARTS, 0)
    with tempfile.TemporaryDirectory() as folder:
        programs = {block_size: compile_c(Path(folder), block_size) for block_size in BLOCK_SIZES}
        block_size = min(programs, key=lambda size: min(run_c(programs[size], many.start, MANY_EPOCHS, RUNS).seconds))
        program = programs[block_size]
        differences = [
            max(compare_with_c(program, one) for one in single),
            compare_with_c(program, many),
            max(map(compare_with_nudges, single)),
        ]
        single_seconds = [measure_single(program, one) for one in single]
        many_seconds = run_in_turns(
            c=lambda: run_c(program, many.start, MANY_EPOCHS, RUNS).seconds,
            jax=lambda: measure(lambda: many.train(MANY_EPOCHS)),
        )
    nudge_seconds = measure(lambda: train_with_nudges(single[0].start[0], NUMPY_EPOCHS))
    show_times(single_seconds, many_seconds, nudge_seconds, block_size)
    print(
        f"\nNanoseconds an epoch of one network, on one core, {TURNS * RUNS} runs in turns; the ratio is of the best.\n"
        f"One network: the mean over {STARTS} starts. Python {sys.version.split()[0]}, JAX {jax.__version__}, "
        f"cc {' '.join(COMPILER_FLAGS)}.\n"
        f"After {COMPARED_EPOCHS} epochs from the same parameters JAX agrees with C to {differences[0]:.0e} "
        f"(one network)\nand {differences[1]:.0e} (1,024 restarts), and with NumPy's forward differences to "
        f"{differences[2]:.0e}."
    )


def measure_single(program: Path, training: JaxTraining) -> dict[str, list[float]]:
    """The seconds of every run of one network, by C, by JAX on the device, and by the whole call of `fit`."""
    return run_in_turns(
        c=lambda: run_c(program, training.start, SINGLE_EPOCHS, RUNS).seconds,
        jax=lambda: measure(lambda: training.train(SINGLE_EPOCHS)),
        fit=lambda: measure(lambda: training.fit(SINGLE_EPOCHS)),
    )


def show_times(
    single: list[dict[str, list[float]]], many: dict[str, list[float]], nudges: list[float], block_size: int
) -> None:
    """Print the times and the bars as a table."""
    c, on_device, fit_call = (
        time_per_epoch([seconds[name] for seconds in single], SINGLE_EPOCHS) for name in single[0]
    )
    simd, many_on_device = (time_per_epoch([seconds], MANY_EPOCHS * MANY_RESTARTS) for seconds in many.values())
    numpy = time_per_epoch([nudges], NUMPY_EPOCHS)
    rows = [
        ["one network, 100,000 epochs", "best", "median", "ratio", "bar"],
        ["  C", *c.texts(), "", ""],
        ["  JAX, on the device", *on_device.texts(), *at_most(on_device.best / c.best, C_BAR)],
        ["  JAX, the whole call (fit)", *fit_call.texts(), f"{fit_call.best / c.best:.2f} × C", ""],
        ["  NumPy, nudges", *numpy.texts(), *at_least(numpy.best / on_device.best, NUMPY_BAR)],
        ["1,024 restarts, 2,000 epochs", "", "", "", ""],
        [f"  C, SIMD over blocks of {block_size}", *simd.texts(), "", ""],
        ["  JAX, on the device", *many_on_device.texts(), *at_most(many_on_device.best / simd.best, SIMD_BAR)],
    ]
    print(align_columns(rows))


class JaxTraining:
    """Networks with their first parameters, and the compiled program that trains them. start: [restarts, 9]."""

    def __init__(self, restarts: int, seed: int) -> None:
        self.restarts, self.key = restarts, jax.random.key(seed)
        self.x, self.y = jnp.asarray(TABLE.x), jnp.asarray(TABLE.y)
        self.optimizer = make_optimizer(Hyperparameters(learning_rate=LEARNING_RATE))
        self.state = initial_state(self.key, NETWORK, self.optimizer, restarts)
        self.chunks = chunk_count(restarts, uses_minibatches=False)
        self.start = flatten_restarts(self.state.params, restarts)

    def train(self, epochs: int) -> tuple[State, jax.Array]:
        """Train for a number of epochs, with a record every LOG_EVERY, and wait for the end."""
        records = epochs // LOG_EVERY
        assert records <= RECORD_CAPACITY
        settings = FullBatchSettings(NETWORK, self.optimizer)
        trained = train_full_batch(self.state, self.chunks, self.x, self.y, None, records, LOG_EVERY, settings=settings)
        return jax.block_until_ready(trained)

    def fit(self, epochs: int) -> Result:
        """Train the same networks by the public function."""
        return fit(NETWORK, TABLE, key=self.key, epochs=epochs, restarts=self.restarts)

    def trained(self, epochs: int) -> np.ndarray:
        """[restarts, 9 + 1]: the parameters after so many epochs, and the last recorded loss."""
        state, recorded = self.train(epochs)
        losses = np.asarray(recorded)[:, epochs // LOG_EVERY - 1].reshape(self.restarts, 1)
        return np.hstack([flatten_restarts(state.params, self.restarts), losses])


def flatten_restarts(params: object, restarts: int) -> np.ndarray:
    """[chunks, …, restarts of a chunk] leaves -> [restarts, 9]."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    if restarts > 1:
        leaves = [np.moveaxis(leaf, -1, 1) for leaf in leaves]
    return np.concatenate([leaf.reshape(restarts, -1) for leaf in leaves], axis=1)


class CTraining(NamedTuple):
    """What limit.c returns. seconds: one for each run. trained: [networks, 9 + 1], as of JaxTraining."""

    seconds: list[float]
    trained: np.ndarray


def compile_c(folder: Path, block_size: int) -> Path:
    """Compile limit.c, and return the path of the program."""
    source, program = Path(__file__).with_name("limit.c"), folder / f"limit{block_size}"
    compiler = shlex.split(os.environ.get("CC", "cc"))
    command = [*compiler, *COMPILER_FLAGS, f"-DBLOCK={block_size}", "-o", program, source, "-lm"]
    subprocess.run(command, check=True)
    return program


def run_c(program: Path, start: np.ndarray, epochs: int, runs: int) -> CTraining:
    """Train the networks of start, [networks, 9], several times from the same parameters."""
    numbers = np.concatenate([TABLE.x.ravel(), TABLE.y, start.ravel()])
    arguments = [str(argument) for argument in (len(start), epochs, LOG_EVERY, LEARNING_RATE, runs)]
    text = " ".join(f"{number:.9g}" for number in numbers)
    process = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=True)
    result = json.loads(process.stdout)
    return CTraining(result["seconds"], np.column_stack([np.reshape(result["params"], start.shape), result["losses"]]))


def train_with_nudges(params: np.ndarray, epochs: int) -> np.ndarray:
    """The guide's simpler view as one would write it: nudge one parameter after the other, then descend."""
    p, epsilon = params.astype(np.float64), 1e-5
    for _ in range(epochs):
        before = numpy_loss(p)
        gradient = np.zeros_like(p)
        for index in range(len(p)):
            p[index] += epsilon
            gradient[index] = (numpy_loss(p) - before) / epsilon
            p[index] -= epsilon
        p -= LEARNING_RATE * gradient
    return p


def numpy_loss(p: np.ndarray) -> float:
    """The loss of the network with the parameters p, [9]."""
    hidden = np.maximum(TABLE.x @ p[:4].reshape(2, 2) + p[4:6], 0)
    prediction = 1 / (1 + np.exp(-(hidden @ p[6:8] + p[8])))
    return -np.mean(TABLE.y * np.log(prediction) + (1 - TABLE.y) * np.log(1 - prediction))


def compare_with_c(program: Path, training: JaxTraining) -> float:
    by_c = run_c(program, training.start, COMPARED_EPOCHS, 1).trained
    return checked_difference(training.trained(COMPARED_EPOCHS), by_c, C_TOLERANCE)


def compare_with_nudges(training: JaxTraining) -> float:
    nudged = train_with_nudges(training.start[0], COMPARED_EPOCHS)
    by_nudges = np.append(nudged, numpy_loss(nudged))
    return checked_difference(training.trained(COMPARED_EPOCHS)[0], by_nudges, NUDGE_TOLERANCE)


def checked_difference(found: np.ndarray, expected: np.ndarray, tolerance: float) -> float:
    """The largest |a - b| / max(1, |b|). Ends the program if it is larger than the tolerance."""
    largest = float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))))
    if not largest <= tolerance:
        sys.exit(f"the programs do not compute the same: they differ by {largest:.0e} after {COMPARED_EPOCHS} epochs")
    return largest


def measure(function: Callable[[], object]) -> list[float]:
    """The seconds of RUNS calls."""
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return seconds


def run_in_turns(**programs: Callable[[], list[float]]) -> dict[str, list[float]]:
    """The seconds of every run of every program. They take turns, so that a busy machine slows them alike.

    The first turn only warms up.
    """
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(1 + TURNS):
        for name, program in programs.items():
            runs = program()
            seconds[name] += runs if turn else []
    return seconds


class Nanoseconds(NamedTuple):
    """The time of an epoch of one network."""

    best: float
    median: float

    def texts(self) -> list[str]:
        """The times as cells of the table."""
        digits = 0 if self.best >= 1000 else 1
        return [f"{value:,.{digits}f}" for value in self]


def time_per_epoch(seconds: list[list[float]], epochs: int) -> Nanoseconds:
    """The mean over the starts of the best and of the median time. seconds: [starts][runs], each of so many epochs."""
    best, median = (statistics.mean(map(summarize, seconds)) for summarize in (min, statistics.median))
    return Nanoseconds(best / epochs * 1e9, median / epochs * 1e9)


def at_most(ratio: float, bar: float) -> list[str]:
    """A ratio to C and its bar, as cells of the table."""
    return [f"{ratio:.2f} × C", f"at most {bar}{'' if ratio <= bar else '  MISSED'}"]


def at_least(ratio: float, bar: float) -> list[str]:
    """A ratio to JAX and its bar, as cells of the table."""
    return [f"{ratio:,.0f} × JAX", f"at least {bar:,}{'' if ratio >= bar else '  MISSED'}"]


if __name__ == "__main__":
    main()
