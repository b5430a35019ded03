"""A rule's forward pass must return what the function returns."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np

from model.checking.error_patterns import Diagnosis
from model.checking.exposed_function import ExposedFunction
from model.checking.rounding import points_nearby
from model.checking.rule_faults import RuleFault, fault_row
from model.checking.rule_program import Deviation, RuleProgramResults

# The kind of the diagnosis.
VALUE = "value"
# A result differs if it does so by more than this many times what it changes within a few roundings of the point.
ROUNDING_MARGIN = 8


def value_faults(exposed: ExposedFunction, results: RuleProgramResults, order: int) -> Iterator[RuleFault]:
    """Yield, for each mode, the first result that it returns with another value than the function.

    Args:
        exposed: the function and its rules.
        results: of the program.
        order: 1 or 2, for the rows.

    Yields:
        The faults.
    """
    noise: list[float] | None = None
    told = set[int]()
    for method, deviations in (("jvp", results.forward_values), ("grad", results.reverse_values)):
        for index in exposed.by_rules_first if deviations else ():
            assert deviations is not None
            deviation = deviations[index]
            if index in told:  # the rule of a custom_jvp, which both modes use
                break
            if not deviation.excess > 0:
                continue
            noise = _value_noise(exposed) if noise is None else noise
            if deviation.excess > ROUNDING_MARGIN * noise[index]:
                told.add(index)
                yield _value_fault(method, exposed.name(index), deviation, order)
                break


def _value_fault(method: str, name: str, deviation: Deviation, order: int) -> RuleFault:
    expected, found = float(deviation.expected), float(deviation.found)
    subject = "the rule's forward pass" if method == "grad" else "the rule's jvp"
    sentence = f"{subject} returns {found:.6g} where the function is {expected:.6g}, in {name}."
    return RuleFault(
        fault_row(f"{name}, value", method, expected, found, order), Diagnosis(VALUE, method, name, sentence)
    )


def _value_noise(exposed: ExposedFunction) -> list[float]:
    """How much each result changes if the point moves by a few roundings."""
    function = exposed.function
    run = jax.jit(exposed.outputs) if function.is_traced else exposed.outputs
    at_point = run(function.point, function.argument_arrays)
    largest = np.zeros(len(at_point))
    for point in points_nearby(function.point):
        others = run(point, function.argument_arrays)
        differences = [np.abs(np.asarray(a) - np.asarray(b)) for a, b in zip(others, at_point, strict=True)]
        largest = np.maximum(largest, [np.max(np.nan_to_num(each), initial=0.0) for each in differences])
    return [float(each) for each in largest]
