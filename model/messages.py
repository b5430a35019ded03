"""Values and tables as plain text."""

from __future__ import annotations

import csv
import io
import os
import shlex
from collections.abc import Sequence

# Names that a message lists.
LISTED = 10


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """The rows, of one length, with their columns aligned to the left.

    >>> print(aligned([["a", "prediction"], ["0.5", "1"]]))
    a    prediction
    0.5  1
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def shown(value: object, longest: int = 40) -> str:
    """A value that somebody sent, as it stands in a message: quoted, cut where it is long, `nothing` where empty.

    >>> print(shown("abc"), shown(""), shown("a" * 50, longest=3))
    'abc' nothing 'aaa…'
    """
    text = str(value)
    return repr(text if len(text) <= longest else f"{text[:longest]}…") if text else "nothing"


def reason(error: Exception) -> str:
    """Why something failed, to stand within a sentence: an OSError's own words, without its number and its file.

    >>> reason(FileNotFoundError(2, "No such file or directory"))
    'no such file or directory'
    """
    return (getattr(error, "strerror", None) or str(error)).lower()


def refused(path: str | os.PathLike[str], expected: str, found: str, remedy: str) -> str:
    """What is wrong with a file, in one sentence.

    >>> print(refused("table.csv", "a table", "no file", "name one that is there"))
    table.csv: expected a table, found no file; name one that is there
    """
    return f"{os.fspath(path)}: expected {expected}, found {found}; {remedy}"


def listed(names: Sequence[str], most: int = LISTED) -> str:
    """The names, up to so many of them.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(name if len(name) <= 40 else f"{name[:40]}…" for name in names[:most]) + rest


def as_option(names: Sequence[str]) -> str:
    """Names of columns as an option of the command line takes them: a line of CSV, quoted for the shell.

    >>> print(as_option(["age", "when, start"]))
    'age,"when, start"'
    """
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return shlex.quote(line.getvalue())


def as_names(option: str) -> tuple[str, ...]:
    """The names in a line of CSV.

    >>> as_names('age,"when, start"')
    ('age', 'when, start')
    """
    return tuple(next(csv.reader([option], strict=True), ()))


def printable(text: str) -> str:
    r"""The text on one line, with what a terminal would not show or obey written out.

    >>> printable("a\nb")
    'a\\nb'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
