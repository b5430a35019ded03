"""Files and frames whose rows are held out, read as the columns of the training files say."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from model.tables.encoding import encode
from model.tables.errors import TableError, naming_file
from model.tables.file_columns import sniff_files
from model.tables.file_patterns import Paths, as_sequence, describe_paths, expand_paths
from model.tables.further_rows import append_held_out, check_kind, values_of_frame
from model.tables.table import Table
from model.tables.targets import encode_target
from model.tables.unseen import UnseenValues

if TYPE_CHECKING:
    import polars


def check_apart(paths: Paths, validation: Paths, sheet: str | None = None) -> None:
    """Check, before anything is read, that the rows to hold out are in files that are there, and in no other files.

    Args:
        paths: the files to learn from.
        validation: the files whose rows are held out.
        sheet: as in `read_table`.

    Raises:
        TableError: if a file is named for both, is not there, or is of an unknown kind.
    """
    held_out = expand_paths(validation)
    learned = {os.path.realpath(path) for path in expand_paths(paths)}
    for file in held_out:
        if os.path.realpath(file) in learned:
            found = "a file that is learned from"
            raise TableError("other rows to hold out", found, "name another file with --validation", file)
    sniff_files(held_out, sheet)


def hold_out_files(table: Table, paths: Paths, *, has_header: bool = True, sheet: str | None = None) -> Table:
    """A table with the rows of further files, which are held out.

    Args:
        table: what is learned from. What is known of its columns stays as it is.
        paths: the files.
        has_header: as in `read_table`.
        sheet: as in `read_table`.

    Returns:
        The table with all rows. Rows without a target are left out and counted.

    Raises:
        TableError: if a file is not a table, lacks a column, or has a value or a target that training never saw and
            that cannot be answered.
    """
    from model.tables.batches import read_batches

    batches = read_batches(paths, has_header=has_header, sheet=sheet)
    rows = _FurtherRows(table)
    for frame in batches:
        with naming_file(batches.path):
            rows.add(frame, batches.first)
    shown = describe_paths([os.path.basename(path) for path in as_sequence(paths)])
    with naming_file(describe_paths(paths)):
        return rows.held_out(shown, f"in {describe_paths(paths)}: ", batches.notes)


def hold_out_frame(table: Table, frame: Any) -> Table:
    """A table with the rows of a further frame, which are held out.

    Args:
        table: what is learned from. What is known of its columns stays as it is.
        frame: as in `table_from`.

    Returns:
        The table with all rows. Rows without a target are left out and counted.

    Raises:
        TableError: as for `hold_out_files`.
    """
    import polars as pl

    from model.tables.frame_columns import frame_columns

    needed = (*table.columns, table.target)

    def select(names: Iterable[str], _: Container[str]) -> list[str]:
        return [name for name in names if name in needed]

    rows = _FurtherRows(table)
    rows.add(pl.DataFrame(frame_columns(frame).read(select)), 0)
    return rows.held_out("the frame for validation", "in the frame for validation: ")


class _FurtherRows:
    """Rows with the columns and the target of a table, which are read piece by piece."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._unseen, self._counts = UnseenValues(table.columns, table.column_specs), Counter[str]()
        self._x, self._y = list[np.ndarray](), list[np.ndarray]()
        self._dropped = 0

    def add(self, frame: polars.DataFrame, first: int) -> None:
        """Read the rows of a frame. first: how many rows of the file come before it."""
        table = self._table
        values = values_of_frame(table.columns, table.column_specs, frame, first)
        y = self._targets(frame, first)
        present = ~np.isnan(y)
        values = values[present]
        self._counts.update(self._unseen.find(values, lambda row, column: "").counts)
        self._x.append(encode(table.column_specs, list(values.T)))
        self._y.append(y[present])
        self._dropped += int((~present).sum())

    def _targets(self, frame: polars.DataFrame, first: int) -> Float[np.ndarray, " rows"]:
        table = self._table
        check_kind((*table.columns, table.target), frame, table.target)
        try:
            return encode_target(frame[table.target], table.classes, table.target_scaling, first=first)
        except TableError as error:
            remedy = "mend the row or leave it out"
            if table.classes:
                remedy = "leave the row out, or learn from rows of that class too"
            raise TableError(error.expected, error.found, remedy) from None

    def held_out(self, split_by: str, where: str, notes: tuple[str, ...] = ()) -> Table:
        """The table with all rows that were added. where: what every note begins with."""
        y = np.concatenate(self._y) if self._y else np.zeros(0)
        if not len(y):
            raise TableError(f"a row with a value of {self._table.target}", "none", "name another --validation")
        longer = append_held_out(self._table, np.concatenate(self._x), y, split_by=split_by)
        notes += tuple(
            f"{count:,} {'row has a value' if count == 1 else 'rows have values'} of {name} that training never saw"
            for name, count in self._counts.items()
        )
        told = tuple(note if note.startswith("in ") else where + note for note in notes)
        return replace(longer, notes=longer.notes + told, dropped=longer.dropped + self._dropped)
