"""`nudge inspect`: what would be learned from a file, before any training."""

from __future__ import annotations

from pathlib import Path

import click

from model.commands.column_table import column_rows, table_text
from model.commands.shared import files_argument, notes_text
from model.commands.table_options import TableOptions, reading_options
from model.messages import align_columns
from model.tables.from_file import read_columns, read_table


@click.command()
@files_argument
@reading_options
def inspect(files: tuple[Path, ...], table_options: TableOptions) -> None:
    """Show what would be learned from FILE, a CSV, Parquet or .xlsx file, and how it was read.

    Several files with the same columns are one table; a pattern in quotes, such as 'part-*.csv', names them too.
    """
    target = table_options.target
    if target is None:
        reading = table_options.reading()
        if table_options.group is not None:
            reading["drop"] += (table_options.group,)
        specs, notes = read_columns(files, **reading)
        text = align_columns(column_rows(specs))
    else:
        group, time = table_options.group, table_options.time
        data = read_table(files, target, task=table_options.task, group=group, time=time, **table_options.reading())
        text, notes = table_text(data), data.notes
        if data.dropped:
            rows = "row is" if data.dropped == 1 else "rows are"
            notes += (f"{data.dropped:,} {rows} left out, without a {target} to learn from",)
    click.echo("\n".join([text, *([notes_text(notes)] if notes else [])]))
