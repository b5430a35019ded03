"""The names of a file's columns: checked and chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from model.messages import listed, shown
from model.tables.files import File, refusal

# From the names of a file's columns, those to read.
Choice = Callable[[Iterable[str]], list[str]]


def check_names(path: File, names: Sequence[str]) -> None:
    """Raise TableError where a name is blank, or one is there twice."""
    empty = [position for position, name in enumerate(names, 1) if not name.strip()]
    if empty:
        raise refusal(path, "a name for each column", f"none for column {empty[0]} of {len(names)}", "name it")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise refusal(path, "different names of columns", f"{listed(twice)} more than once", "rename all but one")


def chosen(
    path: File, names: Iterable[str], columns: Sequence[str] | None, target: str | None, drop: Sequence[str]
) -> list[str]:
    """The columns to read, each once. names: those of the file. Raises TableError where one that is named is not there,
    and where none is left.

    >>> chosen("table.csv", ["when", "a", "b", "c"], ["b", "a", "b"], target="c", drop=["a"])
    ['b', 'c']
    """
    there = list(names)
    target_ = [] if target is None else [target]
    for name in (*(columns or ()), *target_, *drop):
        if name not in there:
            raise refusal(path, f"a column {shown(name)}", f"the columns {listed(there)}", "name one of them")
    kept = (name for name in (there if columns is None else columns) if name not in drop)
    wanted = list(dict.fromkeys([*kept, *target_]))
    if not wanted:
        raise refusal(path, "a column to read", "none", "drop fewer")
    return wanted
