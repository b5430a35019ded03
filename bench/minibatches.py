"""An epoch in batches of 128 rows: Nudge beside the products of matrices alone, PyTorch and scikit-learn.

    python -m bench.minibatches [--torch-python PYTHON]

All train on the same random rows with Adam, in float32, on all cores. Compiling does not count. The products of
matrices are those of the layers, forward and backward, by the BLAS that NumPy has: nothing that trains can be faster
with the same BLAS.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from bench.comparisons import Comparison, LeftOut, Part
from bench.contestants import answer_questions, in_turns, started
from bench.epochs import random_rows
from bench.part import Options, run_part

BATCH = 128


class Work(NamedTuple):
    """The layers of a network, and the rows of an epoch."""

    layers: tuple[int, ...]
    rows: int

    def __str__(self) -> str:
        return f"an epoch of {self.rows:,} rows, {BATCH} a step, {'-'.join(map(str, self.layers))}"


WORKS = {"small": Work((64, 128, 128, 10), 20_000), "large": Work((784, 512, 512, 10), 8_000)}
TINY = {"small": Work((4, 8, 8, 3), 300)}


def epoch_of_nudge(work: Work) -> Callable[[], float]:
    from bench.epochs import nudge_epochs

    return nudge_epochs(work.rows, work.layers, BATCH)


def epoch_of_blas(work: Work) -> Callable[[], float]:
    """The products of matrices of every step, and nothing else."""
    rng = np.random.default_rng(0)
    shapes = list(pairwise(work.layers))
    weights = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    inputs = [rng.normal(size=(BATCH, before)).astype(np.float32) for before, _ in shapes]
    slopes = [rng.normal(size=(BATCH, after)).astype(np.float32) for _, after in shapes]

    def epoch() -> float:
        start = time.perf_counter()
        for _ in range(-(-work.rows // BATCH)):
            for layer, (weight, x, slope) in enumerate(zip(weights, inputs, slopes, strict=True)):
                x @ weight
                x.T @ slope
                if layer:
                    slope @ weight.T
        return time.perf_counter() - start

    return epoch


def epoch_of_torch(work: Work) -> Callable[[], float]:
    from bench.gpu_torch import timed_epochs

    return timed_epochs("cpu", random_rows(work.rows, work.layers[0], work.layers[-1]), work.layers, BATCH)


def epoch_of_sklearn(work: Work) -> Callable[[], float]:
    from sklearn.neural_network import MLPClassifier

    x, y = random_rows(work.rows, work.layers[0], work.layers[-1])
    network = MLPClassifier(hidden_layer_sizes=work.layers[1:-1], batch_size=BATCH, random_state=0)
    classes = np.arange(work.layers[-1])

    def epoch() -> float:
        start = time.perf_counter()
        network.partial_fit(x, y, classes=classes)
        return time.perf_counter() - start

    return epoch


PROGRAMS: dict[str, Callable[[Work], Callable[[], float]]] = {
    "Nudge": epoch_of_nudge,
    "BLAS": epoch_of_blas,
    "PyTorch": epoch_of_torch,
    "scikit-learn": epoch_of_sklearn,
}
NAMES = {"BLAS": "BLAS, the products alone"}


def measure(options: Options) -> Part:
    """The seconds of an epoch of each program, in turns."""
    pythons = dict.fromkeys(PROGRAMS, sys.executable) | {"PyTorch": options.torch_python}
    left_out = [] if options.torch_python else [LeftOut("PyTorch", "it is not installed here")]
    comparisons = []
    works = TINY if options.tiny else WORKS
    for size, work in works.items():
        commands = {
            name: (python, "--worker", name, size, *(["--tiny"] if options.tiny else []))
            for name, python in pythons.items()
            if python
        }
        with ExitStack() as stack:
            seconds = in_turns(started(stack, commands, "bench.minibatches"), options.turns)
        ours = seconds.pop("Nudge")
        for name, others in seconds.items():
            bar = 1.0 if name == "PyTorch" else None
            comparisons.append(Comparison(str(work), NAMES.get(name, name), "s", ours, others, bar))
    return Part(comparisons, left_out=left_out)


if __name__ == "__main__":
    if "--worker" in sys.argv:
        _, _, program, chosen, *tiny = sys.argv
        warnings.simplefilter("ignore")
        epoch = PROGRAMS[program]((TINY if tiny else WORKS)[chosen])
        answer_questions(lambda _: epoch())
    else:
        run_part(measure, __doc__)
