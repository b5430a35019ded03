"""The mean of values and how far they are from it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def mean_and_deviation(
    values: Float[np.ndarray, " rows"], weights: Float[np.ndarray, " rows"] | None = None
) -> tuple[float, float]:
    """The mean and the standard deviation of values.

    Args:
        values: [rows] finite numbers, at least one.
        weights: [rows], how often each counts, above 0; by default all once.

    Returns:
        Both, in float64.

    Example:
        >>> mean_and_deviation(np.array([1.0, 5.0]), np.array([3.0, 1.0])), mean_and_deviation(np.array([1.0, 3.0]))
        ((2.0, 1.7320508075688772), (2.0, 1.0))
    """
    if weights is None:
        return float(values.mean()), float(values.std())
    shares = weights.astype(np.float64) / weights.sum(dtype=np.float64)
    mean = float(shares @ values)
    return mean, float(shares @ (values - mean) ** 2) ** 0.5
