"""A reader of printed arithmetic: a number stands for all numbers that are rounded to it."""

import math
import re
from typing import NamedTuple

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?(?:·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?)|\[\d+ more: |([a-z]+(?=\())|e\^|.)")
_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


class Interval(NamedTuple):
    """All numbers from one to another."""

    low: float
    high: float

    def __neg__(self) -> "Interval":
        return Interval(-self.high, -self.low)

    def plus(self, other: "Interval") -> "Interval":
        return Interval(self.low + other.low, self.high + other.high)

    def times(self, other: "Interval") -> "Interval":
        ends = [one * another for one in self for another in other]
        return Interval(min(ends), max(ends))

    def divided_by(self, other: "Interval") -> "Interval":
        assert other.low > 0
        return self.times(Interval(1 / other.high, 1 / other.low))

    def squared(self) -> "Interval":
        ends = sorted([self.low**2, self.high**2])
        return Interval(0.0 if self.low < 0 < self.high else ends[0], ends[1])


def _gelu(x: float) -> float:
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf


MONOTONE = {
    "log": _log,
    "exp": _exp,
    "relu": lambda x: max(x, 0.0),
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + _exp(-x)),
}


def called(name: str, argument: Interval) -> Interval:
    """A function of an interval."""
    if name == "gelu":  # it falls up to about -0.75, and rises from there
        ends = [_gelu(argument.low), _gelu(argument.high)]
        lowest = _gelu(-0.751791) if argument.low < -0.751791 < argument.high else min(ends)
        return Interval(lowest, max(ends))
    return Interval(MONOTONE[name](argument.low), MONOTONE[name](argument.high))


def rounded_number(text: str, is_factor: bool) -> Interval:
    """The numbers of which a text is the rounded one.

    A factor with fewer than four digits is exact, and so is a short text without a point. A term of a sum may have
    fewer, because all terms have the same decimals.
    """
    digits, _, exponent = text.partition("·10")
    power = int(exponent.translate(_DIGITS)) if exponent else 0
    decimals = len(digits.partition(".")[2])
    half = 0.5 * 10.0 ** (power - decimals)
    value = float(digits) * 10.0**power
    has_four_digits = len(digits.replace(".", "").lstrip("0")) >= 4
    is_rounded = has_four_digits or ("." in digits and not is_factor)
    return Interval(value - half, value + half) if is_rounded else Interval(value, value)


class Reader:
    """Reads one expression: + and −, then · and /, then signs, powers of e, functions, brackets and squares."""

    def __init__(self, text: str) -> None:
        self.tokens = [match.group().strip() for match in _TOKEN.finditer(text) if match.group().strip()]
        self.place = 0

    @property
    def next(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self) -> str:
        self.place += 1
        return self.tokens[self.place - 1]

    def sum(self) -> Interval:
        total = self.product()
        while self.next in ("+", "−"):
            sign = self.take()
            term = self.product()
            total = total.plus(term if sign == "+" else -term)
        return total

    def product(self) -> Interval:
        start = self.place
        result = self.factor()
        if self.next == "·":
            self.place = start
            result = self.factor(is_factor=True)
        while self.next in ("·", "/"):
            if self.take() == "·":
                result = result.times(self.factor(is_factor=True))
            else:
                result = result.divided_by(self.factor())
        return result

    def factor(self, is_factor: bool = False) -> Interval:
        if self.next == "−":
            self.take()
            return -self.factor(is_factor)
        token = self.take()
        if token == "e^":
            return called("exp", self.factor())
        if token == "(" and self.tokens[self.place] == "−" and self.tokens[self.place + 2] == ")":
            self.take()
            result = -self.factor(is_factor)
            assert self.take() == ")"
        elif token == "(" or token.startswith("["):
            result = self.sum()
            assert self.take() in (")", "]")
        elif token[0].isdigit():
            result = rounded_number(token, is_factor)
        else:
            assert self.take() == "("
            result = called(token, self.sum())
            assert self.take() == ")"
        if self.next == "²":
            self.take()
            return result.squared()
        return result


def read_arithmetic(text: str) -> Interval:
    """The numbers that a printed expression may have as its value."""
    reader = Reader(text)
    result = reader.sum()
    assert reader.next == "", text
    return result
