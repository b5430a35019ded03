"""Numbers as a report shows them: with as many digits as a reader can use."""

from __future__ import annotations

import math

DIGITS = 3
# Beyond these powers of ten, a number is written with an exponent.
SMALLEST_POWER, LARGEST_POWER = -5, 12
# These metrics have no unit, and so always the same number of decimals.
WITHOUT_UNIT_DECIMALS = 3


def number_text(value: float, digits: int = DIGITS) -> str:
    """A number with few significant digits; whole digits are never rounded away.

    Args:
        value: any number.
        digits: how many significant digits it has at least, from 1.

    Returns:
        The text, with a true minus sign.

    Example:
        >>> [number_text(value) for value in (0.0, 1234.5, -0.12345, 12.0, 1.5e-9)]
        ['0', '1,234', '−0.123', '12.0', '1.5e-09']
    """
    if not math.isfinite(value):
        return "—"
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)))
    if not SMALLEST_POWER <= power < LARGEST_POWER:
        return _with_minus(f"{value:.{digits}g}")
    return fixed_text(value, max(0, digits - 1 - power))


def fixed_text(value: float, decimals: int) -> str:
    """A number with a fixed number of decimals.

    Args:
        value: any finite number.
        decimals: how many, from 0.

    Returns:
        The text, with commas between thousands and a true minus sign.

    Example:
        >>> fixed_text(-1234.567, 1)
        '−1,234.6'
    """
    return _with_minus(f"{value:,.{decimals}f}")


def percent_text(share: float) -> str:
    """A share in percent.

    Args:
        share: from 0 to 1.

    Returns:
        Whole percents; with a decimal below 10 % and above 90 %.

    Example:
        >>> percent_text(0.256), percent_text(0.0316), percent_text(0.0)
        ('26 %', '3.2 %', '0 %')
    """
    percent = 100 * share
    return f"{percent:.1f} %" if 0 < percent < 10 or 90 < percent < 100 else f"{percent:.0f} %"


def metric_decimals(error: float | None) -> int:
    """How many decimals the metrics of a checkpoint have.

    Args:
        error: the RMSE, of which three digits are shown; None if there is none.

    Returns:
        The number, from 0.

    Example:
        >>> metric_decimals(123.4), metric_decimals(0.5), metric_decimals(None)
        (0, 3, 3)
    """
    if not error or not math.isfinite(error):
        return WITHOUT_UNIT_DECIMALS
    return max(0, DIGITS - 1 - math.floor(math.log10(error)))


def _with_minus(text: str) -> str:
    return text.replace("-", "−", 1) if text.startswith("-") else text
