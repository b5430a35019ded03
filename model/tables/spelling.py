"""How numbers are written in a column: with a decimal comma, thousands apart, a currency, a unit, or in parentheses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from model.tables.absent_texts import MAX_STRAY_SHARE, are_few_strays, are_words
from model.tables.durations import read_duration
from model.tables.written_numbers import LIMITS, NUMBERS, WrittenNumber, is_number_like, is_same_unit, take_apart

# As Python writes numbers.
PLAIN_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
# By how many powers of ten these suffixes multiply a number, if a column has several of them.
FACTORS = {"k": 3, "m": 6, "mn": 6, "mio": 6, "mln": 6, "million": 6, "b": 9, "bn": 9, "mrd": 9, "billion": 9}
# These also multiply if a column has only one of them. A single m may stand for metres, and a b for bytes.
SURE_FACTORS = ("K", "k", "M", "mn", "mio", "Mio", "mln", "million", "bn", "Mrd", "billion")
# Letters after a number that say how reliable it is, as Eurostat writes them.
_FLAGS = frozenset("bcdefinprsuz") | {"bp", "be", "de", "ep", "bep"}
# Plain numbers beside percents are shares if all are within ±1, and if they are at least this share of the cells.
MIN_SHARES = 0.1
# The most texts that are remembered because they stand for a missing value.
MAX_ABSENT = 100
# At least this share of the cells must be numbers.
MIN_NUMBER_SHARE = 0.5


class NumberSpelling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the numbers of a column are written.

    Attributes:
        grouping: the character between thousands; empty if there is none.
        decimal: the character before decimals.
        prefix: what may stand before a number, such as $.
        suffix: what may stand after a number, such as kg.
        absent: texts that stand for a missing value in this column, besides the usual words.
        marks: what else may be around a number and is ignored, such as *.
        has_factors: whether suffixes such as K and M multiply a number.
        has_shares: whether 25% is 0.25.
        is_duration: whether the numbers are seconds, written as durations such as 25:10:00 or 1h 05m.
    """

    grouping: str = ""
    decimal: str = "."
    prefix: str = ""
    suffix: str = ""
    absent: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    has_factors: bool = False
    has_shares: bool = False
    is_duration: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as Python writes them."""
        is_odd = self.prefix or self.suffix or self.marks or self.has_factors or self.is_duration
        return not is_odd and (self.grouping, self.decimal) == ("", ".")


PLAIN_NUMBERS = NumberSpelling()


class SpelledColumn(NamedTuple):
    """What the texts of a column of numbers stand for.

    Attributes:
        spelling: of its numbers.
        numbers: the number that each text stands for; NaN for a text that stands for a missing value.
        strays: texts that are read as missing although they are not words for a missing value.
    """

    spelling: NumberSpelling
    numbers: Mapping[str, float]
    strays: tuple[str, ...]


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
        >>> read_spelled("$2.5M", NumberSpelling(prefix="$", has_factors=True))
        2500000.0
    """
    if spelling.is_duration:
        return read_duration(text)
    written = take_apart(text)
    return None if written is None else _value(written, spelling)


def _value(written: WrittenNumber, spelling: NumberSpelling) -> float | None:
    if not _has_unit(written, spelling) or not set(written.marks) <= set(spelling.marks):
        return None
    exponent = _exponent(written.suffix, spelling) or 0
    if not NUMBERS[spelling.grouping, spelling.decimal].fullmatch(written.number):
        return None
    digits = written.number.replace(spelling.grouping, "") if spelling.grouping else written.number
    digits = digits.replace(spelling.decimal, ".").lower()
    mantissa, _, own = digits.partition("e")
    value = float(f"{mantissa}e{int(own or 0) + exponent}") if exponent else float(digits)
    return -value if written.is_negative else value


def _exponent(suffix: str, spelling: NumberSpelling) -> int | None:
    """By how many powers of ten a suffix multiplies; None if the column has no such suffix."""
    if spelling.has_factors and suffix.casefold() in FACTORS:
        return FACTORS[suffix.casefold()]
    if suffix and is_same_unit(suffix, spelling.suffix):
        return -2 if spelling.has_shares else 0
    return 0 if not suffix or suffix in spelling.marks else None


def may_be_numbers(counts: Mapping[str, int]) -> bool:
    """Whether at least half of some cells are numbers, with or without something around them.

    Args:
        counts: how many cells have each text.

    Returns:
        False if the cells cannot be a column of numbers.

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
        prefers_comma: whether a comma stands before decimals, and a point between thousands, in texts such as 1,234 and
            1.234, if nothing else in the column shows it.

    Returns:
        What the texts stand for; None if they are not numbers.

    Example:
        >>> found = infer_spelling({"1,5 kg": 3, "-0,25 kg": 1, "?": 3})
        >>> found.spelling.decimal, found.spelling.suffix, found.spelling.absent, found.numbers["-0,25 kg"]
        (',', 'kg', ('?',), -0.25)
        >>> infer_spelling({"C1": 1, "C2": 1}) is None
        True
    """
    written = {text: parts for text in counts if (parts := take_apart(text)) is not None}
    cells = sum(counts.values())
    if sum(counts[text] for text in written) < MIN_NUMBER_SHARE * cells:
        return None
    spelling = _spelling(counts, written, prefers_comma)
    if spelling.prefix == "'" and any(re.match("0[0-9]", parts.number) for parts in written.values()):
        return None
    numbers = {text: value for text, parts in written.items() if (value := _value(parts, spelling)) is not None}
    if _are_shares(counts, written, numbers, spelling):
        spelling = msgspec.structs.replace(spelling, has_shares=True)
        numbers = {text: value for text in numbers if (value := _value(written[text], spelling)) is not None}
    others = [text for text in counts if text not in numbers]
    stray_cells = sum(counts[text] for text in others)
    # A plain number among these texts would also stand for every equal number.
    absent = tuple(text for text in others if not PLAIN_NUMBER.fullmatch(text))[:MAX_ABSENT]
    spelling = msgspec.structs.replace(spelling, absent=absent)
    have_digits = any(any(map(str.isdigit, text)) for text in others)
    are_missing = not have_digits and are_words({text: counts[text] for text in others}, numbers.values())
    numbers |= dict.fromkeys(others, float("nan"))
    if are_missing:
        return SpelledColumn(spelling, numbers, ())
    # Numbers of another unit are not strays, unless there are very few of them.
    has_other_units = any(text in written for text in others)
    if not are_few_strays(stray_cells, cells) or (has_other_units and stray_cells > MAX_STRAY_SHARE * cells):
        return None
    return SpelledColumn(spelling, numbers, tuple(others))


def numbers_of_other_units(counts: Mapping[str, int], prefers_comma: bool = False) -> list[str]:
    """The numbers whose unit or currency differs from that of most cells of a column.

    Args:
        counts: how many cells have each text, as in `infer_spelling`.
        prefers_comma: as in `infer_spelling`.

    Returns:
        Their texts.

    Example:
        >>> numbers_of_other_units({"5 kg": 1, "7.5 kg": 2, "500 g": 2, "3": 1, "oops": 1})
        ['500 g']
    """
    written = {text: parts for text in counts if (parts := take_apart(text)) is not None}
    spelling = _spelling(counts, written, prefers_comma)
    return [text for text, parts in written.items() if not _has_unit(parts, spelling)]


def _has_unit(written: WrittenNumber, spelling: NumberSpelling) -> bool:
    """Whether a number has the unit and the currency of its column, or lacks them."""
    is_priced = written.prefix == "" or is_same_unit(written.prefix, spelling.prefix)
    return is_priced and _exponent(written.suffix, spelling) is not None


def _spelling(counts: Mapping[str, int], written: Mapping[str, WrittenNumber], prefers_comma: bool) -> NumberSpelling:
    """The spelling with which most of the numbers can be read."""
    prefixes, suffixes, shapes = Counter[str](), Counter[str](), Counter[str]()
    for text, parts in written.items():
        prefixes[parts.prefix] += counts[text]
        suffixes[parts.suffix] += counts[text]
        shapes[_shape(parts.number)] += counts[text]
    spelling = NumberSpelling(*_grouping(shapes, prefers_comma), _commonest(prefixes), marks=_marks(counts, written))
    if _are_factors(suffixes):
        return msgspec.structs.replace(spelling, has_factors=True)
    if _are_flags(suffixes):
        return msgspec.structs.replace(spelling, marks=(*spelling.marks, *filter(None, suffixes)))
    return msgspec.structs.replace(spelling, suffix=_commonest(suffixes))


def _shape(number: str) -> str:
    """The number with 1 for a first digit other than 0, and with 0 for each other digit."""
    return re.sub("[1-9]", "1", number[0]) + re.sub("[0-9]", "0", number[1:])


def _marks(counts: Mapping[str, int], written: Mapping[str, WrittenNumber]) -> tuple[str, ...]:
    """The marks that are ignored. If most cells are limits, they are classes, and limits are not ignored."""
    cells = Counter[str]()
    for text, parts in written.items():
        cells.update(dict.fromkeys(parts.marks, counts[text]))
    are_classes = 2 * sum(cells[mark] for mark in LIMITS) > sum(counts[text] for text in written)
    return tuple(mark for mark in cells if not (are_classes and mark in LIMITS))


def _commonest(affixes: Counter[str]) -> str:
    """The most common prefix or suffix, in its most common case."""
    totals = {
        name: sum(affixes[other] for other in affixes if other and is_same_unit(name, other))
        for name, _ in affixes.most_common(20)
        if name
    }
    return max(totals, key=lambda name: (totals[name], affixes[name]), default="")


def _are_factors(suffixes: Iterable[str]) -> bool:
    """Whether suffixes such as K and M multiply the numbers: there are several, or some numbers have none."""
    named = set(filter(None, suffixes))
    if not named or not all(suffix.casefold() in FACTORS for suffix in named):
        return False
    is_several = len({FACTORS[suffix.casefold()] for suffix in named}) > 1
    return is_several or ("" in suffixes and named <= set(SURE_FACTORS))


def _are_flags(suffixes: Counter[str]) -> bool:
    """Whether suffixes are flags: several different letters, after at most half of the numbers."""
    named = set(filter(None, suffixes))
    return len(named) > 1 and named <= _FLAGS and 2 * suffixes[""] >= suffixes.total()


def _are_shares(
    counts: Mapping[str, int],
    written: Mapping[str, WrittenNumber],
    numbers: Mapping[str, float],
    spelling: NumberSpelling,
) -> bool:
    """Whether the numbers beside percents are shares."""
    if spelling.suffix != "%":
        return False
    plain = [text for text in numbers if not written[text].suffix]
    cells = sum(counts[text] for text in plain)
    are_many = 0 < cells >= MIN_SHARES * sum(counts[text] for text in numbers)
    return are_many and all(abs(numbers[text]) <= 1 for text in plain)


def _grouping(shapes: Mapping[str, int], prefers_comma: bool) -> tuple[str, str]:
    """The characters between thousands and before decimals with which most cells can be read.

    Args:
        shapes: how many cells have each number, as in `_shape`.
        prefers_comma: as in `infer_spelling`.
    """
    scores = {
        pair: sum(count for shape, count in shapes.items() if pattern.fullmatch(shape))
        for pair, pattern in NUMBERS.items()
    }
    most = max(scores.values())
    fitting = [pair for pair, score in scores.items() if score == most]
    if ("", ".") not in fitting and {(",", "."), ("", ",")} <= set(fitting):
        return ("", ",") if prefers_comma else (",", ".")
    are_thousands = (".", ",") in fitting and any("." in shape for shape in shapes)
    return (".", ",") if prefers_comma and are_thousands else fitting[0]
