"""Checks of what a learner asks for, against the limits in `serve.learning_limits`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.network import Network, parameter_count
from serve import learning_limits as limits
from serve.errors import RequestError

# What a learner can do if training takes too long.
SMALLER = "choose fewer epochs, fewer rows or a smaller network"
# Characters of a number in a message.
MOST_DIGITS = 24


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise RequestError unless a number is from `low` to `high`."""
    if not low <= value <= high:
        raise RequestError(f"{name}: from {shown(low)} to {shown(high)} was expected, and {shown(value)} was found")


def shown(number: float) -> str:
    """A number in a message.

    >>> shown(2147483647), shown(1000.0), shown(1e-30), shown(1e30)
    ('2,147,483,647', '1,000', '1e-30', '1e+30')
    """
    if abs(number) < 2**53 and number == int(number):
        return f"{int(number):,}"
    text = str(number)
    return text if len(text) <= MOST_DIGITS else f"{text[:MOST_DIGITS]}…"


def check_name(name: str, text: str) -> None:
    """Raise RequestError if a name is longer than names may be."""
    if not 1 <= len(text) <= limits.MAX_NAME:
        raise RequestError(f"{name}: 1 to {limits.MAX_NAME} characters were expected, and {len(text):,} were found")


def check_sizes(sizes: Sequence[int]) -> None:
    """Raise RequestError if a network is larger than a learner's may be."""
    if not 2 <= len(sizes) <= limits.MAX_HIDDEN_LAYERS + 2:
        raise RequestError(
            f"network.sizes: the numbers of inputs, of the units of at most {limits.MAX_HIDDEN_LAYERS} hidden layers, "
            f"and of outputs were expected, and {len(sizes):,} numbers were found"
        )
    check_range("network.sizes: inputs", sizes[0], 1, limits.MAX_INPUTS)
    check_range("network.sizes: outputs", sizes[-1], 1, limits.MAX_OUTPUTS)
    for units in sizes[1:-1]:
        check_range("network.sizes: units of a layer", units, 1, limits.MAX_UNITS)


def check_work(network: Network, rows: int, epochs: int, networks: int = 1, *, remedy: str = SMALLER) -> None:
    """Raise RequestError if training would take too long for one call. remedy: what to do then."""
    check_range("epochs", epochs, 1, limits.MAX_EPOCHS)
    each = rows * parameter_count(network) * networks
    if each * epochs > limits.MAX_WORK:
        most = limits.MAX_WORK // each
        raise RequestError(
            f"epochs: at most {most:,} were expected for {rows:,} rows and this network, and {epochs:,} were found; "
            f"{remedy}"
        )


def check_finite(name: str, values: np.ndarray) -> None:
    """Raise RequestError if a number is too large for float32."""
    if not np.isfinite(values).all():
        raise RequestError(f"{name}: numbers within ±3.4e38 were expected, and others were found")
