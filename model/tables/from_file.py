"""From a file to a table: which columns to learn from, and what each of them is."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from model.messages import quote_names
from model.tables.column_fitting import (
    DEFAULT_TEXTS,
    TextOptions,
    fit_columns,
    learn_columns,
    spelled,
)
from model.tables.column_hints import sentinel_hints
from model.tables.column_options import ColumnOptions
from model.tables.columns import ColumnSpec
from model.tables.errors import CHOOSE_TARGET, TableError, naming_file
from model.tables.file_patterns import Paths, describe_paths
from model.tables.split_columns import NO_SPLIT_COLUMNS, SplitColumns, read_marks
from model.tables.streamed_table import Streaming, table_of_frame
from model.tables.table import Table
from model.tables.targets import fit_target, single_classes
from model.tasks import TASKS

if TYPE_CHECKING:
    import polars

    from model.tables.stored_frame import StoredFrame


def read_table(
    paths: Paths,
    target: str,
    *,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    task: str | None = None,
    has_header: bool = True,
    keep: Sequence[str] = (),
    dates: str | None = None,
    decimal: str | None = None,
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    missing: Sequence[str] = (),
    strict: bool = False,
    sheet: str | None = None,
    group: str | None = None,
    time: str | None = None,
    validation: Paths | None = None,
    streaming: Streaming | None = None,
) -> Table:
    r"""The table in a CSV, Parquet or .xlsx file, or in several files with the same columns.

    Args:
        paths: the file, a pattern such as part-*.csv, or several of these. The rows of all files are read one file
            after the other, as if they were in one file.
        target: the column to predict. Rows without it are left out and counted.
        columns: the columns to predict it from, in this order; by default all others.
        drop: columns to leave out.
        task: binary, multiclass or regression; by default binary if the target has two values, multiclass if it has
            texts, booleans or few whole numbers, and regression otherwise.
        has_header: whether a file of text begins with the names of its columns; otherwise they are c1, c2, ….
        keep: columns of texts that are learned from even if nearly all of their texts differ.
        dates: the order of year, month and day in dates: ymd, dmy or mdy; by default inferred from each column.
        decimal: the character before decimals, a point or a comma, where it could be either; by default inferred.
        categorical: columns that are categories, whatever they hold.
        numeric: columns that are numbers; all other values in them are missing.
        missing: what stands for a missing value: in every column, such as -999, or in one, such as age=-999.
        strict: whether predictions refuse texts that training never saw, and missing values in columns that had none.
        sheet: the name of the sheet to read in a spreadsheet; by default the first sheet that has cells.
        group: rows with the same value of this column, such as a patient, are never on both sides of the split into
            rows to learn from and rows to hold out. It is not learned from.
        time: the latest rows by this column of dates or numbers are held out. It is learned from unless it is dropped.
        validation: files with the same columns, whose rows are held out, and no others. They are read as `nudge
            predict` reads files: types, means and categories are those of the other files. Of group, time and
            validation, only one may be given.
        streaming: whether the inputs stay in a temporary file; None if they never do.

    Returns:
        The table, with its columns scaled and encoded.

    Raises:
        TableError: if a network cannot learn from the file; the message says why and what to do.
        ValueError: if there is no such task.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        ...     _ = file.write("size,color,price\n1,red,10\n2,blue,20\n3,red,35\n")
        ...     file.flush()
        ...     table = read_table(file.name, "price")
        >>> table.columns, table.task, table.x.shape, table.target_scaling.center
        (('size', 'color'), 'regression', (3, 3), 21.666666666666668)
    """
    from model.tables.held_out_files import check_apart, hold_out_files
    from model.tables.reading import read_frame
    from model.tables.storage import MEMORY, Storage

    storage = Storage(0 if streaming is not None and streaming.always else MEMORY, streams=streaming is not None)
    options, split = ColumnOptions(dates, decimal, categorical, numeric, missing, keep), SplitColumns(group, time)
    read = partial(
        read_frame, paths, columns, target=target, drop=drop, has_header=has_header, options=options, sheet=sheet
    )
    with naming_file(describe_paths(paths)), storage:
        split.check(target, validation is not None)
        if validation is not None:
            check_apart(paths, validation, sheet)
        read = partial(read, storage=storage, split=split)
        table = learn_table(
            read,
            target,
            columns=columns,
            drop=drop,
            task=task,
            keep=keep,
            strict=strict,
            split=split,
            streaming=streaming,
        )
    return table if validation is None else hold_out_files(table, validation, has_header=has_header, sheet=sheet)


def learn_table(
    read: Callable[[], Any],
    target: str,
    *,
    columns: Sequence[str] | None,
    drop: Sequence[str],
    task: str | None,
    keep: Sequence[str],
    strict: bool = False,
    split: SplitColumns = NO_SPLIT_COLUMNS,
    streaming: Streaming | None = None,
) -> Table:
    """The table of columns that are read from a file or a frame.

    Args:
        read: a function that returns the columns and the target as a TypedFrame.
        target: as in `read_table`.
        columns: as in `read_table`.
        drop: as in `read_table`.
        task: as in `read_table`.
        keep: as in `read_table`.
        strict: as in `read_table`.
        split: the columns that say how rows are split.
        streaming: as in `read_table`.

    Returns:
        The table, with its columns scaled and encoded.

    Raises:
        TableError: if a network cannot learn from the columns.
        ValueError: if there is no such task.
    """
    if task is not None and task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, not {task!r}")
    if columns is not None and not columns:
        raise TableError("columns to learn from", "none", "name some, or leave --columns out")
    if target in (*(columns or ()), *drop):
        raise TableError(f"{target} only as the target", f"{target} among --columns or --drop", "name it once")
    found = read()
    texts, unlearned = found.text_options(keep, strict), (target, *split.unlearned(columns, drop))
    table = _table_from_stored(found.columns, target, task, texts, split, unlearned, streaming)
    return replace(table, notes=found.notes + table.notes)


def read_columns(
    paths: Paths,
    *,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    has_header: bool = True,
    keep: Sequence[str] = (),
    dates: str | None = None,
    decimal: str | None = None,
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    missing: Sequence[str] = (),
    strict: bool = False,
    sheet: str | None = None,
) -> tuple[dict[str, ColumnSpec], tuple[str, ...]]:
    """What would be learned from the columns of a file if no target is named.

    Args:
        paths: as in `read_table`.
        columns: as in `read_table`.
        drop: as in `read_table`.
        has_header: as in `read_table`.
        keep: as in `read_table`.
        dates: as in `read_table`.
        decimal: as in `read_table`.
        categorical: as in `read_table`.
        numeric: as in `read_table`.
        missing: as in `read_table`.
        strict: as in `read_table`.
        sheet: as in `read_table`.

    Returns:
        The columns that are learned from, by their names; and notes on how the file was read.

    Raises:
        TableError: if the file is not a table.
    """
    from model.tables.reading import read_frame
    from model.tables.storage import MEMORY, Storage

    options = ColumnOptions(dates, decimal, categorical, numeric, missing, keep)
    with naming_file(describe_paths(paths)), Storage(MEMORY) as storage:
        found = read_frame(
            paths, columns, drop=drop, has_header=has_header, options=options, sheet=sheet, storage=storage
        )
        fitted = fit_columns(found.columns, found.columns.names, found.text_options(keep, strict))
    return fitted.specs, found.notes + fitted.notes


def table_from_frame(
    frame: polars.DataFrame,
    target: str,
    task: str | None = None,
    texts: TextOptions = DEFAULT_TEXTS,
) -> Table:
    """The table of a frame.

    Args:
        frame: with columns of the types that `infer_type` gives; all but the target are learned from.
        target: the column to predict.
        task: as in `read_table`.
        texts: how columns of texts are learned from, and how texts were read as numbers or dates.

    Returns:
        The table, with its columns scaled and encoded.

    Raises:
        TableError: if a network cannot learn from the frame.
    """
    from model.tables.stored_frame import stored_frame

    return _table_from_stored(stored_frame(frame), target, task, texts, NO_SPLIT_COLUMNS, (target,))


def _table_from_stored(
    frame: StoredFrame,
    target: str,
    task: str | None,
    texts: TextOptions,
    split: SplitColumns,
    unlearned: Container[str],
    streaming: Streaming | None = None,
) -> Table:
    rows = len(frame)
    if target in texts.dates:
        remedy = f"name another --target, or say --categorical {quote_names([target])}"
        raise TableError(f"numbers or classes in {target}", "dates or times", remedy, without_options=CHOOSE_TARGET)
    values = frame.load(target)
    is_single, single = single_classes(values, task)
    is_kept = values.is_not_null() if is_single is None else values.is_not_null() & ~is_single
    if not is_kept.any():
        raise TableError(
            f"a value of {target} in some row", "none", "name another --target", without_options=CHOOSE_TARGET
        )
    if not is_kept.all():
        frame, values = frame.filter(is_kept), values.filter(is_kept)
    fitted = fit_target(values, task)
    hints = sentinel_hints(values.alias(""), target) if fitted.task == "regression" else ()
    del values  # so that its memory is free
    marks = read_marks(frame, split, texts)
    names = tuple(name for name in frame.names if name not in unlearned)
    if not names:
        remedy, told = "name a file with more, or other --columns", "choose a file with more columns"
        raise TableError("a column beside the target", "none", remedy, without_options=told)
    learned = learn_columns(frame, names, texts)
    return table_of_frame(
        frame,
        learned.specs,
        streaming,
        y=fitted.y,
        columns=tuple(learned.specs),
        target=target,
        classes=fitted.classes,
        task=fitted.task,
        column_specs=tuple(learned.specs.values()),
        target_scaling=spelled(fitted.scaling, texts.spellings.get(target)),
        dropped=rows - len(frame),
        complete=False,
        notes=tuple(note for note in (single, fitted.note) if note) + hints + marks.notes + learned.notes,
        groups=marks.groups,
        times=marks.times,
        split_by=marks.split_by,
        time_style=marks.time_style,
    )
