"""Columns as a file or a frame holds them -> a frame of the types that can be learned from.

Every way to a table ends here, so that a value means the same wherever it comes from.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple

from model.tables.codes import why_ids
from model.tables.column_fitting import TextOptions
from model.tables.columns import EXACT_WHOLE_NUMBERS
from model.tables.date_spelling import STYLES
from model.tables.doubtful_points import may_be_thousands, read_points
from model.tables.frames import pl
from model.tables.missing_words import MissingWords, missing_notes, missing_words
from model.tables.row_places import ONE_FILE, RowPlaces
from model.tables.series_parsing import date_seconds
from model.tables.spelling import NumberSpelling
from model.tables.text_columns import ReadTexts, read_texts
from model.tables.type_inference import bare_texts, check_finite, infer_type


class TypedFrame(NamedTuple):
    """The columns of a file or a frame.

    Attributes:
        frame: with columns of Float64, Int64, Boolean and String, null where a value is missing.
        notes: how they were read, where that is not plain; one sentence each.
        spellings: how numbers are written, by the names of the columns in which they are not typed.
        folded: the columns in which texts that differ in case alone are the same.
        date_styles: how dates are written, by the names of the columns that hold their seconds.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]
    spellings: Mapping[str, NumberSpelling]
    folded: frozenset[str]
    date_styles: Mapping[str, str]

    def text_options(self, keep: Container[str], strict: bool = False) -> TextOptions:
        """How the columns are learned from; `keep` and `strict` as of `read_table`."""
        return TextOptions(self.spellings, self.date_styles, self.folded, keep, strict)


def typed_frame(
    columns: list[pl.Series],
    notes: tuple[str, ...] = (),
    *,
    prefers_comma: bool = False,
    dates: str | None = None,
    categories: Container[str] = (),
    places: RowPlaces = ONE_FILE,
    amounts: Container[str] = (),
    words: Mapping[str, MissingWords] | None = None,
    doubts_points: bool = False,
) -> TypedFrame:
    """The columns, each with the type that all of its values have.

    Args:
        columns: of types that `infer_type` takes, or of dates, times or durations; each with another name. The list is
            emptied, so that the memory of each is free once it is read.
        notes: how they came here.
        prefers_comma: as of `read_texts`.
        dates: the order of year, month and day in dates: ymd, dmy or mdy; by default told from each column.
        categories: the names of columns that are categories, whatever they hold.
        places: in which file each row is.
        amounts: the names of columns of which whole numbers are numbers even if they have as many digits as ids.
        words: for missing, of columns in which such cells are null already; None if they are still there.
        doubts_points: whether 20.000 may be twenty thousand, where a whole column is written so.

    Returns:
        The frame, and how each column was read.

    Raises:
        TableError: if a column has infinite values, or mostly numbers and other texts.

    Example:
        >>> columns = [pl.Series("price", ["1,5", "2,25"]), pl.Series("room", [1, 2])]
        >>> typed_frame(columns, categories={"room"}).frame.rows()
        [(1.5, '1'), (2.25, '2')]
    """
    read: list[ReadTexts] = []
    while columns:
        column = columns.pop(0)
        if column.name in categories:
            each = _read_category(column)
        else:
            typed = _whole_numbers(column) if column.name in amounts else column
            points = _read_points(column, prefers_comma) if doubts_points else None
            each = points or _read_column(typed, prefers_comma, dates, places)
        absent = missing_words(column) if words is None else words.get(column.name, MissingWords({}))
        read.append(each._replace(notes=each.notes + missing_notes(column.name, each.column.dtype, absent)))
    for each in read:
        check_finite(each.column, places)
    return TypedFrame(
        pl.DataFrame([each.column for each in read]),
        notes + tuple(note for each in read for note in each.notes),
        {each.column.name: each.spelling for each in read if each.spelling is not None},
        frozenset(each.column.name for each in read if each.is_folded),
        {each.column.name: each.date_style for each in read if each.date_style is not None},
    )


def _read_column(column: pl.Series, prefers_comma: bool, dates: str | None, places: RowPlaces) -> ReadTexts:
    """A column of guessed type; of texts, what they stand for, and of dates and times their seconds."""
    if column.dtype.is_temporal():
        seconds = pl.Series(column.name, date_seconds(column)).fill_nan(None)
        if column.dtype == pl.Duration:
            return ReadTexts(seconds, notes=(f"the durations in {column.name} are read as seconds",))
        style = "time" if column.dtype == pl.Time else "ymd"
        return ReadTexts(seconds, date_style=style, notes=(f"{column.name} is read as dates or times",))
    inferred = infer_type(column)
    if inferred.dtype != pl.String:
        return ReadTexts(inferred, notes=_lost_digits(inferred))
    return read_texts(inferred, prefers_comma, STYLES if dates is None else (dates, "ym", "time"), places)


def _read_points(column: pl.Series, are_thousands: bool) -> ReadTexts | None:
    """A column of which every point may be between thousands; None for any other."""
    inferred = infer_type(column, doubts_points=True) if column.dtype == pl.String else column
    if inferred.dtype != pl.String or not may_be_thousands(inferred):
        return None
    numbers, spelling, note = read_points(inferred, are_thousands)
    return ReadTexts(numbers, spelling, notes=(note,))


def _whole_numbers(column: pl.Series) -> pl.Series:
    """The column; as numbers if it holds digits that could be ids."""
    digits = bare_texts(column) if column.dtype == pl.String else column
    if column.dtype != pl.String or why_ids(digits) is None:
        return column
    numbers = digits.cast(pl.Int64, strict=False)
    fits = numbers.null_count() == digits.null_count()
    return (numbers if fits else digits.cast(pl.Float64)).alias(column.name)


def _lost_digits(numbers: pl.Series) -> tuple[str, ...]:
    """A note if float64 does not hold some of the whole numbers of a column."""
    series = numbers.alias("")
    if series.dtype != pl.Int64 or not (series.abs() > EXACT_WHOLE_NUMBERS).any():
        return ()
    if (series.cast(pl.Float64).cast(pl.Int64, strict=False) == series).all():
        return ()
    return (f"numbers beyond 2^53 in {numbers.name} lose their last digits; make them texts if they are ids",)


def _read_category(column: pl.Series) -> ReadTexts:
    """A column of which each value is a category, as it is written."""
    if column.dtype == pl.Boolean:
        return ReadTexts(column)
    return ReadTexts(bare_texts(category_texts(column)).alias(column.name))


def category_texts(column: pl.Series) -> pl.Series:
    """The values of a column as the names of categories.

    Args:
        column: of numbers, texts, truth values, dates or times.

    Returns:
        Texts; of a whole number its digits, whether the column's type has a point or not.

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
