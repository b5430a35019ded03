"""The limits of what a learner may ask for: each call ends within about two seconds, and its answer stays small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from model.messages import quote
from model.network import Network, parameter_count
from serve.errors import RequestError
from serve.learn import MAX_BODY_BYTES

MAX_INPUTS, MAX_OUTPUTS = 16, 8
MAX_HIDDEN_LAYERS, MAX_UNITS = 3, 8
MAX_ROWS, MAX_EPOCHS, MAX_RECORDS, MAX_STARTS = 2000, 100_000, 1000, 64
# Rows × parameters × epochs × networks: on a core of an AMD EPYC, so much takes at most two and a half seconds.
MAX_WORK = 300_000_000
MIN_GRID, MAX_GRID = 2, 64
MIN_EPSILON, MAX_EPSILON = 1e-12, 1.0
MAX_LEARNING_RATE = 1000.0
MAX_NOISE = 10.0
MAX_SEED, MAX_INDEX = 2**32 - 1, 2**31 - 1
# Characters in the name of a column, of a target or of a class, and columns in a file of text.
MAX_NAME, MAX_FILE_COLUMNS = 100, 64


def as_data() -> dict[str, Any]:
    """The limits for the page."""
    return {
        "inputs": [1, MAX_INPUTS],
        "hidden_layers": [0, MAX_HIDDEN_LAYERS],
        "units": [1, MAX_UNITS],
        "outputs": [1, MAX_OUTPUTS],
        "rows": [1, MAX_ROWS],
        "epochs": [1, MAX_EPOCHS],
        "work": MAX_WORK,
        "records": [1, MAX_RECORDS],
        "grid": [MIN_GRID, MAX_GRID],
        "epsilon": [MIN_EPSILON, MAX_EPSILON],
        "learning_rate": MAX_LEARNING_RATE,
        "starts": [1, MAX_STARTS],
        "noise": [0, MAX_NOISE],
        "seed": [0, MAX_SEED],
        "body_bytes": MAX_BODY_BYTES,
    }


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise RequestError unless a number is from `low` to `high`."""
    if not low <= value <= high:
        raise RequestError(f"{name}: from {low:,g} to {high:,g} was expected, and {quote(value)} was found")


def check_name(name: str, text: str) -> None:
    """Raise RequestError if a name is longer than names may be."""
    if not 1 <= len(text) <= MAX_NAME:
        raise RequestError(f"{name}: 1 to {MAX_NAME} characters were expected, and {len(text):,} were found")


def check_sizes(sizes: Sequence[int]) -> None:
    """Raise RequestError if a network is larger than a learner's may be."""
    if not 2 <= len(sizes) <= MAX_HIDDEN_LAYERS + 2:
        raise RequestError(
            f"network.sizes: the numbers of inputs, of the units of at most {MAX_HIDDEN_LAYERS} hidden layers, and of "
            f"outputs were expected, and {len(sizes):,} numbers were found"
        )
    check_range("network.sizes: inputs", sizes[0], 1, MAX_INPUTS)
    check_range("network.sizes: outputs", sizes[-1], 1, MAX_OUTPUTS)
    for units in sizes[1:-1]:
        check_range("network.sizes: units of a layer", units, 1, MAX_UNITS)


def check_work(network: Network, rows: int, epochs: int, networks: int = 1) -> None:
    """Raise RequestError if training would take too long for one call."""
    check_range("epochs", epochs, 1, MAX_EPOCHS)
    each = rows * parameter_count(network) * networks
    if each * epochs > MAX_WORK:
        raise RequestError(
            f"epochs: at most {MAX_WORK // each:,} were expected for {rows:,} rows and this network, and {epochs:,} "
            "were found; ask in several stretches"
        )


def check_finite(name: str, values: np.ndarray) -> None:
    """Raise RequestError if a number is too large for float32."""
    if not np.isfinite(values).all():
        raise RequestError(f"{name}: numbers within ±3.4e38 were expected, and others were found")
