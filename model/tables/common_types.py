"""The type that can hold the values of a column in several files."""

from __future__ import annotations

from collections.abc import Iterable

from model.tables.errors import TableError
from model.tables.frames import pl


def common_type(types: Iterable[pl.DataType]) -> pl.DataType:
    """The type that can hold the values of several types, as if all values were in one file.

    Args:
        types: of one column in each file.

    Returns:
        The type, if it is the same in all; otherwise one for all numbers, one for all dates, or texts.

    Example:
        >>> common_type([pl.Int64(), pl.Float64()]), common_type([pl.Int64(), pl.Boolean()])
        (Float64, String)
    """
    different = list(dict.fromkeys(each for each in types if each != pl.Null))
    if len(different) <= 1:
        return different[0] if different else pl.String()
    if all(each.is_integer() for each in different):
        return pl.Int128() if any(each in (pl.UInt64, pl.Int128) for each in different) else pl.Int64()
    if all(each.is_numeric() for each in different):
        return pl.Float64()
    if all(each == pl.Date or isinstance(each, pl.Datetime) for each in different):
        return pl.Datetime("us")
    return pl.String()


def cast_to(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """A column as another type.

    Args:
        column: any column.
        dtype: the type that `common_type` gives for its type and others.

    Returns:
        The column; the same one if it has that type already.

    Raises:
        TableError: if its values cannot be converted.

    Example:
        >>> cast_to(pl.Series([1, None]), pl.String()).to_list()
        ['1', None]
    """
    if column.dtype == dtype:
        return column
    try:
        return column.cast(dtype)
    except pl.exceptions.PolarsError:
        found = f"{column.dtype} in this file and another type in others"
        raise TableError(f"one type of {column.name} in all files", found, "write all in one type") from None
