"""What written expressions consist of: digits, names, signs, and how they stand beside and above each other."""

from __future__ import annotations

from typing import NamedTuple


class Digits(NamedTuple):
    """A number.

    Attributes:
        is_negative: whether a minus sign stands before it.
        size: its digits without a sign; NaN, or ∞.
        power: of ten, by which the digits are multiplied; None if there is none.
    """

    is_negative: bool
    size: str
    power: int | None = None


class Name(NamedTuple):
    """A symbol, a function, or a word.

    Attributes:
        text: how it is called.
    """

    text: str


class Sign(NamedTuple):
    """A sign.

    Attributes:
        text: the sign.
        is_between: whether it stands between two terms, and not before one.
    """

    text: str
    is_between: bool = True


class Row(NamedTuple):
    """Things that stand beside each other.

    Attributes:
        parts: from the left to the right.
    """

    parts: tuple[Notation, ...]


class Brackets(NamedTuple):
    """Something in brackets.

    Attributes:
        of: what stands in them.
    """

    of: Notation


class Group(NamedTuple):
    """Something that needs brackets if all stands in one line, and none if its place shows that it belongs together.

    Attributes:
        of: what stands in them.
    """

    of: Notation


class Square(NamedTuple):
    """The square of something.

    Attributes:
        of: what is multiplied with itself.
    """

    of: Notation


class Power(NamedTuple):
    """e to the power of something.

    Attributes:
        exponent: the power.
    """

    exponent: Notation


class Fraction(NamedTuple):
    """A fraction.

    Attributes:
        above: what is divided.
        below: by what.
    """

    above: Notation
    below: Notation


Notation = Digits | Name | Sign | Row | Brackets | Group | Square | Power | Fraction
EQUALS, TIMES, PLUS, MINUS, PREFIX_MINUS = Sign("="), Sign("·"), Sign("+"), Sign("−"), Sign("−", is_between=False)
