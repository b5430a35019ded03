"""What is wrong with a rule: a row of the report, and a diagnosis."""

from __future__ import annotations

from typing import NamedTuple

from model.checking.error_patterns import Diagnosis
from model.checking.findings import SIZE_FLOOR, Derivative
from model.checking.verdicts import Verdict


class RuleFault(NamedTuple):
    """One thing that is wrong.

    Attributes:
        row: the numbers.
        diagnosis: the same in words.
    """

    row: Derivative
    diagnosis: Diagnosis


def fault_row(name: str, method: str, expected: float, found: float, order: int) -> Derivative:
    """The row of a number that is not what it should be.

    Args:
        name: of the row.
        method: grad or jvp.
        expected: what the number should be.
        found: the number.
        order: 1 or 2.

    Returns:
        The row.

    Example:
        >>> fault_row("softplus, value", "grad", 1.0, 3.0, 1).relative_error
        0.6666666666666666
    """
    return Derivative(
        name=name,
        nudge=expected,
        error=0.0,
        jvp=found if method == "jvp" else None,
        by_hand=None,
        grad=found if method == "grad" else None,
        verdict=Verdict.WRONG,
        wrong=(method,),
        relative_error=abs(found - expected) / max(abs(expected), abs(found), SIZE_FLOOR),
        order=order,
    )
