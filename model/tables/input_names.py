"""What the inputs of a network stand for, and the values of columns in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from model.tables.columns import CategoricalColumn, ColumnSpec, ColumnSpecs, NumericColumn
from model.tables.date_columns import PERIODS, DateColumn
from model.tables.date_spelling import describe_date

MISSING = "(missing)"


def input_names(columns: Sequence[str], column_specs: ColumnSpecs, sees_bins: bool = False) -> list[str]:
    """What each input of a network stands for, in the order in which `encode` gives them.

    Args:
        columns: the names of the columns.
        column_specs: one for each column.
        sees_bins: whether the network sees the bins that `make_bins` makes.

    Returns:
        One text for each input.

    Example:
        >>> specs = (NumericColumn(edges=(0.0, 1.0, 4.0), missing=True), CategoricalColumn(("f", "m")))
        >>> input_names(("age", "sex"), specs)
        ['age', 'age is missing', 'sex = f', 'sex = m']
        >>> input_names(("age", "sex"), specs, sees_bins=True)[:2]
        ['age from 0 to 1', 'age from 1 to 4']
    """
    names: list[str] = []
    for name, column in zip(columns, column_specs, strict=True):
        own = list(_names_of(name, column))
        if sees_bins and not isinstance(column, CategoricalColumn) and len(column.edges) > 2:
            ends = [_edge_text(column, edge) for edge in column.edges]
            own[:1] = [f"{name} from {low} to {high}" for low, high in pairwise(ends)]
        names += own
    return names


def _names_of(name: str, column: ColumnSpec) -> Iterator[str]:
    if isinstance(column, CategoricalColumn):
        yield from (f"{name} = {category}" for category in column.categories)
        if column.is_pooled:
            yield f"{name} = {category_text(column, len(column.categories))}"
    else:
        yield name
    if isinstance(column, DateColumn):
        for part in column.parts:
            yield from (f"{kind} of the {part} of {name}" for kind in ("sine", "cosine") if part in PERIODS)
            if part not in PERIODS:
                yield f"the {part} of {name}"
    if column.missing:
        yield f"{name} is missing"


def _edge_text(column: NumericColumn | DateColumn, edge: float) -> str:
    if isinstance(column, DateColumn):
        return describe_date(float(round(column.mean + edge * (column.scale or 1.0))), column.style)
    return f"{column.unscale(np.array([edge]))[0]:.6g}"


def category_text(column: CategoricalColumn, index: float) -> str:
    """A category as a reader knows it.

    Args:
        column: which has it.
        index: of the category, as `parse_text` gives it; NaN for a missing value.

    Returns:
        Its text, or words in brackets for other texts and missing values.

    Example:
        >>> [category_text(CategoricalColumn(("f", "m")), index) for index in (1.0, 2.0, np.nan)]
        ['m', '(never seen in training)', '(missing)']
    """
    if np.isnan(index):
        return MISSING
    if index < len(column.categories):
        return column.categories[int(index)]
    return "(rare texts)" if column.is_pooled and index == len(column.categories) else "(never seen in training)"


def row_text(
    columns: Sequence[str], column_specs: ColumnSpecs, values: Float[np.ndarray, " columns"], max_columns: int
) -> str:
    """The values of a row in words.

    Args:
        columns: the names of the columns.
        column_specs: one for each column.
        values: as `parse_text` gives them.
        max_columns: how many columns are named at most.

    Returns:
        The text.

    Example:
        >>> specs = (NumericColumn(), CategoricalColumn(("f", "m")))
        >>> row_text(("age", "sex"), specs, np.array([30.5, 1.0]), 4)
        'age = 30.5, sex = m'
    """
    texts = [
        f"{name} = {_value_text(column, value)}"
        for name, column, value in zip(columns, column_specs, values.tolist(), strict=True)
    ]
    more = f" and {len(texts) - max_columns:,} more columns" if len(texts) > max_columns else ""
    return ", ".join(texts[:max_columns]) + more


def _value_text(column: ColumnSpec, value: float) -> str:
    if isinstance(column, CategoricalColumn):
        return category_text(column, value)
    if np.isnan(value):
        return MISSING
    return describe_date(value, column.style) if isinstance(column, DateColumn) else f"{value:.6g}"
