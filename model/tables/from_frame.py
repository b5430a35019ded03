"""From a data frame to a table, in the same way as from a file with the same content."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from model.tables.column_options import ColumnOptions
from model.tables.column_selection import select_columns
from model.tables.from_file import learn_table
from model.tables.split_columns import SplitColumns, further_columns
from model.tables.table import Table

if TYPE_CHECKING:
    from model.tables.typed_columns import TypedFrame


def table_from(
    frame: Any,
    target: Hashable,
    *,
    columns: Sequence[Hashable] | None = None,
    drop: Sequence[Hashable] = (),
    task: str | None = None,
    keep: Sequence[Hashable] = (),
    dates: str | None = None,
    decimal: str | None = None,
    categorical: Sequence[Hashable] = (),
    numeric: Sequence[Hashable] = (),
    missing: Sequence[str] = (),
    strict: bool = False,
    group: Hashable | None = None,
    time: Hashable | None = None,
    validation: Any = None,
) -> Table:
    """The table of a data frame: the same that `read_table` gives for a file with the same content.

    Typed columns are read like those of a Parquet file. Texts are read like those of a CSV file, so that numbers and
    dates as people write them are understood.

    Args:
        frame: a DataFrame of pandas or polars, a table of pyarrow, anything else with Arrow's PyCapsule interface, or a
            dict from names to lists or arrays. The index of pandas is not a column.
        target: the column to predict. Rows without it are left out and counted. Names that are not texts, such
            as numbers, become texts.
        columns: the columns to predict it from, in this order; by default all others.
        drop: columns to leave out.
        task: as in `read_table`.
        keep: columns of texts that are learned from even if nearly all of their texts differ.
        dates: the order of year, month and day in dates that are texts: ymd, dmy or mdy; by default inferred from each
            column.
        decimal: as in `read_table`.
        categorical: as in `read_table`.
        numeric: as in `read_table`.
        missing: as in `read_table`.
        strict: as in `read_table`.
        group: as in `read_table`.
        time: as in `read_table`.
        validation: a further frame with the same columns, whose rows are held out, and no others.

    Returns:
        The table, with its columns scaled and encoded.

    Raises:
        TableError: if a network cannot learn from the frame; the message says why and what to do.
        ValueError: if there is no such task.

    Example:
        >>> frame = {"size": [1, 2, 3], "color": ["red", None, "red"], "price": ["1,5", "2,5", "3,25"]}
        >>> table = table_from(frame, target="price")
        >>> table.columns, table.task, table.x.shape
        (('size', 'color'), 'regression', (3, 3))
    """
    from model.tables.frame_columns import frame_columns, name_text
    from model.tables.held_out_files import hold_out_frame
    from model.tables.stored_columns import stored
    from model.tables.typed_columns import typed_frame

    named = None if columns is None else [name_text(name) for name in columns]
    dropped, kept, categories, numbers = (
        [name_text(name) for name in each] for each in (drop, keep, categorical, numeric)
    )
    split = SplitColumns(*(None if name is None else name_text(name) for name in (group, time)))
    options = split.reading(ColumnOptions(dates, decimal, categories, numbers, missing, kept))
    further = further_columns(name_text(target), split)

    def select(names: Iterable[str], left_out: Container[str]) -> list[str]:
        names = list(names)
        options.check(names)
        return select_columns(names, named, further, dropped, left_out)

    def read() -> TypedFrame:
        columns = [stored(column) for column in frame_columns(frame).read(select)]
        return typed_frame(columns, options=options, never_ids=further)

    split.check(name_text(target), validation is not None)
    table = learn_table(
        read, name_text(target), columns=named, drop=dropped, task=task, keep=kept, strict=strict, split=split
    )
    return table if validation is None else hold_out_frame(table, validation)
