"""Columns of a file or a frame -> a frame of the types that can be learned from.

All functions that make a table of columns use this module, so that a value means the same wherever it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from model.messages import quote
from model.tables.codes import are_codes, why_ids
from model.tables.column_fitting import TextOptions
from model.tables.column_options import NO_OPTIONS, ColumnOptions
from model.tables.columns import EXACT_WHOLE_NUMBERS
from model.tables.date_spelling import SHORT_YMD, STYLES, DateSpelling
from model.tables.doubtful_points import may_be_thousands, read_points
from model.tables.errors import TableError
from model.tables.far_dates import far_date_notes
from model.tables.frames import pl
from model.tables.missing_words import MissingWords, missing_notes, missing_words
from model.tables.number_columns import read_numbers
from model.tables.row_places import ONE_FILE, RowPlaces
from model.tables.sentinels import without_sentinels
from model.tables.series_parsing import date_seconds
from model.tables.spelling import PLAIN_NUMBERS, NumberSpelling, numbers_of_other_units
from model.tables.stored_columns import StoredColumn
from model.tables.stored_frame import StoredFrame
from model.tables.text_columns import ReadTexts, read_texts
from model.tables.text_counts import text_counts
from model.tables.type_inference import bare_texts, infer_type, infinity_errors
from model.tables.written_numbers import is_number_like

# The most texts of a numeric column that are remembered because they are not numbers.
MAX_REMEMBERED = 100


class TypedFrame(NamedTuple):
    """The columns of a file or a frame.

    Attributes:
        columns: of Float64, Int64, Boolean and String, null where a value is missing.
        notes: how they were read, where that is not obvious; one sentence each.
        spellings: how numbers are written, by the names of the columns whose numbers were texts.
        folded: the columns in which texts that differ only in case are the same.
        dates: how dates are written, by the names of the columns that hold their seconds.
        absent: what stands for a missing value besides the usual words, by the names of the columns.
    """

    columns: StoredFrame
    notes: tuple[str, ...]
    spellings: Mapping[str, NumberSpelling]
    folded: frozenset[str]
    dates: Mapping[str, DateSpelling]
    absent: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    @property
    def frame(self) -> pl.DataFrame:
        """The columns, all in memory."""
        return self.columns.in_memory()

    def text_options(self, keep: Container[str], strict: bool = False) -> TextOptions:
        """How the columns are learned from; `keep` and `strict` are as in `read_table`."""
        return TextOptions(self.spellings, self.dates, self.folded, keep, strict, self.absent)


def typed_frame(
    columns: list[StoredColumn],
    notes: tuple[str, ...] = (),
    *,
    prefers_comma: bool = False,
    options: ColumnOptions = NO_OPTIONS,
    places: RowPlaces = ONE_FILE,
    never_ids: Container[str] = (),
    words: Mapping[str, MissingWords] | None = None,
    doubts_points: bool = False,
) -> TypedFrame:
    """The columns, each with the type that all of its values have.

    Args:
        columns: of types that `infer_type` takes, or of dates, times or durations; their names are all different. The
            list is emptied, so that the memory of each column is free once the column is read.
        notes: how the file was read so far. The notes on columns are added to these.
        prefers_comma: as in `read_texts`.
        options: what the user says about the columns.
        places: in which file each row is.
        never_ids: the names of columns whose whole numbers are never ids, such as the target.
        words: as in `FileColumns`.
        doubts_points: whether 20.000 may be twenty thousand, in a column in which all numbers are written so.

    Returns:
        The frame, and how each column was read.

    Raises:
        TableError: if a column has infinite values, if its texts cannot be read as `read_texts` says, or if it is named
            as numeric and is not.

    Example:
        >>> from model.tables.stored_columns import stored
        >>> columns = [stored(pl.Series("price", ["1,5", "2,25"])), stored(pl.Series("room", [1, 2]))]
        >>> typed_frame(columns, options=ColumnOptions(categorical={"room"})).frame.rows()
        [(1.5, '1'), (2.25, '2')]
    """
    names = [column.name for column in columns]
    if options.decimal is not None:
        prefers_comma = options.decimal == ","
    sentinels = {name: options.sentinels(name, names) for name in names}
    read_values = partial(_read_values, prefers_comma, doubts_points, options, places, never_ids)
    read: list[ReadTexts] = []
    kept: list[StoredColumn] = []
    infinite: list[TableError] = []
    while columns:
        column = columns.pop(0)
        values = column.load()
        found = _read_with_sentinels(values, sentinels[column.name], words, read_values)
        infinite += infinity_errors(found.column, places)
        kept.append(column.replaced(values, found.column))
        read.append(found._replace(column=found.column.clear()))
    for error in infinite:
        raise error
    return TypedFrame(
        StoredFrame(kept),
        notes + tuple(note for each in read for note in each.notes),
        {each.column.name: each.spelling for each in read if each.spelling is not None},
        frozenset(each.column.name for each in read if each.is_folded),
        {each.column.name: each.dates for each in read if each.dates is not None},
        {name: texts for name, texts in sentinels.items() if texts},
    )


def _read_with_sentinels(
    values: pl.Series,
    sentinels: Sequence[str],
    words: Mapping[str, MissingWords] | None,
    read: Callable[[pl.Series], ReadTexts],
) -> ReadTexts:
    """A column without the values that stand for a missing value, with notes on all of these."""
    column, told = without_sentinels(values, sentinels)
    absent = missing_words(column) if words is None else words.get(column.name, MissingWords({}))
    found = read(column)
    return found._replace(notes=told + found.notes + missing_notes(column.name, found.column.dtype, absent))


def _read_values(
    prefers_comma: bool,
    doubts_points: bool,
    options: ColumnOptions,
    places: RowPlaces,
    never_ids: Container[str],
    column: pl.Series,
) -> ReadTexts:
    """A column, read as the user's options and its values say."""
    if column.name in options.categorical:
        return _read_category(column)
    if doubts_points and (points := _read_points(column, prefers_comma)) is not None:
        return points
    if column.name in options.numeric and column.dtype == pl.String:
        return _read_numbers(column, prefers_comma, options, places)
    if column.name in options.numeric and column.dtype.is_numeric():
        return ReadTexts(infer_type(column))
    column = _whole_numbers(column) if column.name in never_ids else column
    return _read_column(column, prefers_comma, options.dates, places)


def _read_column(column: pl.Series, prefers_comma: bool, dates: str | None, places: RowPlaces) -> ReadTexts:
    """A column of the type of its values. Texts become what they stand for, and dates and times become seconds."""
    if column.dtype.is_temporal():
        seconds = pl.Series(column.name, date_seconds(column)).fill_nan(None)
        if column.dtype == pl.Duration:
            return ReadTexts(seconds, notes=(f"the durations in {column.name} are read as seconds",))
        notes = (f"{column.name} is read as dates or times",)
        if column.dtype == pl.Time:
            return ReadTexts(seconds, dates=DateSpelling("time"), notes=notes)
        return ReadTexts(seconds, dates=DateSpelling("ymd"), notes=notes + far_date_notes(column.name, seconds))
    inferred = infer_type(column)
    if inferred.dtype in (pl.Int64, pl.Float64):
        found = read_numbers(inferred)
        return found if found.dates else found._replace(notes=found.notes + _lost_digits(inferred))
    if inferred.dtype != pl.String:
        return ReadTexts(inferred)
    return read_texts(inferred, prefers_comma, _date_styles(dates), places)


def _date_styles(order: str | None) -> tuple[str, ...]:
    """How dates may be written if the order of year, month and day is known."""
    if order is None:
        return STYLES
    return (order, *([SHORT_YMD] if order == "ymd" else []), "ym", "time")


def _read_points(column: pl.Series, are_thousands: bool) -> ReadTexts | None:
    """A column in which each point may stand between thousands; None for any other column."""
    inferred = infer_type(column, doubts_points=True) if column.dtype == pl.String else column
    if inferred.dtype != pl.String or not may_be_thousands(inferred):
        return None
    numbers, spelling, note = read_points(inferred, are_thousands)
    return ReadTexts(numbers, spelling, notes=(note,))


def _whole_numbers(column: pl.Series) -> pl.Series:
    """The column; as numbers if it holds texts that would be read as ids."""
    digits = bare_texts(column) if column.dtype == pl.String else column
    if column.dtype != pl.String or why_ids(digits) is None:
        return column
    numbers = digits.cast(pl.Int64, strict=False)
    fits = numbers.null_count() == digits.null_count()
    return (numbers if fits else digits.cast(pl.Float64)).alias(column.name)


def _lost_digits(numbers: pl.Series) -> tuple[str, ...]:
    """A note if float64 cannot hold all whole numbers of a column exactly."""
    series = numbers.alias("")
    if series.dtype != pl.Int64 or not (series.abs() > EXACT_WHOLE_NUMBERS).any():
        return ()
    if (series.cast(pl.Float64).cast(pl.Int64, strict=False) == series).all():
        return ()
    return (f"numbers beyond 2^53 in {numbers.name} lose their last digits; make them texts if they are ids",)


def _read_numbers(column: pl.Series, prefers_comma: bool, options: ColumnOptions, places: RowPlaces) -> ReadTexts:
    """A column that the user names as numeric. All values that are not numbers are missing."""
    bare = bare_texts(column)
    others = [text for text in bare.drop_nulls().unique(maintain_order=True).to_list() if not is_number_like(text)]
    others = others[:MAX_REMEMBERED]
    numbers, told = without_sentinels(bare.alias(column.name), others)
    numbers = numbers.cast(pl.Float64) if are_codes(numbers) else _whole_numbers(numbers)
    inferred = infer_type(numbers)
    found = ReadTexts(inferred)
    if inferred.dtype == pl.String:
        found = read_texts(inferred, prefers_comma, _date_styles(options.dates), places)
    if found.column.dtype == pl.String:
        numbers, units, said = _without_other_units(numbers, prefers_comma)
        others, told = [*others, *units[:MAX_REMEMBERED]], told + said
        found = read_texts(numbers, prefers_comma, _date_styles(options.dates), places) if units else found
    if found.dates is not None or not found.column.dtype.is_numeric():
        first = quote(next(iter(column.drop_nulls()), ""))
        raise TableError(f"numbers in {column.name}", first, f"leave {column.name} out of --numeric")
    spelling = found.spelling or PLAIN_NUMBERS
    spelling = msgspec.structs.replace(spelling, absent=(*spelling.absent, *others))
    return found._replace(spelling=spelling, notes=told + found.notes)


def _without_other_units(texts: pl.Series, prefers_comma: bool) -> tuple[pl.Series, list[str], tuple[str, ...]]:
    """Numbers without those whose unit differs from that of most; the texts that were left out; and a note on them."""
    counts = text_counts(texts)
    units = numbers_of_other_units(counts, prefers_comma)
    if not units:
        return texts, [], ()
    first, cells = max(units, key=counts.__getitem__), sum(counts[text] for text in units)
    note = f"numbers in {texts.name} with another unit than most, such as {quote(first)}, are read as missing"
    note += f", in {cells:,} row{'s' * (cells > 1)}"
    return texts.alias("").set(texts.is_in(units).fill_null(False), None).alias(texts.name), units, (note,)


def _read_category(column: pl.Series) -> ReadTexts:
    """A column in which each value is a category, named as it is written."""
    if column.dtype == pl.Boolean:
        return ReadTexts(column)
    return ReadTexts(bare_texts(category_texts(column)).alias(column.name))


def category_texts(column: pl.Series) -> pl.Series:
    """The values of a column as the names of categories.

    Args:
        column: of numbers, texts, truth values, dates or times.

    Returns:
        Texts. A whole number becomes its digits without a point, also in a column of floats.

    Example:
        >>> category_texts(pl.Series([1.0, 2.5, None])).to_list(), category_texts(pl.Series([1])).to_list()
        (['1', '2.5', None], ['1'])
    """
    texts = column.cast(pl.String)
    if not column.dtype.is_float() and not column.dtype.is_decimal():
        return texts
    whole = column.cast(pl.Float64).fill_nan(None).cast(pl.Int64, strict=False)
    is_whole = (whole.cast(pl.Float64) == column.cast(pl.Float64)).fill_null(False)
    return whole.cast(pl.String).zip_with(is_whole, texts)
