"""Columns of texts that are not written as plain values: numbers, codes, and words in upper and lower case."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from model.messages import quote, quote_names
from model.tables.codes import are_codes, why_ids
from model.tables.date_inference import SpelledDates, infer_dates, may_be_dates
from model.tables.date_spelling import DIGITS, STYLES, DateSpelling, describe_date
from model.tables.duration_inference import infer_durations, may_be_durations
from model.tables.errors import TableError
from model.tables.far_dates import far_date_notes
from model.tables.frames import pl
from model.tables.number_notes import number_notes, stray_notes, word_note
from model.tables.row_places import ONE_FILE, RowPlaces
from model.tables.spelling import NumberSpelling, SpelledColumn, infer_spelling, may_be_numbers
from model.tables.text_counts import text_counts
from model.tables.written_numbers import take_apart

# A column with more different numbers than this, in at least this share of the cells, is not a column of categories.
MAX_NUMBER_CATEGORIES, REFUSED_SHARE = 20, 0.9
# Case is ignored if at most this many different texts remain then.
MAX_FOLDED = 3
# How many texts are tried before all are.
SAMPLED_TEXTS = 1_000
# Digits such as 20240131 are dates only if at least this many of them differ.
MIN_DIGIT_DATES = 2


class ReadTexts(NamedTuple):
    """A column of texts as it is learned from.

    Attributes:
        column: Float64 for numbers, otherwise String.
        spelling: how the numbers are written; None if the texts are not numbers.
        is_folded: whether texts that differ only in case are the same.
        dates: how the dates are written whose seconds are in the column; None if the texts are not dates.
        notes: how the column was read; one sentence each.
    """

    column: pl.Series
    spelling: NumberSpelling | None = None
    is_folded: bool = False
    dates: DateSpelling | None = None
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
        prefers_comma: as in `infer_spelling`.
        date_styles: how dates may be written.
        places: in which file each row is.

    Returns:
        The column, and how it was read.

    Raises:
        TableError: if nearly all texts are numbers, too many texts differ, and too many others are not numbers.

    Example:
        >>> found = read_texts(pl.Series("price", ["1,5", "2,25", None]))
        >>> found.column.to_list(), found.notes
        ([1.5, 2.25, None], ("'1,5' in price is read as 1.5",))
    """
    name, series = column.name, column.alias("")
    dates = read_digit_dates(name, series, places)
    if dates is not None:
        return dates
    if are_codes(series):
        first = next(text for text in series.drop_nulls().head(1000).to_list() if text.startswith("0"))
        return ReadTexts(column, notes=(f"{name} is read as texts, because {first} begins with 0",))
    reason = why_ids(series)
    if reason is not None:
        return ReadTexts(column, notes=(f"{name} is read as texts, because {reason}",))
    counts = text_counts(series)
    has_digits = any(any(map(str.isdigit, text)) for text in _sample(counts))
    found = _numbers(counts, prefers_comma) if has_digits else None
    if found is None and has_digits and may_be_dates(_sample(counts), date_styles):
        spelled = infer_dates(name, counts, date_styles)
        if spelled is not None:
            return _dates(name, series, spelled, places)
    if found is None:
        _check_mostly_texts(name, series, counts, places)
        return _folded(column, counts)
    values = {text: None if math.isnan(number) else number for text, number in found.numbers.items()}
    numbers = series.replace_strict(values, default=None, return_dtype=pl.Float64).alias(name)
    return ReadTexts(numbers, found.spelling, notes=tuple(number_notes(name, series, counts, found, places)))


def _numbers(counts: Mapping[str, int], prefers_comma: bool) -> SpelledColumn | None:
    """The durations or the numbers that texts stand for; None if they are neither."""
    durations = infer_durations(counts) if may_be_durations(_sample(counts)) else None
    if durations is not None or not may_be_numbers(_sample(counts)):
        return durations
    return infer_spelling(counts, prefers_comma)


def read_digit_dates(name: str, series: pl.Series, places: RowPlaces = ONE_FILE) -> ReadTexts | None:
    """The dates that texts of digits such as 20240131 stand for.

    Args:
        name: of the column.
        series: of texts, null where a value is missing.
        places: in which file each row is.

    Returns:
        The dates, and how they were read; None if the texts are not such dates, or all are equal.

    Example:
        >>> read_digit_dates("day", pl.Series(["19700101", "19700102"])).column.to_list()
        [0.0, 86400.0]
        >>> read_digit_dates("id", pl.Series(["20231201", "20231301"])) is None
        True
    """
    if not may_be_dates(_sample(text_counts(series.head(SAMPLED_TEXTS))), (DIGITS,)):
        return None
    found = infer_dates(name, text_counts(series), (DIGITS,))
    if found is None or len(found.seconds) - len(found.absent.all) < MIN_DIGIT_DATES:
        return None
    # A number that is not a date shows that the others are not dates either.
    if any(any(map(str.isdigit, text)) for text in found.absent.strays):
        return None
    return _dates(name, series, found, places)


def _dates(name: str, series: pl.Series, found: SpelledDates, places: RowPlaces) -> ReadTexts:
    seconds = series.replace_strict(found.seconds, default=None, return_dtype=pl.Float64).alias(name)
    text, first = series[int(seconds.is_not_null().arg_max() or 0)], float(seconds.drop_nulls()[0])
    written = describe_date(first, found.style)
    is_plain = written == text
    notes = [
        f"{name} is read as dates or times, such as {text}"
        if is_plain
        else f"{quote(text)} in {name} is read as {written}"
    ]
    notes += [word_note(name, word, int((series == word).sum())) for word in found.absent.words]
    notes += stray_notes(name, series, found.absent.strays, places)
    notes += far_date_notes(name, seconds) if found.style != "time" else ()
    return ReadTexts(seconds, dates=found.spelling, notes=tuple(notes))


def _sample(counts: Mapping[str, int]) -> dict[str, int]:
    """The most common texts. They are enough to see that most columns are not of some type."""
    return dict(islice(counts.items(), SAMPLED_TEXTS))


def _check_mostly_texts(name: str, series: pl.Series, counts: Mapping[str, int], places: RowPlaces) -> None:
    """Raise TableError if nearly all cells are numbers of one unit, and too many differ to be categories."""
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
        remedy = f"mend them, or read them as missing with --numeric {quote_names([name])}"
        raise TableError(f"numbers in {name}", found, remedy, without_options="mend them, or leave that column out")


def _folded(column: pl.Series, counts: Mapping[str, int]) -> ReadTexts:
    """The column, in which texts that differ only in case are the same if only a few texts remain then."""
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
    same = ", ".join(f"{quote(text)} is read as {quote(names[text])}" for text in sorted(changed))
    return ReadTexts(folded, is_folded=True, notes=(f"in {column.name} {same}",))
