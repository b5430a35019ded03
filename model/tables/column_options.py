"""What is said about the columns of a table, because they do not tell it themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from model.messages import join_names, quote
from model.tables.errors import TableError


class ColumnOptions(NamedTuple):
    """How columns are read.

    Attributes:
        dates: the order of year, month and day in dates: ymd, dmy or mdy; None to tell it from each column.
        decimal: the character before decimals, a point or a comma, where both could be; None to tell it.
        categorical: the names of columns that are categories, whatever they hold.
        numeric: the names of columns that are numbers; all else in them is missing.
        missing: what stands for a missing value in any column, such as -999, or in one, such as age=-999.
        kept: the names of columns that are learned from even if nearly every row has a text of its own.
    """

    dates: str | None = None
    decimal: str | None = None
    categorical: Collection[str] = ()
    numeric: Collection[str] = ()
    missing: Sequence[str] = ()
    kept: Collection[str] = ()

    def marks(self, name: str, names: Collection[str]) -> tuple[str, ...]:
        """What stands for a missing value in a column.

        Args:
            name: of the column.
            names: of all columns.

        Returns:
            The texts.

        Example:
            >>> options = ColumnOptions(missing=["-999", "age=0"])
            >>> options.marks("age", ["age", "size"]), options.marks("size", ["age", "size"])
            (('-999', '0'), ('-999',))
        """
        marks = []
        for each in self.missing:
            owner, _, mark = each.rpartition("=")
            if owner not in names:
                marks.append(each)
            elif owner == name:
                marks.append(mark)
        return tuple(marks)

    def check(self, names: Iterable[str]) -> None:
        """Check that the named columns are there, and that each is named once.

        Args:
            names: of all columns.

        Raises:
            TableError: if one is not there, or is to be both categories and numbers.
        """
        available = set(names)
        owners = [owner for owner, mark, _ in (each.rpartition("=") for each in self.missing) if mark]
        for name in (*self.categorical, *self.numeric, *self.kept, *owners):
            if name not in available:
                raise TableError(f"a column {quote(name)}", f"the columns {join_names(sorted(available))}", "name one")
        both = [name for name in self.numeric if name in self.categorical]
        if both:
            raise TableError("a column among --categorical or --numeric", f"{both[0]} among both", "name it once")


NO_OPTIONS = ColumnOptions()
