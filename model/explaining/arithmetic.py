"""Expressions as text: with their numbers plugged in, or with their symbols."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from model.explaining.equations import Equation
from model.explaining.expressions import ONE, Call, Expression, Negative, Number, Product, Quotient, Sum, evaluate

# Significant digits of a number, and of one that float32 holds.
DIGITS, FLOAT32_DIGITS = 4, 8
# Significant digits of a step that is small beside its parameter.
STEP_DIGITS = 2
# Numbers with more decimals, or with more digits before the point, are written with a power of ten.
MAX_DECIMALS, MAX_WHOLE_DIGITS = 8, 6
# How strongly the parts of an expression hold together.
SUM, PRODUCT, ATOM = range(3)

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Precision(NamedTuple):
    """How exactly numbers are written.

    Attributes:
        digits: the significant digits.
        decimals: those of numbers that are terms of a sum; None for others.
    """

    digits: int = DIGITS
    decimals: int | None = None


Write = Callable[[Number, Precision], str]


def number_text(value: float, precision: Precision = Precision()) -> str:  # noqa: B008 - it is frozen
    """A number as text, without digits that float32 does not have.

    Args:
        value: any number.
        precision: how exactly it is written. A number that needs fewer decimals gets no zeros.

    Returns:
        The text, with a true minus sign, and with a power of ten if it is very small or large.

    Example:
        >>> [number_text(value) for value in (0.0, -3.17134, 0.25, 1.0, -4.1234e-9, math.nan)]
        ['0', '−3.171', '0.25', '1', '−4.123·10⁻⁹', 'NaN']
        >>> number_text(-4.1234e-9, Precision(decimals=3))
        '−0.000'
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    power = power_of_ten(value)
    decimals = max(precision.digits - 1 - power if precision.decimals is None else precision.decimals, 0)
    if power < MAX_WHOLE_DIGITS:
        # The fewest digits that tell it from all other numbers of float32, such as those of 0.01.
        shortest = np.format_float_positional(np.float32(value), trim="-")
        if len(shortest.partition(".")[2]) <= min(decimals, MAX_DECIMALS):
            return shortest.replace("-", "−")
        if decimals <= MAX_DECIMALS:
            return f"{value:.{decimals}f}".replace("-", "−")
    mantissa, _, exponent = f"{value:.{precision.digits - 1}e}".partition("e")
    return f"{mantissa}·10{str(int(exponent)).translate(_SUPERSCRIPTS)}".replace("-", "−")


def power_of_ten(value: float) -> int:
    """The power of ten of the first digit of a number.

    Args:
        value: a finite number that is not 0.

    Returns:
        The power.

    Example:
        >>> power_of_ten(-314.0), power_of_ten(0.05)
        (2, -2)
    """
    return math.floor(math.log10(abs(value)))


def formula(expression: Expression) -> str:
    """An expression in symbols.

    Args:
        expression: any.

    Returns:
        Its text. A number without a symbol is written as it is.

    Example:
        >>> formula(Product((Number(0.5, "δ1"), Number(2.0, "a"))))
        'δ1·a'
    """

    def write(number: Number, precision: Precision) -> str:
        return "…" if number.symbol.endswith(" more") else number.symbol or number_text(number.value, precision)

    return _render(expression, write, Precision())[0]


def arithmetic(expression: Expression, precision: Precision = Precision()) -> str:  # noqa: B008 - it is frozen
    """An expression with its numbers.

    A sum has so many digits that its result has some, even if its terms nearly cancel.

    Args:
        expression: any.
        precision: of its numbers.

    Returns:
        Its text.

    Example:
        >>> print(arithmetic(Sum((Product((Number(1.0), Number(-3.17134))), Number(-4e-9)))))
        1·(−3.171) − 0.000
    """
    return _render(expression, _write_value, precision)[0]


def _write_value(number: Number, precision: Precision) -> str:
    text = number_text(number.value, precision)
    return f"[{number.symbol}: {text}]" if number.symbol.endswith(" more") else text


def sum_precision(terms: Sequence[Expression], digits: int, visible: float | None = None) -> Precision:
    """How exactly the terms of a sum are written: so that the largest has the digits, and the result too.

    Args:
        terms: of the sum.
        digits: the significant digits.
        visible: a number that must have these digits instead of the result.

    Returns:
        The decimals of all terms, and the digits of the factors in them; no decimals if a term is not finite.

    Example:
        >>> sum_precision((Number(3.1714), Number(-3.1711)), 4)
        Precision(digits=8, decimals=7)
    """
    values = [evaluate(term) for term in terms]
    goal = sum(values) if visible is None else visible
    largest = max(map(abs, values))
    if not math.isfinite(largest + goal) or largest == 0:
        return Precision(digits)
    usual = digits - 1 - power_of_ten(largest)
    wanted = usual if goal == 0 else digits - 1 - power_of_ten(goal)
    more = max(min(wanted - usual, FLOAT32_DIGITS - digits, MAX_DECIMALS - usual), 0)
    return Precision(digits + more, usual + more)


def equation_parts(equation: Equation) -> tuple[str, str]:
    """An equation with its numbers.

    Args:
        equation: any.

    Returns:
        The text of what it is made of, and that of the result. If the former is a sum, both have the same decimals.

    Example:
        >>> equation_parts(Equation("z1", "preactivation", Sum((Number(2.0), Number(-0.5))), 1.5))
        ('2 − 0.5', '1.5')
    """
    expression = equation.expression
    if not isinstance(expression, Sum):
        return arithmetic(expression), number_text(equation.result)
    precision = sum_precision(expression.terms, DIGITS)
    if equation.kind == "update":  # the step is to be seen, but is not written more exactly
        precision = Precision(DIGITS, change_decimals(*map(evaluate, expression.terms)))
    return _render_sum(expression.terms, _write_value, precision, True), number_text(equation.result, precision)


def change_decimals(before: float, change: float) -> int | None:
    """The decimals with which a number is written before and after a small change, so that the change is seen.

    Args:
        before: the number.
        change: what is added to it.

    Returns:
        The decimals; None if all is 0, or not finite.

    Example:
        >>> change_decimals(4.2922634, 0.000015), change_decimals(4.2922634, 0.0)
        (6, 3)
    """
    largest = max(abs(before), abs(change))
    if not math.isfinite(before + change) or largest == 0:
        return None
    usual = DIGITS - 1 - power_of_ten(largest)
    wanted = STEP_DIGITS - 1 - power_of_ten(change) if change else usual
    return max(min(wanted, usual + FLOAT32_DIGITS - DIGITS, MAX_DECIMALS), usual)


def _render(expression: Expression, write: Write, precision: Precision, at_start: bool = True) -> tuple[str, int]:
    """The text of an expression, and how strongly it holds together. at_start: whether nothing stands before it."""

    def part(inner: Expression, strength: int, starts: bool = False) -> str:
        text, found = _render(inner, write, Precision(precision.digits), starts)
        return text if found >= strength else f"({text})"

    match expression:
        case Number():
            text = write(expression, precision)
            is_open = text.startswith("−") and not at_start
            return (f"({text})", ATOM) if is_open else (text, PRODUCT if "·" in text or text[0] == "−" else ATOM)
        case Negative(of=of):
            text = "−" + part(of, PRODUCT)
            return (text, PRODUCT) if at_start else (f"({text})", ATOM)
        case Product(factors=factors):
            texts = [part(factor, PRODUCT, at_start and not index) for index, factor in enumerate(factors)]
            return "·".join(texts), PRODUCT
        case Quotient(numerator=numerator, denominator=denominator):
            return f"{part(numerator, PRODUCT, at_start)} / {part(denominator, ATOM)}", PRODUCT
        case Call(function="exp", argument=argument):
            return f"e^{part(argument, ATOM)}", ATOM
        case Call(function="square", argument=argument):
            return f"{part(argument, ATOM)}²", ATOM
        case Call(function="log", argument=argument):  # of a number near 1, the distance from 1 counts
            terms = argument.terms if isinstance(argument, Sum) else (argument,)
            needed = sum_precision((*terms, Negative(ONE)), precision.digits)
            return f"log({_render_sum(terms, write, needed, True)})", ATOM
        case Call(function=function, argument=argument):
            return f"{function}({_render(argument, write, Precision(precision.digits))[0]})", ATOM
        case Sum(terms=terms):
            return _render_sum(terms, write, sum_precision(terms, precision.digits), at_start), SUM


def _render_sum(terms: Sequence[Expression], write: Write, precision: Precision, at_start: bool) -> str:
    text = ""
    for index, term in enumerate(terms):
        sign, own = "+", term
        if index and isinstance(term, Negative):
            sign, own = "−", term.of
        written = _render(own, write, precision, at_start and not index)
        shown = f"({written[0]})" if written[1] == SUM else written[0]
        if index and sign == "+" and isinstance(term, Number) and shown.startswith("(−"):
            sign, shown = "−", shown[2:-1]
        text += f" {sign} {shown}" if index else shown
    return text
