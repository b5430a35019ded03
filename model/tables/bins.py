"""The bins of columns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from model.ensembles import Bins
from model.tables.columns import CategoricalColumn, ColumnSpecs


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
