"""Values and tables as plain text."""

from __future__ import annotations

from collections.abc import Sequence


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
