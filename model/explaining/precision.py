"""How exactly numbers are written: with few digits, and with more where a reader could not see the result otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from model.explaining.expressions import Expression, evaluate

# Significant digits of a number, and of one that float32 holds.
DIGITS, FLOAT32_DIGITS = 4, 8
# Significant digits of a step that is small beside its parameter.
STEP_DIGITS = 2
# In a sum, a small number beside large ones keeps this many decimals, so that it does not look like a whole number.
MIN_DECIMALS = 1
# Numbers with more decimals, or with more digits before the point, are written with a power of ten.
MAX_DECIMALS, MAX_WHOLE_DIGITS = 8, 6


class Precision(NamedTuple):
    """How exactly numbers are written.

    Attributes:
        digits: the significant digits.
        decimals: those of numbers that are terms of a sum; None for others.
    """

    digits: int = DIGITS
    decimals: int | None = None


USUAL = Precision()


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


def sum_precision(terms: Sequence[Expression], digits: int) -> Precision:
    """How exactly the terms of a sum are written: so that the largest has the digits, and the result too.

    Args:
        terms: of the sum.
        digits: the significant digits.

    Returns:
        The decimals of all terms, and the digits of the factors in them; no decimals if a term is not finite.

    Example:
        >>> from model.explaining.expressions import Number
        >>> sum_precision((Number(3.1714), Number(-3.1711)), 4)
        Precision(digits=8, decimals=7)
    """
    values = [evaluate(term) for term in terms]
    goal = sum(values)
    largest = max(map(abs, values))
    if not math.isfinite(largest + goal) or largest == 0:
        return Precision(digits)
    usual = max(digits - 1 - power_of_ten(largest), MIN_DECIMALS)
    wanted = usual if goal == 0 else digits - 1 - power_of_ten(goal)
    more = max(min(wanted - usual, FLOAT32_DIGITS - digits, MAX_DECIMALS - usual), 0)
    return Precision(digits + more, usual + more)


def change_precision(before: float, change: float) -> Precision:
    """How exactly a number is written before and after a small change, so that the change is seen.

    Args:
        before: the number.
        change: what is added to it.

    Returns:
        The usual digits, and the decimals; no decimals if all is 0, or not finite.

    Example:
        >>> change_precision(4.2922634, 0.000015).decimals, change_precision(4.2922634, 0.0).decimals
        (6, 3)
    """
    largest = max(abs(before), abs(change))
    if not math.isfinite(before + change) or largest == 0:
        return USUAL
    usual = max(DIGITS - 1 - power_of_ten(largest), MIN_DECIMALS)
    wanted = STEP_DIGITS - 1 - power_of_ten(change) if change else usual
    return Precision(DIGITS, max(min(wanted, usual + FLOAT32_DIGITS - DIGITS, MAX_DECIMALS), usual))
