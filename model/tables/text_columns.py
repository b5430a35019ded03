"""Columns of texts that are not written as plain values: numbers, codes, and words in upper and lower case."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from model.messages import quote
from model.tables.codes import are_codes, why_ids
from model.tables.date_spelling import STYLES, SpelledDates, describe_date, infer_dates, may_be_dates
from model.tables.errors import TableError
from model.tables.frames import pl
from model.tables.number_notes import number_notes, stray_notes
from model.tables.row_places import ONE_FILE, RowPlaces
from model.tables.spelling import NumberSpelling, infer_spelling, may_be_numbers
from model.tables.written_numbers import take_apart

# A column with more texts than this, most of them numbers, is no column of categories.
MAX_NUMBER_CATEGORIES, REFUSED_SHARE = 20, 0.9
# Case does not count where at most so many texts remain.
MAX_FOLDED = 3
# Texts that are tried before all of them are.
SAMPLED_TEXTS = 1_000


class ReadTexts(NamedTuple):
    """A column of texts as it is learned from.

    Attributes:
        column: Float64 for numbers, otherwise String.
        spelling: how the numbers are written; None if they are no numbers.
        is_folded: whether texts that differ in case alone are the same.
        date_style: how dates are written, of which the column has the seconds; None if they are no dates.
        notes: how the column was read; one sentence each.
    """

    column: pl.Series
    spelling: NumberSpelling | None = None
    is_folded: bool = False
    date_style: str | None = None
    notes: tuple[str, ...] = ()


def read_texts(
    column: pl.Series,
    prefers_comma: bool = False,
    date_styles: Sequence[str] = STYLES,
    places: RowPlaces = ONE_FILE,
) -> ReadTexts:
    """What the texts of a column stand for.

    Args:
        column: of texts without blanks around them, null where a value is missing.
        prefers_comma: whether 1,234 is one and a bit, where nothing else in the column tells.
        date_styles: how dates may be written.
        places: in which file each row is.

    Returns:
        The column, and how it was read.

    Raises:
        TableError: if it has mostly numbers, but too many other texts.

    Example:
        >>> found = read_texts(pl.Series("price", ["1,5", "2,25", None]))
        >>> found.column.to_list(), found.notes
        ([1.5, 2.25, None], ("'1,5' in price is read as 1.5",))
    """
    name, series = column.name, column.alias("")
    if are_codes(series):
        first = next(text for text in series.drop_nulls().head(1000).to_list() if text.startswith("0"))
        return ReadTexts(column, notes=(f"{name} is read as texts, because {first} begins with 0",))
    reason = why_ids(series)
    if reason is not None:
        return ReadTexts(column, notes=(f"{name} is read as texts, because {reason}",))
    counts = _counts(series)
    has_digits = any(any(map(str.isdigit, text)) for text in _sample(counts))
    found = infer_spelling(counts, prefers_comma) if has_digits and may_be_numbers(_sample(counts)) else None
    if found is None and has_digits and may_be_dates(_sample(counts), date_styles):
        dates = infer_dates(name, counts, date_styles)
        if dates is not None:
            return _dates(name, series, dates, places)
    if found is None:
        _check_mostly_texts(name, series, counts, places)
        return _folded(column, counts)
    values = {text: None if math.isnan(number) else number for text, number in found.numbers.items()}
    numbers = series.replace_strict(values, default=None, return_dtype=pl.Float64).alias(name)
    return ReadTexts(numbers, found.spelling, notes=tuple(number_notes(name, series, counts, found, places)))


def _dates(name: str, series: pl.Series, found: SpelledDates, places: RowPlaces) -> ReadTexts:
    seconds = series.replace_strict(found.seconds, default=None, return_dtype=pl.Float64).alias(name)
    text, first = next((text, each) for text, each in found.seconds.items() if each is not None)
    written = describe_date(first, found.style)
    is_plain = written == text
    note = (
        f"{name} is read as dates or times, such as {text}"
        if is_plain
        else f"{quote(text)} in {name} is read as {written}"
    )
    notes = (note,)
    return ReadTexts(
        seconds, date_style=found.style, notes=notes + tuple(stray_notes(name, series, found.strays, places))
    )


def _counts(series: pl.Series) -> dict[str, int]:
    counted = series.drop_nulls().value_counts(sort=True)
    return dict(zip(counted.to_series(0).to_list(), counted.to_series(1).to_list(), strict=True))


def _sample(counts: Mapping[str, int]) -> dict[str, int]:
    """The most common texts, which show what most columns are not."""
    return dict(islice(counts.items(), SAMPLED_TEXTS))


def _check_mostly_texts(name: str, series: pl.Series, counts: Mapping[str, int], places: RowPlaces) -> None:
    """Raise TableError if nearly all cells are numbers of the same unit, and too many to be categories."""
    written = {text: parts for text in counts if (parts := take_apart(text)) is not None}
    affixes = Counter[tuple[str, str]]()
    for text, parts in written.items():
        affixes[parts.prefix, parts.suffix.casefold()] += counts[text]
    cells, most = sum(counts.values()), max(affixes.values(), default=0)
    others = [text for text in counts if text not in written]
    if len(written) > MAX_NUMBER_CATEGORIES and most >= REFUSED_SHARE * cells and others:
        row = int(series.is_in(others).fill_null(False).arg_max() or 0)
        more = sum(counts[text] for text in others) - 1
        found = f"{quote(series[row])} in {places.place(row)}, and {more:,} more such cells"
        raise TableError(f"numbers in {name}", found, "mend them, or leave the fields empty")


def _folded(column: pl.Series, counts: Mapping[str, int]) -> ReadTexts:
    """The column, in which texts that differ in case alone are the same if only few remain."""
    groups: dict[str, Counter[str]] = {}
    for text, count in counts.items():
        groups.setdefault(text.casefold(), Counter())[text] += count
        if len(groups) > MAX_FOLDED:
            return ReadTexts(column)
    names = {text: max(group, key=group.__getitem__) for group in groups.values() for text in group}
    changed = [text for text in names if names[text] != text]
    if not changed:
        return ReadTexts(column)
    folded = column.alias("").replace(names).alias(column.name)
    same = ", ".join(f"{quote(text)} is taken for {quote(names[text])}" for text in sorted(changed))
    return ReadTexts(folded, is_folded=True, notes=(f"in {column.name} {same}",))
