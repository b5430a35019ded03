"""The mean and the standard deviation of values."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

# Rows whose squares are in memory at a time.
BLOCK_ROWS = 65_536


def mean_and_deviation(
    values: Float[np.ndarray, " rows"], weights: Float[np.ndarray, " rows"] | None = None
) -> tuple[float, float]:
    """The mean and the standard deviation of values.

    Args:
        values: [rows] finite numbers, at least one.
        weights: [rows], how often each value counts, above 0; by default all count once.

    Returns:
        Both, in float64.

    Example:
        >>> mean_and_deviation(np.array([1.0, 5.0]), np.array([3.0, 1.0])), mean_and_deviation(np.array([1.0, 3.0]))
        ((2.0, 1.7320508075688772), (2.0, 1.0))
    """
    if weights is None:
        mean = float(values.mean())
        blocks = (values[start : start + BLOCK_ROWS] for start in range(0, len(values), BLOCK_ROWS))
        return mean, math.sqrt(sum(float(np.square(block - mean).sum()) for block in blocks) / len(values))
    shares = weights.astype(np.float64) / weights.sum(dtype=np.float64)
    mean = float(shares @ values)
    return mean, float(shares @ (values - mean) ** 2) ** 0.5
