"""The columns of a file: their names checked, and those to read selected."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence

from model.messages import join_names, quote
from model.tables.csv_header import looks_like_values
from model.tables.errors import PathLike, TableError

# A function of the names of a file's columns, and of those names that are left out unless they are asked for. It
# returns the names of the columns to read.
Selection = Callable[[Iterable[str], Container[str]], list[str]]


def check_names(names: Sequence[str]) -> None:
    """Check that every column of a file has a name of its own.

    Args:
        names: the names, in the order of the file.

    Raises:
        TableError: if a name is blank or occurs twice.
    """
    blank = [position for position, name in enumerate(names, 1) if not name.strip()]
    if blank:
        raise TableError("a name for each column", f"none for column {blank[0]} of {len(names)}", "name it")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise TableError("different names of columns", f"{join_names(repeated)} more than once", "rename all but one")


def select_columns(
    names: Iterable[str],
    columns: Sequence[str] | None,
    further: Sequence[str],
    drop: Sequence[str],
    left_out: Container[str] = (),
    is_first_row: bool = False,
) -> list[str]:
    """The columns to read.

    Args:
        names: those of the file.
        columns: those that are asked for, in this order; None for all.
        further: columns to read besides, even if they are to be left out: the target, and what splits the rows.
        drop: those to leave out.
        left_out: those that are left out too, unless they are asked for by name.
        is_first_row: whether the names are the first row of a file of text, which may hold values instead of names.

    Returns:
        The names of the columns to read, each once.

    Raises:
        TableError: if one that is named is not in the file, or if none is left.

    Example:
        >>> select_columns(["when", "a", "b", "c"], ["b", "a", "b"], further=["c"], drop=["a"])
        ['b', 'c']
    """
    available = list(names)
    for name in (*(columns or ()), *further, *drop):
        if name not in available:
            remedy = told = "name one of them"
            if is_first_row and looks_like_values(available):
                remedy += ", or read the first row as values with --no-header"
            shown = join_names([each for each in available if each not in left_out])
            raise TableError(f"a column {quote(name)}", f"the columns {shown}", remedy, without_options=told)
    asked = [name for name in available if name not in left_out] if columns is None else columns
    kept = (name for name in asked if name not in drop)
    selected = list(dict.fromkeys([*kept, *further]))
    if not selected:
        raise TableError("a column to read", "none", "drop fewer")
    return selected


class SameColumns:
    """The columns to read from each of several files, all of which must have the columns of the first.

    Args:
        select: a function from the names of the first file's columns to the names of those to read.
        first: the first file.

    Example:
        >>> same = SameColumns(lambda names, left_out: list(names), "a.csv")
        >>> same(["x", "y"], ()), same(["y", "x"], ())
        (['x', 'y'], ['x', 'y'])
    """

    def __init__(self, select: Selection, first: PathLike) -> None:
        self.select, self.first = select, first
        self.names: list[str] | None = None
        self.selected: list[str] = []

    def __call__(self, names: Iterable[str], left_out: Container[str]) -> list[str]:
        """The names of the columns to read from the next file.

        Args:
            names: the names of all its columns.
            left_out: the names of columns that do not count, unless they are asked for by name.

        Returns:
            The names that are selected from the first file.

        Raises:
            TableError: if the file lacks a column of the first file, or has a further one.
        """
        available = list(names)
        if self.names is None:
            self.selected = self.select(available, left_out)
        counted = [name for name in available if name not in left_out or name in self.selected]
        if self.names is None:
            self.names = counted
        check_same_names(self.names, counted, self.first)
        return self.selected


def check_same_names(names: Sequence[str], others: Sequence[str], first: PathLike) -> None:
    """Check that two files have columns of the same names, in any order.

    Args:
        names: the names in the first file.
        others: the names in the other file.
        first: the first file.

    Raises:
        TableError: if one of them has a column that the other lacks.

    Example:
        >>> check_same_names(["x", "y"], ["y"], "a.csv")
        Traceback (most recent call last):
        model.tables.errors.TableError: expected the columns of a.csv, found no 'x'; give all files the same columns
    """
    missing = [name for name in names if name not in others]
    added = [name for name in others if name not in names]
    remedy = "give all files the same columns"
    if looks_like_values(others) and not looks_like_values(names):
        remedy += ", with their names in the first line"
    if missing:
        found = f"no {quote(missing[0])}" + (f" but {quote(added[0])}" if added else "")
        raise TableError(f"the columns of {os.fspath(first)}", found, remedy)
    if added:
        raise TableError(f"the columns of {os.fspath(first)}", f"also {quote(added[0])}", remedy)
