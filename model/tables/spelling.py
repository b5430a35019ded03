"""How numbers are written in a column: with a decimal comma, thousands apart, a currency, a unit, or in parentheses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from model.tables.durations import read_duration

# A number as a person writes it, and what may be around it: the sign or the name of a currency; a unit.
_NUMBER = r"(\d[\d.,'’\u00a0\u202f ]*|[.,]\d+)(e[+-]?\d+)?"
_CURRENCIES = "kr|rs|fr|chf|usd|eur|gbp|sek|nok|dkk|jpy|cny|inr|aud|cad|nzd|brl|zar|pln|czk|huf|rub|try|krw|mxn"
_PREFIX = rf"[A-Z]{{0,3}}[$€£¥₹₽₩]|({_CURRENCIES})\.?(?=\s)"
_SUFFIX = r"[A-Zµμ°Ω%‰$€£¥₹₽₩][A-Z°²³/·^%]{0,9}[23]?"
_WRITTEN = re.compile(
    rf"(?P<open>\()?(?P<sign>[+−-]?)\s*(?P<prefix>{_PREFIX})?\s*(?P<inner>[+−-]?)(?P<number>{_NUMBER})"
    rf"\s*(?P<suffix>{_SUFFIX})?(?P<close>\))?",
    re.IGNORECASE | re.ASCII,
)
# By the characters between thousands and before decimals.
_NUMBERS = {
    (grouping, decimal): re.compile(
        rf"(\d{{1,3}}({re.escape(grouping)}\d{{3}})+|\d+)({re.escape(decimal)}\d*)?(e[+-]?\d+)?|{re.escape(decimal)}\d+"
        if grouping
        else rf"\d+({re.escape(decimal)}\d*)?(e[+-]?\d+)?|{re.escape(decimal)}\d+",
        re.IGNORECASE | re.ASCII,
    )
    for grouping, decimal in [("", "."), (",", "."), ("", ","), (".", ","), (" ", "."), (" ", ","), ("'", ".")]
}
# As Python writes numbers.
PLAIN_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_UNIFORM = str.maketrans({"\u00a0": " ", "\u202f": " ", "’": "'"})
# A text among numbers is missing if it is the only one, has no digit, and occurs in so many cells.
MIN_WORD_CELLS = 3
# Other texts are missing in up to so many cells, if no more than one in so many has one, or up to this share of cells.
MAX_STRAY_CELLS, MIN_CELLS_PER_STRAY, MAX_STRAY_SHARE = 2, 5, 0.01
# At least this share of the cells must be numbers.
MIN_NUMBER_SHARE = 0.5


class NumberSpelling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the numbers of a column are written.

    Attributes:
        grouping: the character between thousands; empty if there is none.
        decimal: the character before decimals.
        prefix: what may be before a number, such as $.
        suffix: what may be after it, such as kg.
        absent: words that stand for a missing value in this column, besides the usual ones.
        is_duration: whether the numbers are seconds, written as durations such as 25:10:00 or 1h 05m.
    """

    grouping: str = ""
    decimal: str = "."
    prefix: str = ""
    suffix: str = ""
    absent: tuple[str, ...] = ()
    is_duration: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as Python writes them."""
        return (self.grouping, self.decimal, self.prefix, self.suffix, self.is_duration) == ("", ".", "", "", False)


PLAIN_NUMBERS = NumberSpelling()


class SpelledColumn(NamedTuple):
    """What the texts of a column are.

    Attributes:
        spelling: of its numbers.
        numbers: the number that each text stands for; NaN for a text that stands for a missing value.
        strays: texts that are no numbers and are taken for missing though they are no words for that.
    """

    spelling: NumberSpelling
    numbers: Mapping[str, float]
    strays: tuple[str, ...]


class _Written(NamedTuple):
    number: str
    prefix: str
    suffix: str
    is_negative: bool


def read_spelled(text: str, spelling: NumberSpelling) -> float | None:
    """The number that a text spells.

    Args:
        text: without blanks around it.
        spelling: of its column.

    Returns:
        The number; None if the text is not written so.

    Example:
        >>> read_spelled("(1.234,50 kg)", NumberSpelling(grouping=".", decimal=",", suffix="kg"))
        -1234.5
        >>> read_spelled("12 lb", NumberSpelling(suffix="kg")) is None
        True
    """
    if spelling.is_duration:
        return read_duration(text)
    written = _take_apart(text)
    if written is None or written.prefix not in ("", spelling.prefix) or written.suffix not in ("", spelling.suffix):
        return None
    if not _NUMBERS[spelling.grouping, spelling.decimal].fullmatch(written.number):
        return None
    digits = written.number.replace(spelling.grouping, "") if spelling.grouping else written.number
    value = float(digits.replace(spelling.decimal, "."))
    return -value if written.is_negative else value


def is_number_like(text: str) -> bool:
    """Whether a text is a number with something around it, whatever that is.

    Args:
        text: without blanks around it.

    Returns:
        True for a number, a unit and so on.

    Example:
        >>> is_number_like("12 kg"), is_number_like("C12")
        (True, False)
    """
    return _take_apart(text) is not None


def may_be_numbers(counts: Mapping[str, int]) -> bool:
    """Whether at least half of some cells are numbers with something around them.

    Args:
        counts: how many cells have each text.

    Returns:
        False if the column of these cells is none of numbers.

    Example:
        >>> may_be_numbers({"12 kg": 3, "-": 2}), may_be_numbers({"Oslo 2": 3, "7": 1})
        (True, False)
    """
    numbers = sum(count for text, count in counts.items() if is_number_like(text))
    return numbers >= MIN_NUMBER_SHARE * sum(counts.values())


def infer_spelling(counts: Mapping[str, int], prefers_comma: bool = False) -> SpelledColumn | None:
    """How the numbers of a column are written.

    Args:
        counts: how many cells have each text, without blanks around it and without the usual words for missing.
        prefers_comma: whether 1,234 is one and a bit, and 1.234 more than a thousand, where nothing else in the column
            tells.

    Returns:
        What the texts are; None if they are not numbers.

    Example:
        >>> found = infer_spelling({"1,5 kg": 3, "-0,25 kg": 1, "?": 3})
        >>> found.spelling.decimal, found.spelling.suffix, found.spelling.absent, found.numbers["-0,25 kg"]
        (',', 'kg', ('?',), -0.25)
        >>> infer_spelling({"C1": 1, "C2": 1}) is None
        True
    """
    written = {text: parts for text in counts if (parts := _take_apart(text)) is not None}
    cells = sum(counts.values())
    if sum(counts[text] for text in written) < MIN_NUMBER_SHARE * cells:
        return None
    affixes = [Counter[str](), Counter[str]()]
    for text, parts in written.items():
        affixes[0][parts.prefix] += counts[text]
        affixes[1][parts.suffix] += counts[text]
    prefix, suffix = (max(filter(None, each), key=each.__getitem__, default="") for each in affixes)
    grouping = _grouping({text: counts[text] for text in written}, written, prefers_comma)
    spelling = NumberSpelling(*grouping, prefix, suffix)
    numbers = {text: value for text in written if (value := read_spelled(text, spelling)) is not None}
    others = [text for text in counts if text not in numbers]
    stray_cells = sum(counts[text] for text in others)
    if len(others) == 1 and stray_cells >= MIN_WORD_CELLS and not any(map(str.isdigit, others[0])):
        spelling = NumberSpelling(*grouping, prefix, suffix, (others[0],))
        return SpelledColumn(spelling, numbers | {others[0]: float("nan")}, ())
    # Numbers of another unit are no strays, unless there are very few.
    has_other_units = any(text in written for text in others)
    if not are_few_strays(stray_cells, cells) or (has_other_units and stray_cells > MAX_STRAY_SHARE * cells):
        return None
    return SpelledColumn(spelling, numbers | dict.fromkeys(others, float("nan")), tuple(others))


def are_few_strays(stray_cells: int, cells: int) -> bool:
    """Whether the cells that do not fit the others are so few that they are taken for missing.

    Args:
        stray_cells: how many do not fit.
        cells: how many there are.

    Returns:
        True if so.

    Example:
        >>> are_few_strays(1, 10), are_few_strays(2, 5), are_few_strays(9, 1000)
        (True, False, True)
    """
    are_two = stray_cells <= MAX_STRAY_CELLS and MIN_CELLS_PER_STRAY * stray_cells <= cells
    return are_two or stray_cells <= MAX_STRAY_SHARE * cells


def _take_apart(text: str) -> _Written | None:
    found = _WRITTEN.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]) or (found["sign"] and found["inner"]):
        return None
    number = found["number"].translate(_UNIFORM).strip()
    is_negative = bool(found["open"]) ^ (found["sign"] + found["inner"]).replace("−", "-").count("-") % 2
    return _Written(number, found["prefix"] or "", found["suffix"] or "", bool(is_negative))


def _grouping(counts: Mapping[str, int], written: Mapping[str, _Written], prefers_comma: bool) -> tuple[str, str]:
    """The characters between thousands and before decimals with which most cells can be read."""
    scores = {
        pair: sum(count for text, count in counts.items() if pattern.fullmatch(written[text].number))
        for pair, pattern in _NUMBERS.items()
    }
    most = max(scores.values())
    fitting = [pair for pair, score in scores.items() if score == most]
    if ("", ".") not in fitting and {(",", "."), ("", ",")} <= set(fitting):
        return ("", ",") if prefers_comma else (",", ".")
    are_thousands = (".", ",") in fitting and any("." in written[text].number for text in counts)
    return (".", ",") if prefers_comma and are_thousands else fitting[0]
