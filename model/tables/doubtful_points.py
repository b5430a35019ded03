"""Whether 20.000 is twenty or twenty thousand, where a whole column is written so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from model.messages import quote
from model.tables.frames import pl
from model.tables.spelling import PLAIN_NUMBERS, NumberSpelling

_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,([0-9]{1,2}|[0-9]{4,})")
_WITH_COMMA = re.compile(r"[+-]?[0-9]+(,[0-9]+)?")
_DECIMAL_POINT = re.compile(r"[+-]?([0-9]*\.([0-9]{1,2}|[0-9]{4,})|0\.[0-9]+|[0-9]{4,}\.[0-9]+)")
_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
_SAMPLED_ROWS = 100


def decimal_mark(rows: Iterable[Sequence[str]], separator: str) -> str:
    """The character before decimals in the file, as far as some fields show it.

    Args:
        rows: the fields of some rows, as many in each.
        separator: the character between two fields. With a semicolon, a comma is free to be before decimals.

    Returns:
        A comma or a point; an empty text if nothing lets one doubt that points are before decimals.

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
    """Whether all texts have three digits behind a point, and none shows that the point is before decimals.

    Args:
        texts: without blanks around them, null where a value is missing.

    Returns:
        True if there are at least two different texts, all of them so.

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
    """The numbers of a column of which all may be thousands.

    Args:
        texts: as of `may_be_thousands`.
        are_thousands: whether they are.

    Returns:
        The numbers, in Float64, how they are written, and a note that says how they were read and how else they could
        be.

    Example:
        >>> read_points(pl.Series("sold", ["20.000", "25.070"]), are_thousands=True)[2]
        "'20.000' in sold is read as 20000; --decimal . reads it as 20"
    """
    text = texts.drop_nulls()[0]
    values = {",": float(text.replace(".", "")), ".": float(text)}
    mark, other = (",", ".") if are_thousands else (".", ",")
    note = f"{quote(text)} in {texts.name} is read as {values[mark]:.12g}"
    note += f"; --decimal {other} reads it as {values[other]:.12g}"
    digits = texts.alias("").str.replace_all(".", "", literal=True) if are_thousands else texts
    spelling = NumberSpelling(".", ",") if are_thousands else PLAIN_NUMBERS
    return digits.cast(pl.Float64).alias(texts.name), spelling, note
