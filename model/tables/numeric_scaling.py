"""How columns of numbers to learn from are scaled, and cut into bins."""

from __future__ import annotations

import msgspec
import numpy as np
from jaxtyping import Float

from model.tables.columns import FLOAT32_NUMBERS, NumericColumn, fits_float32
from model.tables.moments import EDGE_SHARES, distinct_edges, mean_and_deviation, quantiles

# Scaled numbers grow like a logarithm above this size.
KNEE = 3.0
_QUARTILES = np.array([0.25, 0.5, 0.75])


def fit_numeric(values: Float[np.ndarray, " rows"], weights: Float[np.ndarray, " rows"] | None = None) -> NumericColumn:
    """The center, the scale, the bins and the range of a column of numbers to learn from.

    The median and the quartiles are those of Holzmüller et al. (NeurIPS 2024, 3), the bins those of Gorishniy et al.
    (NeurIPS 2022, 3.2.1).

    Args:
        values: [rows] float64, NaN where a value is missing.
        weights: [rows], how often each row counts, above 0; by default all count once.

    Returns:
        The column.

    Raises:
        ValueError: if float32 cannot hold one of the values.

    Example:
        >>> column = fit_numeric(np.array([1.0, 2.0, 3.0, 9.0, np.nan]))
        >>> column.center, column.scale, column.minimum, column.maximum, column.missing
        (2.0, 2.0, 1.0, 9.0, True)
        >>> column.scaled(np.array([2.0, 3.0, 1e9])).round(3).tolist()
        [0.0, 0.498, 58.874]
    """
    present, counts, column = present_values(values, weights)
    if not column.scale:
        return column
    low, center, high = (float(quartile) for quartile in quantiles(present, _QUARTILES, counts))
    scale = high - low or mean_and_deviation(present, counts)[1]
    column = msgspec.structs.replace(column, center=center, scale=scale, knee=KNEE)
    return msgspec.structs.replace(column, edges=distinct_edges(column.scaled(quantiles(present, EDGE_SHARES, counts))))


def present_values(
    values: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None, NumericColumn]:
    """The values of a column of numbers that are not missing.

    Args:
        values: [rows] float64, NaN where a value is missing.
        weights: [rows], how often each row counts, above 0; None if all count once.

    Returns:
        The values, their weights, and a column with their range, whose scale is 0 if all values are the same.

    Raises:
        ValueError: if float32 cannot hold one of the values.
    """
    absent = np.isnan(values)
    missing = bool(absent.any())
    present = values[~absent] if missing else values
    if not len(present):
        return present, None, NumericColumn(missing=missing, scale=0.0)
    minimum, maximum = float(present.min()), float(present.max())
    if not fits_float32(np.array([minimum, maximum])).all():
        raise ValueError(f"{FLOAT32_NUMBERS} were expected, and {minimum:g} to {maximum:g} was found")
    scale = float(maximum > minimum)
    counts = weights[~absent] if missing and weights is not None else weights
    column = NumericColumn(center=minimum, scale=scale, minimum=minimum, maximum=maximum, missing=missing)
    return present, counts, column
