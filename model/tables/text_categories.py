"""Which texts of a column become categories: all of them, the most common ones, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from model.tables.columns import CategoricalColumn
from model.tables.errors import OptionNote
from model.tables.rare_texts import pack_texts
from model.tables.spelling import MIN_NUMBER_SHARE
from model.tables.text_counts import text_counts
from model.tables.written_numbers import take_apart

if TYPE_CHECKING:
    import polars

# All texts become categories if there are few of them, or if there are at most this many and each occurs in two rows on
# average.
MAX_CATEGORIES, FEW_CATEGORIES = 250, 20
# Of more texts, those that occur in at least this many rows become categories, at most this many. All others share one
# category.
MIN_ROWS, MAX_POOLED_CATEGORIES = 5, MAX_CATEGORIES
# Texts that show whether a column has numbers of several units.
SAMPLED_TEXTS = 1_000
# A column with more different texts than this share of its rows is left out.
MAX_UNIQUE_SHARE = 0.9


class FittedCategories(NamedTuple):
    """What is learned of a column of texts.

    Attributes:
        column: the column; None if it is left out.
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
        is_folded: whether texts that differ only in case are the same.
        is_kept: whether the column must not be left out.

    Returns:
        The column and a note.

    Example:
        >>> import polars as pl
        >>> fit_categories(pl.Series(["b", "a", None]), "letter").column.categories
        ('a', 'b')
        >>> fit_categories(pl.Series([f"id {index}" for index in range(50)]), "id").note
        'left out id: it has 50 different texts in 50 rows; --keep takes it anyway'
    """
    import polars as pl

    texts = series.cast(pl.String)
    present, has_missing = len(texts) - texts.null_count(), bool(texts.null_count())
    counts = text_counts(texts)
    if len(counts) <= FEW_CATEGORIES or (len(counts) <= MAX_CATEGORIES and 2 * len(counts) <= present):
        column = CategoricalColumn(tuple(sorted(counts)), has_missing, series.dtype == pl.Boolean, is_folded)
        return FittedCategories(_with_frequencies(column, counts, len(texts)))
    is_unique = len(counts) > MAX_UNIQUE_SHARE * present
    if not is_kept and (is_unique or max(counts.values()) < MIN_ROWS):
        why = _why_left_out(texts, len(counts), is_unique)
        return FittedCategories(None, OptionNote(f"left out {name}: {why}", "--keep takes it anyway"))
    return _most_common(counts, name, len(texts))


def _most_common(counts: Mapping[str, int], name: str, rows: int) -> FittedCategories:
    """A column in which the most common texts are categories, and all others share one."""
    common = sorted(counts, key=lambda text: (-counts[text], text))[:MAX_POOLED_CATEGORIES]
    frequent = [text for text in common if counts[text] >= MIN_ROWS]
    shown = frequent or common
    are_others = len(shown) < len(counts)
    inputs = "have an input each" + (", and the others share one" if are_others else "")
    rarity = "" if frequent else f", although none occurs in {MIN_ROWS} rows"
    rare = pack_texts(counts.keys() - set(shown))
    column = CategoricalColumn(tuple(sorted(shown)), sum(counts.values()) < rows, is_pooled=are_others, rare=rare)
    note = f"{len(shown):,} of the {len(counts):,} texts of {name} {inputs}{rarity}"
    return FittedCategories(_with_frequencies(column, counts, rows), note)


def _why_left_out(texts: polars.Series, count: int, is_unique: bool) -> str:
    """Why a column with this many different texts is left out."""
    present = texts.drop_nulls()
    sample = present.head(SAMPLED_TEXTS).to_list()
    written = {text: parts for text in sample if (parts := take_apart(text)) is not None}
    units: dict[str, str] = {}
    for text, parts in written.items():
        units.setdefault(f"{parts.prefix} {parts.suffix}".casefold(), text)
    if len(units) > 1 and len(written) >= MIN_NUMBER_SHARE * len(set(sample)):
        return "its texts are numbers of several units, such as " + " and ".join(list(units.values())[:2])
    if is_unique:
        return f"it has {count:,} different texts in {len(present):,} rows"
    return f"none of its {count:,} texts occurs in {MIN_ROWS} rows"


def _with_frequencies(column: CategoricalColumn, counts: Mapping[str, int], rows: int) -> CategoricalColumn:
    present = sum(counts.values())
    numbers = [counts[text] for text in column.categories]
    numbers += [present - sum(numbers)] * column.is_pooled + [rows - present] * column.missing
    return msgspec.structs.replace(column, frequencies=tuple(number / max(rows, 1) for number in numbers))
