"""The options that say how a table is read, and the table that a command names."""

from __future__ import annotations

import os
from dataclasses import dataclass

import click

from model.messages import join_names, quote
from model.tables.from_file import read_table
from model.tables.table import Table
from model.tables.truth_tables import TRUTH_TABLES, truth_table


@dataclass(frozen=True)
class TableOptions:
    """Which columns of a file are learned from, and what the target is.

    Attributes:
        target: the column to predict, or None.
        columns: the columns to predict it from; None for all others.
        drop: columns to leave out.
        task: binary, multiclass or regression; None to infer it.
        no_header: whether the file begins with values instead of the columns' names.
        keep: columns of texts that are learned from even if nearly every row has a text of its own.
        dates: the order of year, month and day; None to tell it from each column.
    """

    target: str | None
    columns: tuple[str, ...] | None
    drop: tuple[str, ...]
    task: str | None
    no_header: bool
    keep: tuple[str, ...]
    dates: str | None

    @property
    def given(self) -> bool:
        """Whether any of them was given."""
        named = (self.target, self.drop, self.task, self.no_header, self.keep, self.dates)
        return any(named) or self.columns is not None


def read_named_table(table: str, options: TableOptions) -> Table:
    """The table that a command names.

    Args:
        table: the name of a truth table, or a file.
        options: for a file.

    Returns:
        The table.

    Raises:
        click.UsageError: if there is no such table, or if the options do not fit it.
        TableError: if the file cannot be learned from.
    """
    if table in TRUTH_TABLES:
        if options.given:
            raise click.UsageError(
                f"{table} is a truth table; --target, --columns, --drop, --keep, --task and --no-header are for files"
            )
        return truth_table(table)
    if not os.path.lexists(table):
        names = ", ".join(TRUTH_TABLES)
        raise click.UsageError(f"{quote(table)} is no file, and none of the truth tables {names}; name one of them")
    if options.target is None:
        from model.tables.reading import read_names

        raise click.UsageError(f"{table}: expected --target with one of its columns, {join_names(read_names(table))}")
    return read_table(
        table,
        options.target,
        columns=options.columns,
        drop=options.drop,
        task=options.task,
        has_header=not options.no_header,
        keep=options.keep,
        dates=options.dates,
    )
