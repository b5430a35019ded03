"""A DataFrame of pandas or polars, an Arrow table or a dict of columns -> names and columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from model.tables.column_selection import Selection, check_names
from model.tables.errors import TableError
from model.tables.frames import pl
from model.tables.pandas_columns import column_of_pandas, is_pandas
from model.tables.type_inference import check_kinds, unlearnable_kind
from model.tables.value_columns import checked_arrow, column_of_values

_EXPECTED = "a DataFrame of pandas or polars, an Arrow table, or a dict of columns"


class FrameColumns(NamedTuple):
    """The columns of a frame, each converted when it is asked for.

    Attributes:
        names: of the columns, all different.
        convert: a function from the position of a column to the column as a polars Series.
    """

    names: tuple[str, ...]
    convert: Callable[[int], pl.Series]

    def read(self, select: Selection) -> list[pl.Series]:
        """The selected columns, of types that `typed_frame` takes.

        Raises TableError if they have no rows, if their numbers of rows differ, or if one cannot be learned from.
        """
        selected = select(self.names, ())
        columns = [self.convert(self.names.index(name)).alias(name) for name in selected]
        check_kinds({column.name: kind for column in columns if (kind := unlearnable_kind(column.dtype))})
        _check_rows(columns)
        return columns


def is_frame(value: Any) -> bool:
    """Whether a value is a frame of pandas, of polars or of Arrow.

    Args:
        value: any object.

    Returns:
        True if it is; False for a single column, an array or a dict.

    Example:
        >>> is_frame(pl.DataFrame({"a": [1]})), is_frame([[1]])
        (True, False)
    """
    is_column = isinstance(value, pl.Series) or is_pandas(value, "Series")
    return is_pandas(value, "DataFrame") or (hasattr(value, "__arrow_c_stream__") and not is_column)


def frame_columns(frame: Any) -> FrameColumns:
    """The columns of a frame.

    Args:
        frame: a DataFrame of pandas or polars, any object with Arrow's PyCapsule interface, or a dict from names to
            lists or arrays. The index of pandas is not a column.

    Returns:
        The columns. Names that are not texts, such as numbers, become texts.

    Raises:
        TableError: if it is none of these, or if a name is missing or occurs twice.

    Example:
        >>> columns = frame_columns({"a": [1, 2], 3: ["x", None]})
        >>> columns.names, columns.convert(1).to_list()
        (('a', '3'), ['x', None])
    """
    if isinstance(frame, Mapping):
        names, values = _texts(frame), list(frame.values())
        found = FrameColumns(names, lambda position: _column_of(names[position], values[position]))
    elif is_pandas(frame, "DataFrame"):
        found = FrameColumns(_texts(frame.columns), lambda position: column_of_pandas(frame.iloc[:, position]))
    else:
        columns = polars_frame(frame).get_columns()
        found = FrameColumns(_texts([column.name for column in columns]), columns.__getitem__)
    if not found.names:
        raise TableError("rows and columns", "no columns", "take another frame")
    check_names(found.names)
    return found


def polars_frame(frame: Any) -> pl.DataFrame:
    """A frame of polars or of Arrow as a polars DataFrame.

    Args:
        frame: a polars DataFrame, or any object with Arrow's PyCapsule interface.

    Returns:
        The frame.

    Raises:
        TableError: if it is not a frame, or if polars cannot convert it.

    Example:
        >>> polars_frame(pl.DataFrame({"a": [1]})).columns
        ['a']
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if not is_frame(frame):
        raise TableError(_EXPECTED, f"an object of the class {type(frame).__name__}", "make one of it")
    with checked_arrow():
        return pl.DataFrame(frame)


def name_text(name: Hashable) -> str:
    """The name of a column as a text.

    Args:
        name: as the frame has it.

    Returns:
        The text; empty for None and NaN, which are not names.

    Example:
        >>> name_text(3), name_text(None)
        ('3', '')
    """
    return "" if name is None or name != name else str(name)


def _texts(names: Sequence[Hashable] | Mapping[Hashable, Any]) -> tuple[str, ...]:
    return tuple(map(name_text, names))


def _column_of(name: str, values: Any) -> pl.Series:
    return column_of_pandas(values) if is_pandas(values, "Series") else column_of_values(name, values)


def _check_rows(columns: Sequence[pl.Series]) -> None:
    rows = {len(column): column.name for column in columns}
    if len(rows) > 1:
        found = " and ".join(f"{count:,} in {name}" for count, name in sorted(rows.items())[:2])
        raise TableError("the same number of rows in each column", found, "make them equally long")
    if 0 in rows:
        raise TableError("rows and columns", f"0 rows of {len(columns)} columns", "take another frame")
