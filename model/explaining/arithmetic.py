"""Expressions as text: with their numbers plugged in, or with their symbols."""

from __future__ import annotations

from model.explaining.equations import Equation
from model.explaining.expressions import Expression
from model.explaining.marks import Brackets, Digits, Fraction, Group, Name, Notation, Power, Row, Sign, Square
from model.explaining.notation import digits_of, in_numbers, in_symbols, numbers_of
from model.explaining.precision import USUAL, Precision, change_precision

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_text(value: float, precision: Precision = USUAL) -> str:
    """A number as text, without digits that float32 does not have.

    Args:
        value: any number.
        precision: how exactly it is written. A number that needs fewer decimals gets no zeros.

    Returns:
        The text, with a true minus sign, and with a power of ten if it is very small or large.

    Example:
        >>> import math
        >>> [number_text(value) for value in (0.0, -3.17134, 0.25, 1.0, -4.1234e-9, math.nan)]
        ['0', '−3.171', '0.25', '1', '−4.123·10⁻⁹', 'NaN']
        >>> number_text(-4.1234e-9, Precision(decimals=3))
        '−0.000'
    """
    return text_of(digits_of(value, precision))


def formula(expression: Expression) -> str:
    """An expression in symbols.

    Args:
        expression: any.

    Returns:
        Its text. A number without a symbol is written as it is.

    Example:
        >>> from model.explaining.expressions import Number, Product
        >>> formula(Product((Number(0.5, "δ1"), Number(2.0, "a"))))
        'δ1·a'
    """
    return text_of(in_symbols(expression))


def arithmetic(expression: Expression, precision: Precision = USUAL) -> str:
    """An expression with its numbers.

    A sum has so many digits that its result has some, even if its terms nearly cancel.

    Args:
        expression: any.
        precision: of its numbers.

    Returns:
        Its text.

    Example:
        >>> from model.explaining.expressions import Number, Product, Sum
        >>> print(arithmetic(Sum((Product((Number(1.0), Number(-3.17134))), Number(-4e-9)))))
        1·(−3.171) − 0.000
    """
    return text_of(in_numbers(expression, precision))


def equation_parts(equation: Equation) -> tuple[str, str]:
    """An equation with its numbers.

    Args:
        equation: any.

    Returns:
        The text of what it is made of, and that of the result. If the former is a sum, both have the same decimals.

    Example:
        >>> from model.explaining.expressions import Number, Sum
        >>> equation_parts(Equation("z1", "preactivation", Sum((Number(2.0), Number(-0.5))), 1.5))
        ('2 − 0.5', '1.5')
    """
    parts, result = numbers_of(equation)
    return text_of(parts), text_of(result)


def change_texts(before: float, after: float) -> tuple[str, str]:
    """A number before and after a step, so exactly that a change is seen.

    Args:
        before: the number before.
        after: and after.

    Returns:
        Both texts.

    Example:
        >>> change_texts(4.2922634, 4.2922784)
        ('4.292263', '4.292278')
    """
    precision = change_precision(before, after - before)
    return number_text(before, precision), number_text(after, precision)


def text_of(notation: Notation) -> str:
    """Something written, in one line of text.

    Args:
        notation: how it is written.

    Returns:
        The text.

    Example:
        >>> text_of(Fraction(Name("δ1"), Group(Digits(True, "2", -7))))
        'δ1 / (−2·10⁻⁷)'
    """
    match notation:
        case Digits(is_negative, size, power):
            exponent = "" if power is None else f"·10{str(power).translate(_SUPERSCRIPTS)}"
            return ("−" if is_negative else "") + size + exponent
        case Name(text):
            return text
        case Sign(text, is_between):
            return f" {text} " if is_between and text != "·" else text
        case Row(parts):
            return "".join(map(text_of, parts))
        case Brackets(of) | Group(of):
            return f"({text_of(of)})"
        case Square(of):
            return f"{text_of(of)}²"
        case Power(exponent):
            return f"e^{text_of(exponent)}"
        case Fraction(above, below):
            return f"{text_of(above)} / {text_of(below)}"
