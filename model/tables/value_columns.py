"""The values of one column, in a list, an array or an Arrow array -> a polars Series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from jaxtyping import Shaped

from model.messages import describe_error
from model.tables.errors import TableError
from model.tables.frames import pl

# Types of values that cannot be learned from.
NESTED = (list, tuple, dict, set, frozenset, np.ndarray, bytes, bytearray, memoryview, complex, np.complexfloating)
# The names of the types of pandas that stand for a missing value, besides None and NaN.
_MISSING_TYPES = {"NAType", "NaTType"}
_NUMBERS = (int, float, np.integer, np.floating, Decimal)
# The units of time of NumPy that polars has, too.
_UNITS = {"ns", "us", "ms", "D"}


def column_of_values(name: str, values: Any) -> pl.Series:
    """A column of values in one of many containers.

    Args:
        name: of the column.
        values: a list, a tuple, an array of one dimension, a polars Series, or an array with Arrow's interface.

    Returns:
        The column, of a type that holds all values; of Object if they cannot be learned from.

    Raises:
        TableError: if the values are not in such a container, or if polars cannot convert them.

    Example:
        >>> column_of_values("a", [1, None, 2.5]).to_list(), column_of_values("b", [1, "x", float("nan")]).to_list()
        ([1.0, None, 2.5], ['1', 'x', None])
    """
    if isinstance(values, pl.Series):
        return values.alias(name)
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        with checked_arrow():
            return pl.Series(name, values)
    if isinstance(values, np.ma.MaskedArray) and values.ndim == 1:
        values = values.tolist()  # None where a value is masked
    if isinstance(values, list | tuple):
        return column_of_objects(values).alias(name)
    if hasattr(values, "__len__") and not isinstance(values, str | bytes | dict):
        return column_of_array(np.asarray(values)).alias(name)
    raise TableError(f"the values of the column {name!r}", f"a single {type(values).__name__}", "put them in a list")


@contextmanager
def checked_arrow() -> Iterator[None]:
    """Raise TableError if polars cannot convert an object with Arrow's interface.

    Yields:
        Nothing.

    Raises:
        TableError: instead of an error of polars.
    """
    try:
        yield
    except pl.exceptions.DuplicateError:
        raise TableError("different names of columns", "one more than once", "rename all but one") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        found = describe_error(error).splitlines()[0]
        raise TableError("columns of Arrow that polars can read", f"others: {found}", "convert them first") from None


def column_of_array(values: Shaped[np.ndarray, "rows *more"]) -> pl.Series:
    """A column of an array.

    Args:
        values: of any dtype.

    Returns:
        The column; of Object if there is more than one dimension, or if the dtype cannot be learned from.

    Example:
        >>> column_of_array(np.array(["2024-01-31", "NaT"], "datetime64[s]")).to_list()
        [datetime.datetime(2024, 1, 31, 0, 0), None]
    """
    kind = values.dtype.kind
    if values.ndim != 1 or kind in "cSV":
        return _unlearnable(len(values))
    if kind == "O":
        return column_of_objects(values.tolist())
    if kind in "mM" and np.datetime_data(values.dtype)[0] not in _UNITS:
        values = values.astype(f"{kind}8[us]")
    if kind == "f" and values.dtype.itemsize > np.dtype(np.float64).itemsize:
        values = values.astype(np.float64)
    return pl.Series("", values.astype(values.dtype.newbyteorder("="), copy=False))


def column_of_objects(values: Sequence[Any]) -> pl.Series:
    """A column of Python's own values.

    Args:
        values: of any types; None, NaN, NaT and NA are missing.

    Returns:
        A column of truth values, numbers, dates, times or durations, if all values are of one of these kinds. Otherwise
        it is a column of texts, or of Object if some values are nested.

    Example:
        >>> column_of_objects([True, None]).dtype, column_of_objects([True, 2]).to_list()
        (Boolean, ['True', '2'])
    """
    if set(map(type, values)) <= {str, type(None)}:
        return pl.Series("", values, dtype=pl.String)
    present = [None if _is_missing(value) else value for value in values]
    kinds = set(map(type, present)) - {type(None)}
    if any(issubclass(kind, NESTED) for kind in kinds):
        return _unlearnable(len(values))
    if _all(kinds, (bool, np.bool_)):
        return pl.Series("", [None if value is None else bool(value) for value in present], dtype=pl.Boolean)
    found = _numbers(present, kinds) if _all(kinds, _NUMBERS) and bool not in kinds else _times(present, kinds)
    if found is not None:
        return found
    return pl.Series("", [None if value is None else str(value) for value in present], dtype=pl.String)


def _all(kinds: set[type], expected: type | tuple[type, ...]) -> bool:
    return all(issubclass(kind, expected) for kind in kinds)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return True
    is_comparable = isinstance(value, float | np.floating | Decimal | np.datetime64 | np.timedelta64)
    return is_comparable and bool(value != value)


def _numbers(present: list[Any], kinds: set[type]) -> pl.Series | None:
    """The numbers; None if float64 cannot hold one."""
    try:
        if _all(kinds, (int, np.integer)):
            whole = [None if value is None else int(value) for value in present]
            if all(value is None or -(2**63) <= value < 2**63 for value in whole):
                return pl.Series("", whole, dtype=pl.Int64)
        numbers = [None if value is None else float(value) for value in present]
        return pl.Series("", numbers, dtype=pl.Float64)
    except OverflowError:
        return None


def _times(present: list[Any], kinds: set[type]) -> pl.Series | None:
    """The dates, times or durations, with points in time in UTC; None if the values are not all of one kind."""
    if _all(kinds, datetime):
        if len({value.tzinfo is None for value in present if value is not None}) > 1:
            return None
        utc = [value.astimezone(UTC).replace(tzinfo=None) if value and value.tzinfo else value for value in present]
        return pl.Series("", np.array(utc, "datetime64[us]"))
    if _all(kinds, np.datetime64):
        return pl.Series("", np.array(present, "datetime64[us]"))
    if _all(kinds, date) and not any(issubclass(kind, datetime) for kind in kinds):
        return pl.Series("", np.array(present, "datetime64[D]"))
    if _all(kinds, (timedelta, np.timedelta64)):
        return pl.Series("", np.array(present, "timedelta64[us]"))
    return pl.Series("", present, dtype=pl.Time) if _all(kinds, time) else None


def _unlearnable(rows: int) -> pl.Series:
    return pl.Series("", [None] * rows, dtype=pl.Object)
