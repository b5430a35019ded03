"""Words for people: errors in one sentence, and values and tables as plain text."""

from __future__ import annotations

import csv
import io
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# The name to install.
DISTRIBUTION = "nudge-jax"
# Names that a message lists, and characters that it shows of one.
MAX_LISTED_NAMES = 10
MAX_SHOWN_CHARACTERS = 40


class RefusalError(ValueError):
    """What was asked for cannot be done. The message is one sentence: what was expected, what was found, what to do.

    The command line prints it as it is.
    """


@contextmanager
def refusing_variables_of_jax() -> Iterator[None]:
    """Refuse a variable that JAX does not understand. JAX reads its variables when it is imported.

    Returns:
        The context in which it is imported.

    Raises:
        RefusalError: if it is imported in the block, and one of them has a wrong value.

    Example:
        >>> with refusing_variables_of_jax():
        ...     import jax
    """
    try:
        yield
    except ValueError as error:
        if isinstance(error, RefusalError) or "jax_" not in str(error).lower():
            raise
        raise RefusalError(f"JAX expects another value of a variable: {error}; correct or unset it") from None


def align_columns(rows: Sequence[Sequence[str]]) -> str:
    """A table as text.

    Args:
        rows: the cells of each row, as many in every row.

    Returns:
        One line for each row, with the columns aligned to the left, and unprintable characters escaped.

    Example:
        >>> print(align_columns([["a", "prediction"], ["0.5", "1"]]))
        a    prediction
        0.5  1
    """
    shown = [[escape_unprintable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in shown)


def quote(value: object, max_characters: int = MAX_SHOWN_CHARACTERS) -> str:
    """A value that a user wrote, as a message shows it.

    Args:
        value: any object.
        max_characters: where it is cut.

    Returns:
        The text of the value in quotes; `nothing` if it is empty.

    Example:
        >>> print(quote("abc"), quote(""), quote("a" * 50, max_characters=3))
        'abc' nothing 'aaa…'
    """
    text = str(value)
    return repr(text if len(text) <= max_characters else f"{text[:max_characters]}…") if text else "nothing"


def describe_error(error: BaseException) -> str:
    """Why something failed, to stand within a sentence.

    Args:
        error: what was raised.

    Returns:
        Its message in lower case; of an OSError without its number and its file.

    Example:
        >>> describe_error(FileNotFoundError(2, "No such file or directory"))
        'no such file or directory'
    """
    return (getattr(error, "strerror", None) or str(error)).lower()


def refusal_sentence(path: str | os.PathLike[str] | None, expected: str, found: str, remedy: str) -> str:
    """What is wrong, in one sentence.

    Args:
        path: the file that it is about, or None.
        expected: what was expected.
        found: what was found instead.
        remedy: what to do.

    Returns:
        The sentence.

    Example:
        >>> print(refusal_sentence("table.csv", "a table", "no file", "name one that is there"))
        table.csv: expected a table, found no file; name one that is there
    """
    file = "" if path is None else f"{os.fspath(path)}: "
    return f"{file}expected {expected}, found {found}; {remedy}"


def join_names(names: Sequence[str], max_names: int = MAX_LISTED_NAMES) -> str:
    """Names in a sentence.

    Args:
        names: any number of them.
        max_names: how many are listed; of the others, the number is.

    Returns:
        The names, separated by commas.

    Example:
        >>> join_names(["a", "b", "c"], max_names=2)
        'a, b and 1 more'
    """
    rest = f" and {len(names) - max_names:,} more" if len(names) > max_names else ""
    shown = (name if len(name) <= MAX_SHOWN_CHARACTERS else f"{name[:MAX_SHOWN_CHARACTERS]}…" for name in names)
    return ", ".join(list(shown)[:max_names]) + rest


def quote_names(names: Sequence[str]) -> str:
    """Names of columns as an option of the command line takes them.

    Args:
        names: any names.

    Returns:
        A line of CSV, quoted for the shell; `split_names` reads it.

    Example:
        >>> print(quote_names(["age", "when, start"]))
        'age,"when, start"'
    """
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return shlex.quote(line.getvalue())


def count_text(count: int, noun: str) -> str:
    """A number of things.

    Args:
        count: from 0.
        noun: of one of them.

    Returns:
        The text.

    Example:
        >>> count_text(1, "row"), count_text(1200, "row")
        ('1 row', '1,200 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def join_rows(rows: Sequence[int]) -> str:
    """The numbers of rows in words. Of several rows, the first three are named.

    Args:
        rows: any whole numbers, at least one.

    Returns:
        The words.

    Example:
        >>> join_rows([4, 7]), join_rows(range(1000, 1005))
        ('4, 7', '1,000, 1,001, 1,002 and 2 others')
    """
    named = ", ".join(f"{row:,}" for row in rows[:3])
    return named if len(rows) <= 3 else f"{named} and {len(rows) - 3:,} other{'s' if len(rows) > 4 else ''}"


def split_names(option: str) -> tuple[str, ...]:
    """The names in a line of CSV.

    Args:
        option: the line.

    Returns:
        The names, in order.

    Raises:
        csv.Error: if the quotes in it do not match.

    Example:
        >>> split_names('age,"when, start"')
        ('age', 'when, start')
    """
    return tuple(next(csv.reader([option], strict=True), ()))


def escape_unprintable(text: str) -> str:
    r"""A text on one line, with every character that a terminal would obey, or not show, written as an escape.

    Args:
        text: any text.

    Returns:
        The text with such characters escaped.

    Example:
        >>> escape_unprintable("a\nb")
        'a\\nb'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
