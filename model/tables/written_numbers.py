"""The parts of a number as a person writes it: its digits, its sign, a currency, a unit, and marks such as *."""

from __future__ import annotations

import re
from typing import NamedTuple

# A text with more characters is not a number.
MAX_CHARACTERS = 80
MINUS = "−–-"
# Dashes after a point or a comma, which stand for no cents, as in 12.- or 12,–.
DASHES = "−–—‒-"
# Marks which say that a number is a limit.
LIMITS = ("<", ">", "<=", ">=", "≤", "≥")
_SPACES = "\u00a0\u2007\u2009\u202f "
_UNIFORM = str.maketrans(dict.fromkeys(_SPACES, " ") | {"’": "'"})
_SIGNS = "$€£¥₹₽₩₪₫₦₱₲₴₵₸₺₼₾₿฿¢"
_CURRENCIES = "kr|rs|fr|chf|usd|eur|gbp|sek|nok|dkk|jpy|cny|inr|aud|cad|nzd|brl|zar|pln|czk|huf|rub|try|krw|mxn|zł"
_PREFIX = rf"[A-Z]{{0,3}}[{_SIGNS}]|({_CURRENCIES})\.?(?=\s)|'(?=[0-9.+-])"
# A letter of a script of Europe, Asia or Africa.
_LETTER = r"(?:(?!\d)[A-Za-zªµºÀ-ÖØ-öø-ʯͰ-\u1fff\u3040-\u9fff\uac00-\ud7a3])"
_UNIT = rf"(?:{_LETTER}|[°%‰′″'\"Ω{_SIGNS}])(?:{_LETTER}|[°²³¹⁻/·⋅^%{_SIGNS}]){{0,11}}[23]?\.?"
_WRITTEN = re.compile(
    r"(?P<before>[<>]=?|[~≈≤≥]|ca\.?\s|about\s)?\s*(?P<open>\()?"
    rf"(?P<sign>[+{MINUS}]?)\s*(?P<prefix>{_PREFIX})?\s*(?P<inside>\()?(?P<inner>[+{MINUS}]?)"
    rf"(?P<number>(?:[0-9](?:[0-9.,'’{_SPACES}]*[0-9.,])?|[.,][0-9]+)(?:e[+-]?[0-9]+)?)"
    rf"(?:(?<=[.,])[{DASHES}]{{1,2}}|(?P<trailing>(?<![.,])[{MINUS}]))?\s*"
    rf"(?P<early>\))?\s*(?:(?P<unit>{_UNIT})|\((?P<bracketed>{_UNIT})\))?(?P<close>\))?"
    r"\s*(?P<after>[*†‡§]{1,4}|[¹²³⁴-⁹]{1,2}|\[\w{1,4}\])?",
    re.IGNORECASE,
)


class WrittenNumber(NamedTuple):
    """The parts of a number.

    Attributes:
        number: its digits, with the characters between thousands and before decimals. All kinds of blanks and of
            apostrophes become the plain ones.
        prefix: the currency before it.
        suffix: the unit or the currency after it.
        marks: what else is around it, such as * or <. All footnote numbers are the same mark.
        is_negative: whether it is below 0.
    """

    number: str
    prefix: str
    suffix: str
    marks: tuple[str, ...]
    is_negative: bool


def number_pattern(grouping: str, decimal: str) -> re.Pattern[str]:
    """What digits look like.

    Args:
        grouping: the character between thousands; empty if there is none. Commas may also separate lakhs, as in
            1,20,000. A number that begins with 0 has no such characters.
        decimal: the character before decimals.

    Returns:
        A pattern for a whole number with its decimals.

    Example:
        >>> [bool(number_pattern(",", ".").fullmatch(text)) for text in ("1,234.5", "1,20,000", "12,34", "0,208")]
        [True, True, False, False]
    """
    decimals = re.escape(decimal)
    whole = rf"[1-9][0-9]{{0,2}}(?:{re.escape(grouping)}[0-9]{{3}})+|[0-9]+" if grouping else "[0-9]+"
    lakhs = "|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if grouping == "," else ""
    return re.compile(rf"(?:{whole}{lakhs})(?:{decimals}[0-9]*)?(e[+-]?[0-9]+)?|{decimals}[0-9]+(e[+-]?[0-9]+)?", re.I)


# By the characters between thousands and before decimals.
NUMBERS = {
    pair: number_pattern(*pair)
    for pair in [("", "."), (",", "."), ("", ","), (".", ","), (" ", "."), (" ", ","), ("'", "."), ("'", ",")]
}
_ANY_NUMBER = re.compile("|".join(f"(?:{pattern.pattern})" for pattern in NUMBERS.values()), re.I)


def take_apart(text: str) -> WrittenNumber | None:
    """The parts of a number.

    Args:
        text: without blanks around it.

    Returns:
        The parts; None if the text is not a number, with or without something around it.

    Example:
        >>> take_apart("-$1,234.50*")
        WrittenNumber(number='1,234.50', prefix='$', suffix='', marks=('*',), is_negative=True)
        >>> take_apart("12.–").is_negative, take_apart("12–").is_negative, take_apart("C12") is None
        (False, True, True)
    """
    found = _WRITTEN.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
    if found is None:
        return None
    opened, closed = (sum(bool(found[name]) for name in pair) for pair in (("open", "inside"), ("early", "close")))
    signs = found["sign"] + found["inner"] + (found["trailing"] or "")
    number = found["number"].translate(_UNIFORM)
    if opened != closed or opened > 1 or len(signs) > 1 or not _ANY_NUMBER.fullmatch(number):
        return None
    marks = [(found["before"] or "").strip().lower(), _one_mark(found["after"] or "")]
    is_negative = bool(opened) or (signs != "" and signs in MINUS)
    suffix = found["unit"] or found["bracketed"] or ""
    return WrittenNumber(number, found["prefix"] or "", suffix, tuple(filter(None, marks)), is_negative)


def _one_mark(mark: str) -> str:
    """The same mark for all footnote numbers, and for one or more stars."""
    if mark.startswith("["):
        return re.sub("[0-9]+", "1", mark.lower())
    return "¹" if mark[:1].isdigit() else mark[:1]


def is_number_like(text: str) -> bool:
    """Whether a text is a number, with or without something around it.

    Args:
        text: without blanks around it.

    Returns:
        True for a number, also with a currency, a unit or marks.

    Example:
        >>> is_number_like("12 kg"), is_number_like("C12")
        (True, False)
    """
    return take_apart(text) is not None


def is_same_unit(unit: str, other: str) -> bool:
    """Whether two units are the same. Case and a plural s are ignored, except between m and M as in mW and MW.

    Args:
        unit: one of them.
        other: the other.

    Returns:
        True for kg and KG, and for year and years; False for mW and MW.

    Example:
        >>> is_same_unit("kg", "KG"), is_same_unit("year", "years"), is_same_unit("mW", "MW"), is_same_unit("m", "ms")
        (True, True, False, False)
    """
    if unit == other:
        return True
    if len(unit) > 1 and unit[1:] == other[1:] and {unit[0], other[0]} == {"m", "M"}:
        return False
    return _without_plural(unit) == _without_plural(other)


def _without_plural(unit: str) -> str:
    name = unit.casefold().rstrip(".")
    return name[:-1] if len(name) > 2 and name.endswith("s") else name
