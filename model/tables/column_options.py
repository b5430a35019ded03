"""What the user says about the columns of a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from model.messages import join_names, quote
from model.tables.errors import TableError


class ColumnOptions(NamedTuple):
    """How columns are read.

    Attributes:
        dates: the order of year, month and day in dates: ymd, dmy or mdy; None to infer it from each column.
        decimal: the character before decimals, a point or a comma, where it could be either; None to infer it.
        categorical: the names of columns that are categories, whatever they hold.
        numeric: the names of columns that are numbers; all other values in them are missing.
        missing: what stands for a missing value: in every column, such as -999, or in one, such as age=-999.
        kept: the names of columns that are learned from even if nearly all of their texts differ.
    """

    dates: str | None = None
    decimal: str | None = None
    categorical: Collection[str] = ()
    numeric: Collection[str] = ()
    missing: Sequence[str] = ()
    kept: Collection[str] = ()

    def sentinels(self, name: str, names: Collection[str]) -> tuple[str, ...]:
        """What stands for a missing value in a column.

        Args:
            name: of the column.
            names: of all columns.

        Returns:
            The texts.

        Example:
            >>> options = ColumnOptions(missing=["-999", "age=0"])
            >>> options.sentinels("age", ["age", "size"]), options.sentinels("size", ["age", "size"])
            (('-999', '0'), ('-999',))
        """
        sentinels = []
        for each in self.missing:
            owner, _, sentinel = each.rpartition("=")
            if owner not in names:
                sentinels.append(each)
            elif owner == name:
                sentinels.append(sentinel)
        return tuple(sentinels)

    def check(self, names: Iterable[str]) -> None:
        """Check that the named columns are there, and that none is both categorical and numeric.

        Args:
            names: of all columns.

        Raises:
            TableError: if a column is not there, or if one is both categorical and numeric.
        """
        available = set(names)
        owners = [owner for owner, sentinel, _ in (each.rpartition("=") for each in self.missing) if sentinel]
        for name in (*self.categorical, *self.numeric, *self.kept, *owners):
            if name not in available:
                raise TableError(f"a column {quote(name)}", f"the columns {join_names(sorted(available))}", "name one")
        both = [name for name in self.numeric if name in self.categorical]
        if both:
            raise TableError("each column in --categorical or in --numeric", f"{both[0]} in both", "name it once")


NO_OPTIONS = ColumnOptions()
