"""The report of a check: its findings, as text, in color and as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from model.checking.findings import Derivative, Findings
from model.checking.report_text import report_lines, rich_report, summarize

if TYPE_CHECKING:
    from rich.console import Group


@dataclass(frozen=True)
class Report(Findings):
    """What `check_gradients` found. `print` shows it.

    Attributes:
        parameters: the derivatives by the parameters that were tried, in the order of the pytree.
        directions: the derivatives along random directions through many parameters.
        entries: how many parameters there are.
        tolerance: how far two derivatives may differ beyond their errors, relative to the larger one.
        diagnoses: what is wrong.
        taylor_order: the order of the remainder of Taylor's series with the gradient in it: 2 if the gradient is right,
            1 if it is wrong; None if rounding hides it.
        adjoint_error: how far forward and reverse mode differ along a random direction, relative to their size.
        visible: the error of a single parameter that would have been seen although it was not tried, in 99 of 100
            parameters.
        notes: why a method has no derivatives, by the method's name.
        by_hand_name: the name of the gradient by hand.
    """

    def followed_by(self, second: Report) -> Report:
        """This report and that of a second order in one."""
        return replace(
            self,
            parameters=self.parameters + second.parameters,
            directions=self.directions + second.directions,
            entries=self.entries + second.entries,
            diagnoses=(*self.diagnoses, *(each.of_second_order() for each in second.diagnoses)),
            notes=tuple(dict([*second.notes, *self.notes]).items()),
        )

    def to_json(self) -> str:
        """The report as a JSON object. A number that is not finite becomes null, because JSON has no such numbers."""
        return json.dumps(
            {
                "ok": self.ok,
                "max_relative_error": _finite(self.max_relative_error),
                "tolerance": self.tolerance,
                "entries": self.entries,
                "diagnoses": [diagnosis.as_dict() for diagnosis in self.diagnoses],
                "taylor_order": self.taylor_order,
                "adjoint_error": self.adjoint_error,
                "visible": self.visible,
                "notes": dict(self.notes),
                "parameters": [self._fields(row) for row in self.parameters],
                "directions": [self._fields(row) for row in self.directions],
            }
        )

    def _fields(self, row: Derivative) -> dict[str, object]:
        by_hand = {} if row.by_hand is None else {self.by_hand_name: _finite(row.by_hand)}
        return {
            "name": row.name,
            "order": row.order,
            "nudge": _finite(row.nudge),
            "error": _finite(row.error),
            "jvp": _finite(row.jvp),
            **by_hand,
            "grad": _finite(row.grad),
            "verdict": row.verdict.value,
            "wrong": list(row.wrong),
            "kink": row.kink,
            "sides": None if row.sides is None else [_finite(side) for side in row.sides],
            "relative_error": _finite(row.relative_error),
        }

    def __str__(self) -> str:
        return "\n".join(report_lines(self))

    def __rich__(self) -> Group:
        """The same for `rich.print`, in color."""
        return rich_report(self)

    def summary(self) -> str:
        """One sentence: whether all agree, how many parameters were tried, and what could not be judged."""
        return summarize(self)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
