"""Training XOR: Nudge beside C for one network, beside C with SIMD for 1,024 networks, and beside nudges in NumPy.

    python -m bench.training [--turns 3]

All programs run in turns on one processor core, from the same parameters. First they are checked to compute the same.
Without a C compiler (`cc`, or $CC), C is left out.
"""

from __future__ import annotations

import json
import os
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

from bench.c_compiler import compile_program, missing
from bench.comparisons import Comparison, LeftOut, Part
from bench.part import Options, run_part
from model import Network, Result, fit, truth_table
from model.commands.jax_setup import configure_jax
from model.hyperparameters import Hyperparameters
from model.training.defaults import TRUTH_TABLE_DEFAULTS
from model.training.full_batch import FullBatchSettings, train_full_batch
from model.training.optimizers import make_optimizer
from model.training.state import RECORD_CAPACITY, State, chunk_count, initial_state

NETWORK, TABLE = Network((2, 2, 1)), truth_table("xor")
LEARNING_RATE, LOG_EVERY = TRUTH_TABLE_DEFAULTS.learning_rate, TRUTH_TABLE_DEFAULTS.log_every

MANY_RESTARTS = 1024
NUMPY_EPOCHS, COMPARED_EPOCHS = 1_000, 300
# How many networks the C program with SIMD computes at a time. The fastest number counts.
BLOCK_SIZES = (8, 16, 32, 64)
# Runs of each program in its turn.
RUNS = 3

# The largest times accepted: on the device, of the whole fit, beside C with SIMD, and beside nudges in NumPy.
C_BAR, FIT_BAR, SIMD_BAR, NUMPY_BAR = 1.1, 1.3, 1.6, 0.001
# The largest differences after COMPARED_EPOCHS.
C_TOLERANCE, NUDGE_TOLERANCE = 1e-5, 1e-2


class Work(NamedTuple):
    """How much is trained.

    starts: of single networks. C branches at a ReLU, so that its time depends on the parameters.
    """

    starts: int = 16
    single_epochs: int = 100_000
    many_epochs: int = 2_000


FULL, TINY = Work(), Work(2, 1_000, 200)
COMPILER_FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp-simd")


def measure(options: Options) -> Part:
    """The seconds of an epoch of one network, of Nudge beside C and beside nudges in NumPy."""
    configure_jax()
    jax.config.update("jax_enable_compilation_cache", False)
    work = TINY if options.tiny else FULL
    single, many = [JaxTraining(1, seed) for seed in range(work.starts)], JaxTraining(MANY_RESTARTS, 0)
    nudged = JaxTraining(1, 0)
    differences = {"nudges in NumPy": max(map(compare_with_nudges, single))}
    nudges = run_in_turns(
        options.turns,
        jax=lambda: time_runs(lambda: nudged.train(work.single_epochs)),
        numpy=lambda: time_runs(lambda: train_with_nudges(nudged.start[0], NUMPY_EPOCHS)),
    )
    comparisons = [
        Comparison(
            "an epoch of one 2-2-1 network, on the device",
            "nudges in NumPy",
            "s",
            per_epoch(nudges["jax"], work.single_epochs),
            per_epoch(nudges["numpy"], NUMPY_EPOCHS),
            NUMPY_BAR,
        )
    ]
    if missing():
        return Part(comparisons, left_out=[LeftOut("C", missing())])
    with tempfile.TemporaryDirectory() as folder:
        beside_c, differences_from_c = compare_with_c(Path(folder), single, many, work, options.turns)
    return Part([*beside_c, *comparisons], notes=[difference_text(differences_from_c | differences)])


def compare_with_c(
    folder: Path, single: list[JaxTraining], many: JaxTraining, work: Work, turns: int
) -> tuple[list[Comparison], dict[str, float]]:
    """Nudge beside C and beside C with SIMD; and the largest differences of what they compute."""
    programs = {block_size: compile_c(folder, block_size) for block_size in BLOCK_SIZES}
    block_size = min(programs, key=lambda size: min(run_c(programs[size], many.start, work.many_epochs, RUNS).seconds))
    program = programs[block_size]
    differences = {
        "C": max(difference_from_c(program, one) for one in single),
        "C with SIMD": difference_from_c(program, many),
    }
    by_start = [measure_single(program, one, work, turns) for one in single]
    means = {name: np.mean([seconds[name] for seconds in by_start], axis=0).tolist() for name in by_start[0]}
    c, on_device, fit_call = (per_epoch(means[name], work.single_epochs) for name in ("c", "jax", "fit"))
    seconds = run_in_turns(
        turns,
        c=lambda: run_c(program, many.start, work.many_epochs, RUNS).seconds,
        jax=lambda: time_runs(lambda: many.train(work.many_epochs)),
    )
    simd, many_on_device = (per_epoch(seconds[name], work.many_epochs * MANY_RESTARTS) for name in ("c", "jax"))
    whole = f"an epoch of one 2-2-1 network, of a whole `fit` of {work.single_epochs:,}"
    restarts = f"an epoch of one of {MANY_RESTARTS:,} restarts, on the device"
    return [
        Comparison("an epoch of one 2-2-1 network, on the device", "C", "s", on_device, c, C_BAR),
        Comparison(whole, "C", "s", fit_call, c, FIT_BAR),
        Comparison(restarts, f"C, SIMD over {block_size}", "s", many_on_device, simd, SIMD_BAR),
    ], differences


def difference_text(differences: dict[str, float]) -> str:
    """What the programs compute, in a sentence."""
    found = ", ".join(f"from {name} by {difference:.0e}" for name, difference in differences.items())
    return (
        f"On one core; one network: the mean over several starts, because the time of C depends on the start. After "
        f"{COMPARED_EPOCHS} epochs from the same parameters, Nudge differs {found} at most."
    )


def measure_single(program: Path, training: JaxTraining, work: Work, turns: int) -> dict[str, list[float]]:
    """The seconds of every run of one network, by C, by JAX on the device, and by the whole call of `fit`."""
    return run_in_turns(
        turns,
        c=lambda: run_c(program, training.start, work.single_epochs, RUNS).seconds,
        jax=lambda: time_runs(lambda: training.train(work.single_epochs)),
        fit=lambda: time_runs(lambda: training.fit(work.single_epochs)),
    )


def per_epoch(seconds: list[float], epochs: int) -> list[float]:
    return [each / epochs for each in seconds]


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
    return compile_program(source, program, [*COMPILER_FLAGS, f"-DBLOCK={block_size}"], ["-lm"])


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


def difference_from_c(program: Path, training: JaxTraining) -> float:
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


def time_runs(function: Callable[[], object]) -> list[float]:
    """The seconds of RUNS calls."""
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return seconds


def run_in_turns(turns: int, **programs: Callable[[], list[float]]) -> dict[str, list[float]]:
    """The seconds of every run of every program. They take turns, so that a busy machine slows them alike.

    The first turn only warms up.
    """
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(1 + turns):
        for name, program in programs.items():
            runs = program()
            seconds[name] += runs if turn else []
    return seconds


if __name__ == "__main__":
    run_part(measure, __doc__)
