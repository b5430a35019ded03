"""Columns of a frame that are categories because the caller says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from model.tables.frames import pl

# The columns of texts, truth values and categorical types are categories.
FROM_DTYPE = "from_dtype"


def chosen_categories(columns: Sequence[pl.Series], chosen: Any) -> set[str]:
    """The names of the columns that are categories, whatever they hold.

    Args:
        columns: all columns.
        chosen: FROM_DTYPE, or names, positions or a mask of columns, as scikit-learn's `categorical_features`.

    Returns:
        The names.

    Raises:
        ValueError: if `chosen` is anything else.

    Example:
        >>> chosen_categories([pl.Series("a", [1]), pl.Series("b", [2])], [False, True])
        {'b'}
    """
    names = [column.name for column in columns]
    if isinstance(chosen, str) and chosen == FROM_DTYPE:
        return {column.name for column in columns if column.dtype in (pl.Categorical, pl.Enum)}
    listed = [] if chosen is None else np.asarray(chosen).tolist()
    if isinstance(listed, list) and listed and all(isinstance(each, bool) for each in listed):
        if len(listed) == len(names):
            return {name for name, is_chosen in zip(names, listed, strict=True) if is_chosen}
    elif isinstance(listed, list) and all(each in names or each in range(len(names)) for each in listed):
        return {each if isinstance(each, str) else names[each] for each in listed}
    expected = f"{FROM_DTYPE!r}, or names, positions or a mask of the {len(names)} columns"
    raise ValueError(f"categorical_features must be {expected}, not {chosen!r}")
