"""Which texts of a column become categories: all of them, the most common ones, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from model.tables.columns import CategoricalColumn

if TYPE_CHECKING:
    import polars

# Up to so many texts, all become categories, if each occurs in two rows on average or if there are very few of them.
MAX_CATEGORIES, FEW_CATEGORIES = 1_000, 20
# Of more, those that occur in so many rows, and at most so many of them; the others are one category together.
MIN_ROWS, MAX_POOLED_CATEGORIES = 5, 100
# A column in which a larger share of the rows has a text of its own is left out.
MAX_UNIQUE_SHARE = 0.9


class FittedCategories(NamedTuple):
    """What is learned of a column of texts.

    Attributes:
        column: None if the column is left out.
        note: why some texts, or the column, are left out; None if nothing is.
    """

    column: CategoricalColumn | None
    note: str | None = None


def fit_categories(
    series: polars.Series, name: str, is_folded: bool = False, is_kept: bool = False
) -> FittedCategories:
    """The categories of a column.

    Args:
        series: texts or truth values, null where a value is missing.
        name: of the column.
        is_folded: whether texts that differ in case alone are the same.
        is_kept: whether the column must not be left out.

    Returns:
        The column and a note.

    Example:
        >>> import polars as pl
        >>> fit_categories(pl.Series(["b", "a", None]), "letter").column.categories
        ('a', 'b')
        >>> fit_categories(pl.Series([f"id {index}" for index in range(50)]), "id").note
        'left out id: it has a text of its own in 50 of 50 rows; --keep takes it all the same'
    """
    import polars as pl

    texts = series.cast(pl.String)
    present, has_missing = len(texts) - texts.null_count(), bool(texts.null_count())
    counted = texts.drop_nulls().value_counts()
    counts: dict[str, int] = dict(zip(counted.to_series(0), counted.to_series(1), strict=True))
    if len(counts) <= FEW_CATEGORIES or (len(counts) <= MAX_CATEGORIES and 2 * len(counts) <= present):
        column = CategoricalColumn(tuple(sorted(counts)), has_missing, series.dtype == pl.Boolean, is_folded)
        return FittedCategories(_with_frequencies(column, counts, len(texts)))
    if len(counts) > MAX_UNIQUE_SHARE * present and not is_kept:
        why = f"it has a text of its own in {len(counts):,} of {present:,} rows"
        return FittedCategories(None, f"left out {name}: {why}; --keep takes it all the same")
    common = sorted(counts, key=lambda text: (-counts[text], text))[:MAX_POOLED_CATEGORIES]
    common = [text for text in common if counts[text] >= MIN_ROWS]
    if not common and not is_kept:
        why = f"none of its {len(counts):,} texts occurs in {MIN_ROWS} rows"
        return FittedCategories(None, f"left out {name}: {why}; --keep takes it all the same")
    inputs = f"{len(common):,} have an input of their own, and the others one together"
    note = f"of the {len(counts):,} texts of {name}, {inputs}"
    column = CategoricalColumn(tuple(sorted(common)), has_missing, is_pooled=True)
    return FittedCategories(_with_frequencies(column, counts, len(texts)), note)


def _with_frequencies(column: CategoricalColumn, counts: Mapping[str, int], rows: int) -> CategoricalColumn:
    present = sum(counts.values())
    numbers = [counts[text] for text in column.categories]
    numbers += [present - sum(numbers)] * column.is_pooled + [rows - present] * column.missing
    return msgspec.structs.replace(column, frequencies=tuple(number / max(rows, 1) for number in numbers))
