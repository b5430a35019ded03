"""Arrays are padded with zeros to one of few sizes, so that few programs are compiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.ensembles import Bins

# Arrays of up to so many rows are padded, so that a few rows more or less need the same program.
MAX_PADDED_ROWS = 100_000


def padded_size(rows: int) -> int:
    """The size to which so many rows are padded.

    Args:
        rows: how many there are, from 1.

    Returns:
        At least `rows`, and at most an eighth of it (or 16) more.

    Example:
        >>> padded_size(1437), padded_size(1438), padded_size(5), padded_size(10**6)
        (1536, 1536, 16, 1000000)
    """
    step = max(16, 1 << max(rows.bit_length() - 4, 0))
    return rows if rows > MAX_PADDED_ROWS else -(-rows // step) * step


def padded_width(inputs: int, rows: int) -> int:
    """The number of inputs to which a network is padded, so that a few inputs more or less need the same program.

    Args:
        inputs: how many there are, from 1.
        rows: of the table. If it has many, nothing is padded.

    Returns:
        At least `inputs`, and at most an eighth of it (or 8) more.

    Example:
        >>> padded_width(10, 1000), padded_width(130, 1000), padded_width(10, 10**6)
        (16, 144, 10)
    """
    step = max(8, 1 << max(inputs.bit_length() - 4, 0))
    return inputs if rows > MAX_PADDED_ROWS else -(-inputs // step) * step


def padded(values: np.ndarray, *shape: int) -> np.ndarray:
    """An array followed by zeros on every axis.

    Args:
        values: of any shape.
        shape: the result's, at least as large on every axis.

    Returns:
        An array of this shape; the values themselves if they have it.

    Example:
        >>> padded(np.ones((1, 2)), 2, 3).tolist()
        [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    if values.shape == shape:
        return values
    padded = np.zeros(shape, values.dtype)
    padded[tuple(slice(length) for length in values.shape)] = values
    return padded


def padded_together(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of one axis in one array.

    Args:
        parts: at least one.

    Returns:
        [parts, size], each part followed by zeros, where size is the `padded_size` of the longest.

    Example:
        >>> padded_together([np.ones(3), np.ones(1)]).sum(axis=1).tolist()
        [3.0, 1.0]
    """
    size = padded_size(max(map(len, parts)))
    return np.stack([padded(part, size) for part in parts])


def padded_bins(bins: Bins, width: int) -> Bins:
    """Bins followed by inputs that are always 0.

    Args:
        bins: of the columns.
        width: how many inputs there are in the end.

    Returns:
        The bins.

    Example:
        >>> one = np.ones(1, np.float32)
        >>> padded_bins(Bins(np.zeros(1, np.int32), one, one, one, one), 2).rate.tolist()
        [1.0, 0.0]
    """
    return Bins(*(padded(np.asarray(values), width) for values in bins))
