"""Arithmetic as data: the numbers that a result is made of, and how."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec
import numpy as np

from model.activations import ACTIVATIONS

# The functions that an expression may call.
FunctionName = Literal["exp", "log", "square", "relu", "tanh", "sigmoid", "gelu"]


class Number(msgspec.Struct, frozen=True, tag="number"):
    """A number that is known.

    Attributes:
        value: the number.
        symbol: what it is called; empty for a constant.
    """

    value: float
    symbol: str = ""


class Negative(msgspec.Struct, frozen=True, tag="negative"):
    """The negative of an expression.

    Attributes:
        of: the expression.
    """

    of: Expression


class Sum(msgspec.Struct, frozen=True, tag="sum"):
    """A sum.

    Attributes:
        terms: what is added, at least one.
    """

    terms: tuple[Expression, ...]


class Product(msgspec.Struct, frozen=True, tag="product"):
    """A product.

    Attributes:
        factors: what is multiplied, at least one.
    """

    factors: tuple[Expression, ...]


class Quotient(msgspec.Struct, frozen=True, tag="quotient"):
    """A quotient.

    Attributes:
        numerator: what is divided.
        denominator: by what.
    """

    numerator: Expression
    denominator: Expression


class Call(msgspec.Struct, frozen=True, tag="call"):
    """A function of an expression.

    Attributes:
        function: its name.
        argument: the expression.
    """

    function: FunctionName
    argument: Expression


Expression = Number | Negative | Sum | Product | Quotient | Call

ZERO, ONE = Number(0.0), Number(1.0)

FUNCTIONS: dict[str, Callable[[Any], Any]] = {"exp": np.exp, "log": np.log, "square": np.square, **ACTIVATIONS}


def evaluate(expression: Expression) -> float:
    """The value of an expression, in float64. Nothing is raised: an impossible division or logarithm gives ∞ or NaN.

    Args:
        expression: any.

    Returns:
        The number.

    Example:
        >>> evaluate(Sum((Product((Number(2.0), Number(3.0))), Negative(ONE))))
        5.0
    """
    match expression:
        case Number(value=value):
            return value
        case Negative(of=of):
            return -evaluate(of)
        case Sum(terms=terms):
            return sum(map(evaluate, terms))
        case Product(factors=factors):
            return math.prod(map(evaluate, factors))
        case Quotient(numerator=numerator, denominator=denominator):
            divisor = evaluate(denominator)
            return evaluate(numerator) / divisor if divisor else math.nan
        case Call(function=function, argument=argument):
            with np.errstate(all="ignore"):
                return float(FUNCTIONS[function](np.array([evaluate(argument)]))[0])


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions of which one is made.

    Args:
        expression: any.

    Returns:
        The parts in order; none of a number.

    Example:
        >>> children(Quotient(ZERO, ONE)) == (ZERO, ONE)
        True
    """
    match expression:
        case Number():
            return ()
        case Negative(of=of):
            return (of,)
        case Sum(terms=parts) | Product(factors=parts):
            return parts
        case Quotient(numerator=numerator, denominator=denominator):
            return numerator, denominator
        case Call(argument=argument):
            return (argument,)


def numbers_in(expression: Expression) -> Iterator[Number]:
    """The numbers of which an expression is made.

    Args:
        expression: any.

    Yields:
        Each number, from the left to the right.

    Example:
        >>> [number.value for number in numbers_in(Sum((ONE, Negative(ZERO))))]
        [1.0, 0.0]
    """
    if isinstance(expression, Number):
        yield expression
    for part in children(expression):
        yield from numbers_in(part)


def shorten(expression: Expression, max_terms: int) -> Expression:
    """An expression whose long sums have few terms and the same value.

    Args:
        expression: any.
        max_terms: the number of terms above which a sum is shortened, at least 3. The last term stays, and of the
            others those of the largest size.

    Returns:
        The expression with a number that is called `12 more` instead of the other 12 terms.

    Example:
        >>> shorten(Sum(tuple(Number(float(value)) for value in (5, 1, 2, 9, 1))), 3)
        Sum(terms=(Number(value=9.0, symbol=''), Number(value=8.0, symbol='3 more'), Number(value=1.0, symbol='')))
    """
    match expression:
        case Number():
            return expression
        case Negative(of=of):
            return Negative(shorten(of, max_terms))
        case Product(factors=factors):
            return Product(tuple(shorten(factor, max_terms) for factor in factors))
        case Quotient(numerator=numerator, denominator=denominator):
            return Quotient(shorten(numerator, max_terms), shorten(denominator, max_terms))
        case Call(function=function, argument=argument):
            return Call(function, shorten(argument, max_terms))
        case Sum(terms=terms):
            return Sum(_shorten_terms(tuple(shorten(term, max_terms) for term in terms), max_terms))


def _shorten_terms(terms: tuple[Expression, ...], max_terms: int) -> tuple[Expression, ...]:
    if len(terms) <= max_terms:
        return terms
    *others, last = terms
    by_size = sorted(range(len(others)), key=lambda index: -abs(evaluate(others[index])))
    kept = sorted(by_size[: max_terms - 2])
    rest = [evaluate(others[index]) for index in by_size[max_terms - 2 :]]
    return (*(others[index] for index in kept), Number(sum(rest), f"{len(rest)} more"), last)
