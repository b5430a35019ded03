"""The columns that say which rows may be held out together: the groups of rows, and their times."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from model.messages import quote
from model.tables.column_options import ColumnOptions
from model.tables.date_spelling import describe_date
from model.tables.errors import TableError

if TYPE_CHECKING:
    import polars

    from model.tables.column_fitting import TextOptions
    from model.tables.stored_frame import StoredFrame


class SplitColumns(NamedTuple):
    """The columns that say how rows are split into those to learn from and those to hold out. At most one is named.

    Attributes:
        group: rows with the same value of this column are never on both sides.
        time: the latest rows by this column are held out.
    """

    group: str | None = None
    time: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(name for name in self if name is not None)

    def check(self, target: str, has_held_out: bool) -> None:
        """Check that there is only one way in which rows are split, and that it does not depend on the target.

        Args:
            target: the column to predict.
            has_held_out: whether further rows are held out.

        Raises:
            TableError: if there are several ways, or if a column is the target.
        """
        given = {"--group": self.group, "--time": self.time, "rows for --validation": has_held_out or None}
        found = [option for option, value in given.items() if value is not None]
        if len(found) > 1:
            expected = "--group, --time or rows for --validation"
            raise TableError(expected, " and ".join(found), "choose one of them")
        if target in self.names:
            raise TableError(f"{target} only as the target", f"{target} as {found[0]} too", "name another column")

    def reading(self, options: ColumnOptions) -> ColumnOptions:
        """How columns are read, so that a group is told from another by its text alone.

        Args:
            options: what the user says about the columns.

        Returns:
            The same; the column of the groups is read as categories.
        """
        if self.group is None:
            return options
        numeric = [name for name in options.numeric if name != self.group]
        return options._replace(categorical=[*options.categorical, self.group], numeric=numeric)

    def unlearned(self, columns: Collection[str] | None, drop: Collection[str]) -> tuple[str, ...]:
        """The columns that are read only to split the rows.

        Args:
            columns: those that are asked for to learn from; None for all.
            drop: those to leave out.

        Returns:
            The group always; the time if nothing is to be learned from it.
        """
        is_learned = self.time is not None and (columns is None or self.time in columns) and self.time not in drop
        return () if is_learned else self.names


NO_SPLIT_COLUMNS = SplitColumns()


def further_columns(target: str | None, split: SplitColumns) -> tuple[str, ...]:
    """The columns that are read besides those to learn from.

    Args:
        target: the column to predict, or None.
        split: what splits the rows.

    Returns:
        Their names.

    Example:
        >>> further_columns("price", SplitColumns(time="sold"))
        ('price', 'sold')
    """
    return (*(() if target is None else (target,)), *split.names)


class RowMarks(NamedTuple):
    """What decides which rows are held out.

    Attributes:
        groups: [rows] int32, the number of the group of each row; None if there are no groups.
        times: [rows] float64, NaN where the time is missing; None if there are no times.
        split_by: the name of the column.
        time_style: how times are written, as in `describe_date`; empty for numbers.
        notes: what is to be said about them; one sentence each.
    """

    groups: Int[np.ndarray, " rows"] | None = None
    times: Float[np.ndarray, " rows"] | None = None
    split_by: str = ""
    time_style: str = ""
    notes: tuple[str, ...] = ()


def read_marks(frame: StoredFrame, split: SplitColumns, texts: TextOptions) -> RowMarks:
    """The groups or the times of rows.

    Args:
        frame: with the columns.
        split: which columns they are.
        texts: how texts were read as dates.

    Returns:
        The marks of all rows of the frame.

    Raises:
        TableError: if the column of the times has other values, or if all rows have the same group or time.

    Example:
        >>> import polars as pl
        >>> from model.tables.column_fitting import DEFAULT_TEXTS
        >>> from model.tables.stored_frame import stored_frame
        >>> frame = stored_frame(pl.DataFrame({"patient": ["b", "a", None, "b"]}))
        >>> marks = read_marks(frame, SplitColumns(group="patient"), DEFAULT_TEXTS)
        >>> marks.groups.tolist(), marks.notes[1]
        ([0, 1, 2, 0], '1 row has no patient, and is one group')
    """
    if split.group is not None:
        return _read_groups(frame.load(split.group), split.group)
    if split.time is not None:
        spelling = texts.dates.get(split.time)
        return _read_times(frame.load(split.time).alias(""), split.time, "" if spelling is None else spelling.style)
    return RowMarks()


def _read_groups(series: polars.Series, name: str) -> RowMarks:
    import polars as pl

    values = series.alias("").cast(pl.String)
    unique = values.drop_nulls().unique(maintain_order=True)
    missing = values.null_count()
    _check_different(unique, missing, name, "group")
    codes = values.replace_strict(unique, range(len(unique)), default=len(unique), return_dtype=pl.Int32)
    notes = [f"{name} is not learned from, because it says which rows belong together"]
    if missing:
        notes.append(f"{missing:,} {_rows_without(missing, name)}, and {'is' if missing == 1 else 'are'} one group")
    if len(unique) == len(values):
        notes.append(f"each row has its own {name}, so the rows are split as without --group")
    return RowMarks(codes.to_numpy(), split_by=name, notes=tuple(notes))


def _read_times(series: polars.Series, name: str, style: str) -> RowMarks:
    import polars as pl

    numbers = series if series.dtype != pl.Boolean else series.cast(pl.String)
    numbers = numbers.cast(pl.Float64, strict=False)
    wrong = numbers.is_null() & series.is_not_null()
    if wrong.any():
        found = quote(series[int(wrong.arg_max() or 0)])
        raise TableError(f"dates or numbers in {name}", found, "name another --time, or mend the file")
    missing = numbers.null_count()
    first = series.drop_nulls().unique().head(2).to_list()
    _check_different([describe_date(each, style) for each in first] if style else first, 0, name, "time")
    notes = (f"{missing:,} {_rows_without(missing, name)}, and {'is' if missing == 1 else 'are'} never held out",)
    return RowMarks(
        times=numbers.fill_null(np.nan).to_numpy(),
        split_by=name,
        time_style=style,
        notes=notes if missing else (),
    )


def _check_different(unique: Sequence[object] | polars.Series, missing: int, name: str, option: str) -> None:
    if len(unique) + (missing > 0) < 2:
        found = f"{quote(unique[0])} alone" if len(unique) else "none"
        raise TableError(f"two different values of {name} or more", found, f"name another --{option}")


def _rows_without(count: int, name: str) -> str:
    return f"row has no {name}" if count == 1 else f"rows have no {name}"
