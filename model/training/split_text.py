"""How the rows of a table were split, in words."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from model.messages import quote
from model.tables.date_spelling import describe_date
from model.tables.table import Table
from model.tasks import TASKS

# How many classes a note names.
MAX_NAMED_CLASSES = 3


def describe_split(table: Table, held_out: Int[np.ndarray, " held"], folds: int = 1) -> str:
    """Which rows were held out.

    Args:
        table: what was split.
        held_out: the indices of the rows held out.
        folds: how often it was split.

    Returns:
        The words, for a line that begins with "Held out: "; empty for a truth table.

    Example:
        >>> from dataclasses import replace
        >>> from model.tables.table import table_from_arrays
        >>> table = table_from_arrays(np.zeros((4, 1)), np.arange(4.0))
        >>> describe_split(replace(table, times=np.arange(4.0), split_by="year"), np.array([2, 3]))
        'the latest 2 rows by year, from 2 on'
        >>> describe_split(replace(table, groups=np.array([0, 0, 1, 2]), split_by="patient"), np.array([0, 1]))
        '2 rows, all those of 1 of 3 values of patient'
    """
    if table.complete:
        return ""
    count = f"{len(held_out):,} row{'s' * (len(held_out) != 1)}"
    if not len(held_out):
        return "no rows"
    if folds > 1:
        rows = "every row" if len(held_out) == len(table.y) else count
        return f"{rows}, each by the networks of one of {folds} folds"
    if table.held_out is not None:
        return f"the {count} of {table.split_by}" if table.split_by else f"{count}, which the table names"
    if table.times is not None:
        first = table.times[held_out].min()
        shown = describe_date(float(first), table.time_style) if table.time_style else f"{first:.15g}"
        return f"the latest {count} by {table.split_by or 'time'}, from {shown} on"
    if table.groups is not None:
        drawn, groups = (len(np.unique(each)) for each in (table.groups[held_out], table.groups))
        return f"{count}, all those of {drawn:,} of {groups:,} values of {table.split_by or 'the group'}"
    return f"{count}, drawn at random"


def split_notes(table: Table, held_out: Int[np.ndarray, " held"], folds: int = 1) -> tuple[str, ...]:
    """What is wrong with a split: classes without a row on one side, or groups of which none could be held out.

    Args:
        table: what was split.
        held_out: the indices of the rows held out.
        folds: how often it was split. With several folds, some networks learn from each row and others do not.

    Returns:
        One sentence for each, without a full stop.

    Example:
        >>> from model.tables.table import table_from_arrays
        >>> table = table_from_arrays(np.zeros((4, 1)), np.array([0, 0, 0, 1]), ("no", "yes"))
        >>> split_notes(table, np.array([0]))
        ("no row of class 'yes' is held out: it has only one row",)
    """
    if not TASKS[table.task].has_classes or not len(held_out):
        return ()
    if folds > 1:
        return _notes_on_folds(table)
    counts, held = (np.bincount(y.astype(int), minlength=len(table.classes)) for y in (table.y, table.y[held_out]))
    notes = []
    for is_single in (True, False):
        missing = np.flatnonzero((held == 0) & ((counts == 1) == is_single) & (counts > 0))
        if len(missing):
            why = "only one row" if is_single else f"{counts[missing].max():,} rows, {_why_none(table)}"
            most = "" if is_single or len(missing) == 1 else "at most "
            whose = "it has" if len(missing) == 1 else "each has"
            notes.append(f"no row of {_classes_text(table, missing)} is held out: {whose} {most}{why}")
    unlearned = np.flatnonzero((held == counts) & (counts > 0))
    if len(unlearned):
        rows = "all its rows are" if len(unlearned) == 1 else "all their rows are"
        notes.append(f"nothing is learned about {_classes_text(table, unlearned)}: {rows} held out")
    return tuple(notes)


def _notes_on_folds(table: Table) -> tuple[str, ...]:
    """A note on classes that the networks of some fold cannot learn about."""
    single = np.flatnonzero(np.bincount(table.y.astype(int), minlength=len(table.classes)) == 1)
    if not len(single):
        return ()
    has, them = ("has only one row", "it") if len(single) == 1 else ("have only one row each", "one")
    return (f"{_classes_text(table, single)} {has}; networks that hold {them} out know nothing about the class",)


def _why_none(table: Table) -> str:
    """Why no row of a class with several rows is held out."""
    if table.held_out is not None:
        return f"and none in {table.split_by or 'the rows that the table names'}"
    if table.times is not None:
        return "and none is among the latest"
    if table.groups is not None:
        return f"in too few or too large groups of the same {table.split_by or 'group'}"
    return "and there are more classes than rows held out"


def _classes_text(table: Table, indices: np.ndarray) -> str:
    """Classes in words."""
    named = ", ".join(quote(table.classes[index]) for index in indices[:MAX_NAMED_CLASSES])
    more = f" and {len(indices) - MAX_NAMED_CLASSES:,} more" if len(indices) > MAX_NAMED_CLASSES else ""
    return f"class{'es' * (len(indices) > 1)} {named}{more}"
