"""Which texts of digits are codes or ids, and not numbers to compute with."""

from __future__ import annotations

from model.tables.columns import EXACT_WHOLE_NUMBERS
from model.tables.frames import pl

# The fewest digits of a code, such as the code of a county.
MIN_CODE_DIGITS = 3
# The fewest digits of an id, such as the number of a card. Numbers with fewer digits may be amounts.
MIN_ID_DIGITS = 12
# Values that are tried first, before all values are.
_SAMPLED_ROWS = 100
# Points in time from 2008 to 2039 in milliseconds, microseconds or nanoseconds, and the digits of a date and a time.
_SINCE_1970 = r"(1[2-9]|2[01])(\d{11}|\d{14}|\d{17})"
_DATE_AND_TIME = r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-4])[0-5]\d([0-5]\d)?"
_TIMES = f"^({_SINCE_1970}|{_DATE_AND_TIME})$"
_WHOLE = r"^[+-]?\d+$"


def are_codes(series: pl.Series) -> bool:
    """Whether texts are codes such as postal codes: all have the same number of digits, and some begin with 0.

    Args:
        series: of texts.

    Returns:
        True for such codes.

    Example:
        >>> are_codes(pl.Series(["02139", "10001"])), are_codes(pl.Series(["01", "12"]))
        (True, False)
    """
    texts = series.drop_nulls()
    return _have_same_digits(texts, MIN_CODE_DIGITS) and bool(texts.str.starts_with("0").any())


def why_ids(series: pl.Series) -> str | None:
    """Why whole numbers are ids, and not numbers to compute with.

    Args:
        series: of texts.

    Returns:
        The reason, as words that follow `because`; None if they are not ids.

    Example:
        >>> why_ids(pl.Series(["9007199254740993"]))
        '9007199254740993 is beyond 2^53, where numbers lose digits'
        >>> why_ids(pl.Series(["4000123412341234", "5105123412341231"]))
        'all of them have 16 digits, as ids do'
        >>> why_ids(pl.Series(["1700000000000", "1700000000001"])) is None
        True
    """
    texts = series.drop_nulls()
    for part in (texts.head(_SAMPLED_ROWS), texts):
        if not len(part) or not part.str.contains(_WHOLE).all():
            return None
    if texts.str.contains(_TIMES).all():
        return None
    numbers = texts.cast(pl.Float64, strict=False)
    if are_mostly_beyond(numbers):
        longest = texts[int(numbers.abs().arg_max() or 0)]
        return f"{longest} is beyond 2^53, where numbers lose digits"
    are_amounts = bool(texts.str.ends_with("000").all())
    if are_amounts or not _have_same_digits(texts, MIN_ID_DIGITS):
        return None
    return f"all of them have {len(texts[0])} digits, as ids do"


def are_mostly_beyond(numbers: pl.Series) -> bool:
    """Whether more than half of some numbers are beyond 2^53. A single one may stand for a missing value.

    Args:
        numbers: of Int64 or Float64.

    Returns:
        True if so.

    Example:
        >>> are_mostly_beyond(pl.Series([2**60, 2**61, 1])), are_mostly_beyond(pl.Series([2**60, 1]))
        (True, False)
    """
    share = (numbers.abs() >= EXACT_WHOLE_NUMBERS).mean()
    return isinstance(share, float) and share > 0.5


def _have_same_digits(texts: pl.Series, least: int) -> bool:
    """Whether all texts are digits alone, and all have the same number of them, at least `least`."""
    for part in (texts.head(_SAMPLED_ROWS), texts):
        lengths = part.str.len_chars()
        if not len(part) or lengths.min() != lengths.max() or int(lengths[0]) < least:
            return False
        if not part.str.contains(r"^[0-9]+$").all():
            return False
    return True
