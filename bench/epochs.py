"""Random rows with classes, and epochs of a network on them, as a user of Nudge trains it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Rows = tuple[np.ndarray, np.ndarray]
MANY_EPOCHS, LOG_EVERY = 100_000_000, 1000


def random_rows(rows: int, columns: int, classes: int) -> Rows:
    """Normally distributed x [rows, columns], and y [rows], the classes that random sums of them give."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    return x, (x @ rng.normal(size=(columns, classes)) + rng.normal(size=(rows, classes))).argmax(axis=1)


def nudge_epochs(rows: int, layers: tuple[int, ...], batch: int) -> Callable[[], float]:
    """A function that trains a stretch further, and returns the seconds of one of its epochs. Now it compiles.

    batch: the rows of a step.
    """
    return timed(epochs_done(rows, layers, batch))


def timed(epochs: Iterator[int]) -> Callable[[], float]:
    """A function that goes one step further, and returns the seconds of an epoch. Two steps are done now."""
    next(epochs)
    before = next(epochs)

    def epoch() -> float:
        nonlocal before
        start = time.perf_counter()
        done = next(epochs)
        seconds, before = (time.perf_counter() - start) / (done - before), done
        return seconds

    return epoch


def epochs_done(rows: int, layers: tuple[int, ...], batch: int) -> Iterator[int]:
    """Train, and yield the number of epochs after each stretch. A stretch takes a tenth of a second, or one epoch."""
    import jax

    from model import Network, train
    from model.tables.table import table_from_arrays

    classes = max(layers[-1], 2)
    x, y = random_rows(rows, layers[0], classes)
    table = table_from_arrays(x, y, [str(each) for each in range(classes)])
    options: dict[str, Any] = {
        "restarts": 1,
        "ensemble": 1,
        "encodings": ("numbers",),
        "validation": 0.0,
        "folds": 1,
        "batch_size": batch,
        "epochs": MANY_EPOCHS,
        "log_every": LOG_EVERY,
    }
    network = Network(layers, task=table.task)
    for progress in train(network, table, key=jax.random.key(0), **options):
        yield progress.epoch


def restart_epochs(restarts: int) -> Callable[[], float]:
    """A function that trains so many restarts of XOR a stretch further, and returns the seconds of an epoch of all."""
    import jax

    from model import Network, train, truth_table

    def epochs() -> Iterator[int]:
        options = {"restarts": restarts, "epochs": MANY_EPOCHS, "log_every": LOG_EVERY}
        for progress in train(Network((2, 2, 1)), truth_table("xor"), key=jax.random.key(0), **options):
            yield progress.epoch

    return timed(epochs())
