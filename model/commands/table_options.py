"""The options that say how a table is read, and the table that a command names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any

import click

from model.commands.option_types import NameList
from model.commands.shared import no_header_option, sheet_option
from model.messages import join_names, quote
from model.tables.file_patterns import describe_paths, is_pattern
from model.tables.from_file import read_table
from model.tables.streamed_table import Streaming
from model.tables.table import Table
from model.tables.truth_tables import TRUTH_TABLES, truth_table
from model.tasks import TASKS

ORDERS = ("ymd", "dmy", "mdy")


@dataclass(frozen=True)
class TableOptions:
    """Which columns of a file are learned from, and what the target is.

    Attributes:
        target: the column to predict, or None.
        columns: the columns to predict it from; None for all others.
        drop: columns to leave out.
        task: binary, multiclass or regression; None to infer it.
        no_header: whether the file begins with values instead of the columns' names.
        keep: columns of texts that are learned from even if nearly all of their texts differ.
        dates: the order of year, month and day; None to infer it from each column.
        decimal: the character before decimals, where it could be a point or a comma; None to infer it.
        categorical: columns that are categories, whatever they hold.
        numeric: columns that are numbers; all other values in them are missing.
        missing: what stands for a missing value in every column, or as NAME=VALUE in one.
        strict: whether predictions refuse values of a kind that training never saw.
        sheet: the name of the sheet to read in a spreadsheet; None for the first sheet that has cells.
        group: the column whose values keep rows together when some are held out, or None.
        time: the column by which the latest rows are held out, or None.
    """

    target: str | None
    columns: tuple[str, ...] | None
    drop: tuple[str, ...]
    task: str | None
    no_header: bool
    keep: tuple[str, ...]
    dates: str | None
    decimal: str | None
    categorical: tuple[str, ...]
    numeric: tuple[str, ...]
    missing: tuple[str, ...]
    strict: bool
    sheet: str | None
    group: str | None
    time: str | None

    def reading(self) -> dict[str, Any]:
        """How the file is read, as keyword arguments of `read_table`."""
        return {
            "columns": self.columns,
            "drop": self.drop,
            "keep": self.keep,
            "dates": self.dates,
            "decimal": self.decimal,
            "categorical": self.categorical,
            "numeric": self.numeric,
            "missing": self.missing,
            "has_header": not self.no_header,
            "sheet": self.sheet,
            "strict": self.strict,
        }

    @property
    def given(self) -> list[str]:
        """The options that were given."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return [f"--{name.replace('_', '-')}" for name, value in values.items() if value not in (None, (), False)]


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a table to a command.

    Args:
        command: a function that gets them as one argument, `table_options`.

    Returns:
        The command with an option for each attribute of TableOptions.
    """

    @wraps(command)
    def with_options(**given: Any) -> None:
        named = {field.name: given.pop(field.name) for field in fields(TableOptions)}
        command(table_options=TableOptions(**named), **given)

    options = (
        click.option("--target", help="The column to predict, of a file."),
        click.option("--columns", type=NameList(), help="The columns to predict it from.  [default: all others]"),
        click.option("--drop", type=NameList(), default=(), help="Columns to leave out."),
        click.option("--keep", type=NameList(), default=(), help="Do not leave these out, even if all texts differ."),
        click.option("--dates", type=click.Choice(ORDERS), help="The order in dates.  [default: inferred]"),
        click.option(
            "--decimal", type=click.Choice([".", ","]), help="What stands before decimals.  [default: inferred]"
        ),
        click.option("--categorical", type=NameList(), default=(), help="These are categories, whatever they hold."),
        click.option("--numeric", type=NameList(), default=(), help="These are numbers; other values are missing."),
        click.option(
            "--missing", type=NameList(), default=(), help="What stands for a missing value: -999, or age=-1."
        ),
        click.option("--task", type=click.Choice(list(TASKS)), help="What the target is.  [default: inferred]"),
        click.option(
            "--strict",
            is_flag=True,
            help="Let predictions refuse texts that training never saw, and missing values where it had none.",
        ),
        click.option(
            "--group",
            metavar="COLUMN",
            help="Rows with the same value, such as a patient, are all held out or all learned from. The column itself "
            "is left out.",
        ),
        click.option("--time", metavar="COLUMN", help="Hold out the latest rows by this column of dates or numbers."),
        no_header_option,
        sheet_option,
    )
    for option in reversed(options):
        with_options = option(with_options)
    return with_options


def read_named_table(
    tables: Sequence[str],
    options: TableOptions,
    validation: str | None = None,
    streaming: Streaming | None = None,
) -> Table:
    """The table that a command names.

    Args:
        tables: the name of a truth table; or one or more files and patterns.
        options: for files.
        validation: a file or a pattern of files, whose rows are held out; None to hold out rows of the table.
        streaming: whether the rows of files stay in a temporary file; None if they never do.

    Returns:
        The table.

    Raises:
        click.UsageError: if there is no such table, or if the options do not fit it.
        TableError: if the files cannot be learned from.
    """
    truth_tables = [name for name in tables if name in TRUTH_TABLES]
    if truth_tables:
        name = truth_tables[0]
        if len(tables) > 1:
            raise click.UsageError(f"{name} is a truth table; name it alone, or write ./{name} for a file")
        given = [*options.given, *([] if validation is None else ["--validation FILE"])]
        given += ["--stream or --window"] if streaming is not None and streaming.always else []
        if given:
            raise click.UsageError(
                f"{name} is a truth table; leave out {join_names(given)}: options of tables are for files"
            )
        return truth_table(name)
    if len(tables) == 1 and not os.path.lexists(tables[0]) and not is_pattern(tables[0]):
        names = ", ".join(TRUTH_TABLES)
        raise click.UsageError(f"{quote(tables[0])} is no file, and none of the truth tables {names}; name one of them")
    if options.target is None:
        from model.tables.readable_text import Hints
        from model.tables.reading import read_names

        columns = join_names(read_names(tables, Hints(not options.no_header, options.sheet)))
        raise click.UsageError(f"{describe_paths(tables)}: expected --target with one of its columns, {columns}")
    splits: dict[str, Any] = {"group": options.group, "time": options.time, "validation": validation}
    return read_table(tables, options.target, task=options.task, streaming=streaming, **splits, **options.reading())
