"""The mean, the standard deviation and the quantiles of values."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

# Rows whose squares are in memory at a time.
BLOCK_ROWS = 65_536
# Values that quantiles are taken of, at most.
QUANTILE_ROWS = 100_000
# Bins of a column, at most: their edges are quantiles.
BINS = 16
SMALLEST_WIDTH = 1e-6
EDGE_SHARES = np.linspace(0, 1, BINS + 1)


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


def distinct_edges(scaled: Float[np.ndarray, " edges"]) -> tuple[float, ...]:
    """Edges of bins without those that float32 cannot tell apart.

    Args:
        scaled: [edges], in ascending order, as the network sees them.

    Returns:
        The edges, at distances of at least 1e-6 of their size or of 1. The first and the last are kept.

    Example:
        >>> distinct_edges(np.array([0.0, 1e-30, 0.5, 0.5, 2.0]))
        (0.0, 0.5, 2.0)
    """
    edges = [float(edge) for edge in np.unique(scaled.astype(np.float32))]
    kept = edges[:1]
    for edge in edges[1:]:
        if edge - kept[-1] > SMALLEST_WIDTH * max(1.0, abs(edge)):
            kept.append(edge)
    if len(kept) > 1:
        kept[-1] = edges[-1]
    return tuple(kept)


def quantiles(
    values: Float[np.ndarray, " rows"],
    shares: Float[np.ndarray, " shares"],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> Float[np.ndarray, " shares"]:
    """For each share, the smallest value that at least this share of the rows does not exceed.

    Of more than 100,000 rows, as many at equal distances count.

    Args:
        values: [rows] finite numbers, at least one.
        shares: [shares], from 0 to 1.
        weights: [rows], how often each value counts, above 0; by default all count once.

    Returns:
        [shares], some of the values.

    Example:
        >>> quantiles(np.array([3.0, 1.0, 2.0, 4.0]), np.array([0.0, 0.5, 0.51, 1.0])).tolist()
        [1.0, 2.0, 3.0, 4.0]
    """
    if len(values) > QUANTILE_ROWS:
        rows = np.linspace(0, len(values) - 1, QUANTILE_ROWS).astype(int)
        values, weights = values[rows], None if weights is None else weights[rows]
    found: np.ndarray = np.quantile(values, shares, method="inverted_cdf", weights=weights)
    return found
