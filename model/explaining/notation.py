"""How an expression is written: which digits its numbers have, and where brackets stand.

What is decided here is drawn as text by `model.explaining.arithmetic`, and as MathML by `model.explaining.mathml`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from model.explaining.equations import Equation
from model.explaining.expressions import ONE, Call, Expression, Negative, Number, Product, Quotient, Sum, evaluate
from model.explaining.marks import (
    MINUS,
    PLUS,
    PREFIX_MINUS,
    TIMES,
    Brackets,
    Digits,
    Fraction,
    Group,
    Name,
    Notation,
    Power,
    Row,
    Square,
)
from model.explaining.precision import (
    DIGITS,
    MAX_DECIMALS,
    MAX_WHOLE_DIGITS,
    USUAL,
    Precision,
    change_precision,
    power_of_ten,
    sum_precision,
)

# How strongly the parts of an expression hold together.
SUM, PRODUCT, ATOM = range(3)

Write = Callable[[Number, Precision], Notation]


def digits_of(value: float, precision: Precision = USUAL) -> Digits:
    """A number, without digits that float32 does not have.

    Args:
        value: any number.
        precision: how exactly it is written. A number that needs fewer decimals gets no zeros.

    Returns:
        Its sign and digits, with a power of ten if it is very small or large.

    Example:
        >>> digits_of(-3.17134)
        Digits(is_negative=True, size='3.171', power=None)
    """
    if math.isnan(value):
        return Digits(False, "NaN")
    is_negative, size = value < 0, abs(value)
    if math.isinf(size):
        return Digits(is_negative, "∞")
    if size == 0:
        return Digits(False, "0")
    power = power_of_ten(size)
    decimals = max(precision.digits - 1 - power if precision.decimals is None else precision.decimals, 0)
    if DIGITS - 1 - power <= MAX_DECIMALS:  # a smaller one in a sum is hardly more than 0 beside the others
        decimals = max(decimals, DIGITS - 1 - power)
    if power < MAX_WHOLE_DIGITS:
        # The fewest digits that tell it from all other numbers of float32, such as those of 0.01.
        shortest = np.format_float_positional(np.float32(size), trim="-")
        if len(shortest.partition(".")[2]) <= min(decimals, MAX_DECIMALS):
            return Digits(is_negative, shortest)
        if decimals <= MAX_DECIMALS:
            return Digits(is_negative, f"{size:.{decimals}f}")
    mantissa, _, exponent = f"{size:.{precision.digits - 1}e}".partition("e")
    return Digits(is_negative, mantissa, int(exponent))


def in_symbols(expression: Expression) -> Notation:
    """An expression with the symbols of its numbers. A number without a symbol is written as it is.

    Args:
        expression: any.

    Returns:
        How it is written.
    """
    return _lay_out(expression, _write_symbol, USUAL)[0]


def _write_symbol(number: Number, precision: Precision) -> Notation:
    if not number.symbol:
        return digits_of(number.value, precision)
    return Name("…" if number.symbol.endswith(" more") else number.symbol)


def in_numbers(expression: Expression, precision: Precision = USUAL) -> Notation:
    """An expression with its numbers. A sum has so many digits that its result has some, even if its terms cancel.

    Args:
        expression: any.
        precision: of its numbers.

    Returns:
        How it is written.
    """
    return _lay_out(expression, _write_value, precision)[0]


def _write_value(number: Number, precision: Precision) -> Notation:
    digits = digits_of(number.value, precision)
    return Row((Name(f"[{number.symbol}: "), digits, Name("]"))) if number.symbol.endswith(" more") else digits


def numbers_of(equation: Equation) -> tuple[Notation, Digits]:
    """An equation with its numbers.

    Args:
        equation: any.

    Returns:
        What it is made of, and the result. If the former is a sum, both have the same decimals.
    """
    expression = equation.expression
    if not isinstance(expression, Sum):
        return in_numbers(expression), digits_of(equation.result)
    precision = sum_precision(expression.terms, DIGITS)
    if equation.kind == "update":  # the step is to be seen, but is not written more exactly
        before, change = map(evaluate, expression.terms)
        precision = change_precision(before, change)
    return _lay_out_sum(expression.terms, _write_value, precision, True), digits_of(equation.result, precision)


def left_side(equation: Equation) -> Name:
    """What an equation computes.

    Args:
        equation: any.

    Returns:
        What stands on its left side.

    Example:
        >>> left_side(Equation("0.bias[0]", "gradient", Number(1.0, "δ1"), 1.0)).text
        'gradient of 0.bias[0]'
    """
    words = {"gradient": "gradient of ", "update": "new "}
    return Name(words.get(equation.kind, "") + equation.of)


def _lay_out(expression: Expression, write: Write, precision: Precision, at_start: bool = True) -> tuple[Notation, int]:
    """How an expression is written, and how strongly it holds together. at_start: whether nothing stands before it."""
    match expression:
        case Number():
            written = write(expression, precision)
            if not isinstance(written, Digits):
                return written, ATOM
            if written.is_negative and not at_start:
                return Brackets(written), ATOM
            return written, PRODUCT if written.is_negative or written.power is not None else ATOM
        case Negative(of=of):
            negative = Row((PREFIX_MINUS, _part(of, PRODUCT, write, precision)))
            return (negative, PRODUCT) if at_start else (Brackets(negative), ATOM)
        case Product(factors=factors):
            parts: list[Notation] = [_part(factors[0], PRODUCT, write, precision, at_start)]
            for factor in factors[1:]:
                parts += [TIMES, _part(factor, PRODUCT, write, precision)]
            return Row(tuple(parts)), PRODUCT
        case Quotient(numerator=numerator, denominator=denominator):
            above = _part(numerator, PRODUCT, write, precision, at_start, Group)
            return Fraction(above, _part(denominator, ATOM, write, precision, brackets=Group)), PRODUCT
        case Call(function="exp", argument=argument):
            return Power(_part(argument, ATOM, write, precision, True, Group)), ATOM
        case Call(function="square", argument=argument):
            return Square(_part(argument, ATOM, write, precision)), ATOM
        case Call(function="log", argument=argument):  # of a number near 1, the distance from 1 counts
            terms = argument.terms if isinstance(argument, Sum) else (argument,)
            needed = sum_precision((*terms, Negative(ONE)), precision.digits)
            return Row((Name("log"), Brackets(_lay_out_sum(terms, write, needed, True)))), ATOM
        case Call(function=function, argument=argument):
            written = _lay_out(argument, write, Precision(precision.digits))[0]
            return Row((Name(function), Brackets(written))), ATOM
        case Sum(terms=terms):
            return _lay_out_sum(terms, write, sum_precision(terms, precision.digits), at_start), SUM


def _part(
    inner: Expression,
    strength: int,
    write: Write,
    precision: Precision,
    at_start: bool = False,
    brackets: type[Brackets | Group] = Brackets,
) -> Notation:
    """A part of an expression, in brackets if it holds together less strongly than it must."""
    written, found = _lay_out(inner, write, Precision(precision.digits), at_start)
    return written if found >= strength else brackets(written)


def _lay_out_sum(terms: Sequence[Expression], write: Write, precision: Precision, at_start: bool) -> Notation:
    parts: list[Notation] = []
    for index, term in enumerate(terms):
        sign, own = PLUS, term
        if index and isinstance(term, Negative):
            sign, own = MINUS, term.of
        written, strength = _lay_out(own, write, precision, at_start and not index)
        if strength == SUM:
            written = Brackets(written)
        match written:
            case Brackets(of=Digits(is_negative=True) as digits) if index and sign == PLUS:
                sign, written = MINUS, digits._replace(is_negative=False)
        parts += [sign, written] if index else [written]
    return Row(tuple(parts))
