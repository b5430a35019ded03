"""The error of a file or a table that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from model.messages import RefusalError, refusal_sentence

PathLike = str | os.PathLike[str]

# What to do about a target that cannot be predicted, where there are no options of a command line.
CHOOSE_TARGET = "choose another target"


class TableError(RefusalError):
    """A file that cannot be used as a table.

    Args:
        expected: what was expected.
        found: what was found instead.
        remedy: what to do.
        path: the file. Whoever reads it adds it with `naming_file`, so that nothing below has to know it.
        without_options: what to do where there are no options of a command line; by default the remedy.

    Example:
        >>> print(TableError("a table", "no file", "name one that is there"))
        expected a table, found no file; name one that is there
    """

    def __init__(
        self, expected: str, found: str, remedy: str, path: PathLike | None = None, *, without_options: str = ""
    ) -> None:
        super().__init__(expected, found, remedy, path)
        self.expected, self.found, self.remedy, self.path = expected, found, remedy, path
        self.without_options = without_options or remedy

    def __str__(self) -> str:
        return refusal_sentence(self.path, self.expected, self.found, self.remedy)


class OptionNote(str):
    r"""A note that ends with an option of the command line.

    Attributes:
        without_option: the same note for those who have no command line.

    Example:
        >>> note = OptionNote("left out id", "--keep takes it anyway")
        >>> print(note, note.without_option, sep="\n")
        left out id; --keep takes it anyway
        left out id
    """

    __slots__ = ("without_option",)
    without_option: str

    def __new__(cls, note: str, option: str) -> OptionNote:
        """Args: note: what is said; option: what to say on the command line to have it otherwise."""
        found = super().__new__(cls, f"{note}; {option}")
        found.without_option = note
        return found


@contextmanager
def naming_file(path: PathLike) -> Iterator[None]:
    """Let every TableError that is raised inside name this file, unless it names one already.

    Args:
        path: the file that is read.

    Yields:
        Nothing.

    Example:
        >>> with naming_file("table.csv"):
        ...     raise TableError("a table", "no file", "name one that is there")
        Traceback (most recent call last):
        model.tables.errors.TableError: table.csv: expected a table, found no file; name one that is there
    """
    try:
        yield
    except TableError as error:
        if error.path is None:
            remedies = {"remedy": error.remedy, "without_options": error.without_options}
            error = TableError(error.expected, error.found, path=path, **remedies)
        raise error from None
