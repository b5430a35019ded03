"""Bins of numbers: the piecewise-linear encoding (Gorishniy et al., NeurIPS 2022, 3.2).

A column's bins lie between the quantiles of its values, its edges. The input of a bin is 0 for values below it, 1 for
values above it, and grows linearly inside. So a network can answer each part of the range in its own way.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from model.arrays import Array
from model.tables.columns import CategoricalColumn, ColumnSpecs


class Bins(NamedTuple):
    """How the inputs of a table become the inputs of a network: clip((x[source] - start) · rate, low, high).

    A bin has the source of its column, starts at its lower edge, has the rate 1 / width, and lies between 0 and 1. An
    input without bins is handed on: its start is 0, its rate is 1, and nothing limits it.

    Attributes:
        source: [inputs], which of the table's inputs each comes from.
        start: [inputs], what is subtracted.
        rate: [inputs], by what the difference is multiplied. An input with the rate 0 is always 0.
        low: [inputs], the smallest result.
        high: [inputs], the largest.
    """

    source: Int[Array, " inputs"]
    start: Float[Array, " inputs"]
    rate: Float[Array, " inputs"]
    low: Float[Array, " inputs"]
    high: Float[Array, " inputs"]


def make_bins(column_specs: ColumnSpecs) -> Bins | None:
    """The bins of columns.

    Args:
        column_specs: one for each column. The first input of a column with at least three edges gets a bin between
            each two of them; all other inputs are handed on.

    Returns:
        NumPy arrays, in float32 but for the sources; None if no column has so many edges.

    Example:
        >>> from model.tables.columns import NumericColumn
        >>> bins = make_bins((NumericColumn(edges=(-1.0, 0.0, 2.0)), NumericColumn()))
        >>> bins.source.tolist(), bins.start.tolist(), bins.rate.tolist()
        ([0, 0, 1], [-1.0, 0.0, 0.0], [1.0, 0.5, 1.0])
    """
    rows: list[tuple[float, ...]] = []
    sources: list[int] = []
    first, found = 0, False
    for column in column_specs:
        edges = () if isinstance(column, CategoricalColumn) else column.edges
        handed_on = range(first, first + column.input_count)
        if len(edges) > 2:
            found, handed_on = True, handed_on[1:]
            rows += [(low, 1 / (high - low), 0.0, 1.0) for low, high in pairwise(edges)]
            sources += [first] * (len(edges) - 1)
        rows += [(0.0, 1.0, -np.inf, np.inf)] * len(handed_on)
        sources += handed_on
        first += column.input_count
    return Bins(np.array(sources, np.int32), *np.array(rows, np.float32).T.copy()) if found else None


def bin_inputs(x: Float[Array, "rows inputs"], bins: Bins | None) -> Float[Array, "rows binned"]:
    """The inputs of a network that sees bins.

    Args:
        x: [rows, inputs], as `encode` gives them.
        bins: of the columns; None to hand on all inputs.

    Returns:
        [rows, binned]; a NumPy array if x is one.

    Example:
        >>> one = np.ones(2, np.float32)
        >>> bins = Bins(np.array([0, 0]), np.array([-1, 0], np.float32), one, 0 * one, one)
        >>> bin_inputs(np.array([[0.25], [-0.75]], np.float32), bins).tolist()
        [[1.0, 0.25], [0.25, 0.0]]
    """
    if bins is None:
        return x
    xp = np if isinstance(x, np.ndarray) and isinstance(bins.start, np.ndarray) else jnp
    _, start, rate, low, high = (values[None] for values in bins)
    binned: Array = xp.clip((x[:, bins.source] - start) * rate, low, high)
    return binned
