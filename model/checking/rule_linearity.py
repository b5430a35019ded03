"""Forward mode must be linear in the tangent, and reverse mode in the cotangent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from model.checking.error_patterns import Diagnosis
from model.checking.exposed_function import ExposedFunction
from model.checking.rule_faults import RuleFault, fault_row
from model.checking.rule_program import Deviation, RuleProgramResults


def linearity_faults(
    exposed: ExposedFunction, results: RuleProgramResults, factors: Sequence[float], order: int
) -> Iterator[RuleFault]:
    """Yield, for each mode, the first derivative that does not grow with its tangent or cotangent.

    Args:
        exposed: the function and its rules.
        results: of the program.
        factors: of the tangents and cotangents.
        order: 1 or 2, for the rows.

    Yields:
        The faults.
    """
    for index in exposed.by_rules_first if results.forward_linearity else ():
        assert results.forward_linearity is not None
        deviations = [(each[index], factor) for each, factor in zip(results.forward_linearity, factors, strict=True)]
        worst, factor = max(deviations, key=lambda pair: float(pair[0].excess))
        if worst.excess > 0:
            yield _linearity_fault("jvp", exposed.name(index), factor, worst, "", order)
            break
    for group in exposed.groups_by_rules_first if results.reverse_linearity else ():
        assert results.reverse_linearity is not None
        worst, factor, leaf = _worst_in_group(results.reverse_linearity, group, factors)
        if worst.excess > 0:
            place = f" at {exposed.entry_name(leaf, int(worst.position))}"
            yield _linearity_fault("grad", exposed.groups[group], factor, worst, place, order)
            break


def _worst_in_group(
    linearity: list[list[Deviation]], group: int, factors: Sequence[float]
) -> tuple[Deviation, float, int]:
    candidates = [
        (Deviation(*(np.asarray(part)[group] for part in deviation)), factor, leaf)
        for deviations, factor in zip(linearity, factors, strict=True)
        for leaf, deviation in enumerate(deviations)
    ]
    return max(candidates, key=lambda candidate: float(candidate[0].excess))


def _linearity_fault(method: str, name: str, factor: float, worst: Deviation, place: str, order: int) -> RuleFault:
    expected, found = float(worst.expected) * factor, float(worst.found) * factor
    subject, what = ("backward pass", "cotangent") if method == "grad" else ("jvp", "tangent")
    sentence = (
        f"the {subject} of {name} is not linear in its {what}: with {factor:g} times the {what} it gives "
        f"{found:.6g} instead of {expected:.6g}{place}{_known_form(float(worst.expected), found, factor, what)}."
    )
    row = fault_row(f"{name}, {what} × {factor:g}", method, expected, found, order)
    return RuleFault(row, Diagnosis(what, method, name, sentence))


def _known_form(base: float, found: float, factor: float, what: str) -> str:
    """What a rule that is not linear may do, as far as one number tells it."""
    forms = {
        f"it ignores the {what}": base,
        f"it squares the {what}": base * factor**2,
        f"it takes the absolute value of the {what}": base * abs(factor),
    }
    return next((f"; {form}" for form, value in forms.items() if np.isclose(found, value, rtol=1e-6, atol=0.0)), "")
