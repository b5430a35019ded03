"""Whether 20.000 is twenty or twenty thousand, in a column in which all numbers are written so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from model.messages import quote
from model.tables.errors import OptionNote
from model.tables.frames import pl
from model.tables.spelling import PLAIN_NUMBERS, NumberSpelling

_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,([0-9]{1,2}|[0-9]{4,})")
_WITH_COMMA = re.compile(r"[+-]?[0-9]+(,[0-9]+)?")
_DECIMAL_POINT = re.compile(r"[+-]?([0-9]*\.([0-9]{1,2}|[0-9]{4,})|0\.[0-9]+|[0-9]{4,}\.[0-9]+)")
_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
_SAMPLED_ROWS = 100


def decimal_mark(rows: Iterable[Sequence[str]], separator: str) -> str:
    """The character before decimals in a file, as its first rows show it.

    Args:
        rows: the fields of some rows, the same number in each.
        separator: the character between two fields. If it is a semicolon, a comma may stand before decimals.

    Returns:
        A comma or a point; an empty text if there is no doubt that points stand before decimals.

    Example:
        >>> decimal_mark([["1,5", "20.000"]], ";"), decimal_mark([["1.5", "20.000"]], ";"), decimal_mark([["1.5"]], ",")
        (',', '.', '')
    """
    columns = [list(filter(None, column)) for column in zip(*rows, strict=True)]
    for column in columns:
        if any(map(_DECIMAL_COMMA.fullmatch, column)) and all(map(_WITH_COMMA.fullmatch, column)):
            return ","
    if separator != ";":
        return ""
    return "." if any(_DECIMAL_POINT.fullmatch(field) for column in columns for field in column) else ","


def may_be_thousands(texts: pl.Series) -> bool:
    """Whether all texts have three digits after a point, and no text shows that the point stands before decimals.

    Args:
        texts: without blanks around them, null where a value is missing.

    Returns:
        True if all texts are so, and at least two of them differ.

    Example:
        >>> may_be_thousands(pl.Series(["20.000", "25.070"])), may_be_thousands(pl.Series(["0.123", "25.070"]))
        (True, False)
    """
    present = texts.drop_nulls()
    for part in (present.head(_SAMPLED_ROWS), present):
        if not len(part) or not part.str.contains(_THOUSANDS).all():
            return False
    return present.n_unique() > 1


def read_points(texts: pl.Series, are_thousands: bool) -> tuple[pl.Series, NumberSpelling, str]:
    """The numbers of a column in which each text may be in thousands.

    Args:
        texts: as in `may_be_thousands`.
        are_thousands: whether points stand between thousands, and not before decimals.

    Returns:
        The numbers, in Float64; how they are written; and a note that says how they were read, and how else they could
        be read.

    Example:
        >>> read_points(pl.Series("sold", ["20.000", "25.070"]), are_thousands=True)[2]
        "'20.000' in sold is read as 20000; --decimal . reads it as 20"
    """
    text = texts.drop_nulls()[0]
    values = {",": float(text.replace(".", "")), ".": float(text)}
    mark, other = (",", ".") if are_thousands else (".", ",")
    told = f"{quote(text)} in {texts.name} is read as {values[mark]:.12g}"
    note = OptionNote(told, f"--decimal {other} reads it as {values[other]:.12g}")
    digits = texts.alias("").str.replace_all(".", "", literal=True) if are_thousands else texts
    spelling = NumberSpelling(".", ",") if are_thousands else PLAIN_NUMBERS
    return digits.cast(pl.Float64).alias(texts.name), spelling, note
