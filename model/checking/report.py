"""The report of a check: every derivative's numbers, as objects, as a table and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from model.checking.error_patterns import Diagnosis
from model.checking.verdicts import Verdict
from model.messages import align_columns

if TYPE_CHECKING:
    from rich.console import Group

# The size below which a derivative is measured against this size rather than its own.
SIZE_FLOOR = 1e-6
# Rows of a printed table; of more, those that do not agree are shown first.
MAX_SHOWN_ROWS = 60
COLOURS = {"agrees": "green", "wrong": "bold red", "not finite": "bold red"}


@dataclass(frozen=True)
class Derivative:
    """The derivative by one parameter, or along one direction, each way. A way that was not to be had is None.

    name: a parameter's place in the pytree, such as 0.weight[0,1], or what the direction is. nudge: by differences of
    values. error: how far off that may be. jvp, by_hand, grad: by forward mode, as someone wrote it, by reverse mode.
    wrong: the ways that are. relative_error: the largest |a - b| / max(|a|, |b|, 1e-6) between any two ways, where of
    the nudge only what its error does not explain counts, and nothing at a kink or a jump. order: 1, or 2 for the
    derivative of a Hessian-vector product.
    """

    name: str
    nudge: float
    error: float
    jvp: float | None
    by_hand: float | None
    grad: float | None
    verdict: Verdict
    wrong: tuple[str, ...] = ()
    relative_error: float = 0.0
    order: int = 1

    @property
    def kink(self) -> bool:
        """Whether the derivatives to the left and to the right differ, so that any between them is right."""
        return self.verdict == Verdict.KINK


@dataclass(frozen=True)
class Report:
    """What `check_gradients` found; `print` shows it.

    parameters: those that were tried, in the order of the pytree. directions: random ones through all of them, which
    see what single entries leave out. entries: how many parameters there are. diagnoses: what is wrong, where the
    numbers bear it out. taylor_order: the order of the remainder of Taylor's series with the gradient in it, 2 where it
    is right and 1 where it is wrong; None where rounding hides it. adjoint_error: how far forward and reverse mode are
    apart along a random direction, relative to their size. visible: the largest error of a single entry that would not
    have been seen, but for one entry in a hundred. notes: why a way is missing, by its name.
    """

    parameters: tuple[Derivative, ...]
    directions: tuple[Derivative, ...] = ()
    entries: int = 0
    tolerance: float = 1e-6
    diagnoses: tuple[Diagnosis, ...] = ()
    taylor_order: float | None = None
    adjoint_error: float | None = None
    visible: float | None = None
    notes: tuple[tuple[str, str], ...] = ()
    by_hand_name: str = "by_hand"

    def followed_by(self, second: Report) -> Report:
        """This report and that of a second order in one."""
        return replace(
            self,
            parameters=self.parameters + second.parameters,
            directions=self.directions + second.directions,
            entries=self.entries + second.entries,
            diagnoses=self.diagnoses + second.diagnoses,
            notes=tuple(dict([*second.notes, *self.notes]).items()),
        )

    @property
    def max_relative_error(self) -> float:
        """The largest relative error of any derivative; NaN where a gradient is not finite, 0 without parameters."""
        return float(np.max([row.relative_error for row in (*self.parameters, *self.directions)], initial=0.0))

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong: every verdict is agrees, kink, jump, too noisy to tell, or not differentiable."""
        return all(row.verdict.ok for row in (*self.parameters, *self.directions))

    def to_json(self) -> str:
        """The report as a JSON object. A number that is not finite becomes null, as JSON has none."""
        fields = {
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
        return json.dumps(fields)

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
            "relative_error": _finite(row.relative_error),
        }

    def __str__(self) -> str:
        return "\n".join([align_columns(self.table()), *self.remarks()])

    def __rich__(self) -> Group:
        """The same for `rich.print`, in colours."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        header, *rows = self.table()
        table = Table(box=None, pad_edge=False)
        for column in header:
            table.add_column(column, justify="left" if column in (header[0], header[-1]) else "right", no_wrap=True)
        for *cells, verdict in rows:
            colour = COLOURS.get(verdict.split(":")[0], "yellow")
            table.add_row(*cells, Text(verdict, style=colour))
        return Group(table, *map(Text, self.remarks()))

    def table(self) -> list[list[str]]:
        """The header, a row for each parameter, the worst first if there are many, and one for each direction."""
        rows = (
            list(self.parameters)
            if len(self.parameters) <= MAX_SHOWN_ROWS
            else _worst_first(self.parameters)[:MAX_SHOWN_ROWS]
        )
        return [self.header(), *(self.cells(row) for row in [*rows, *self.directions])]

    def remarks(self) -> list[str]:
        """What is below the table: what was left out, what is missing, what is wrong, and the summary."""
        lines = [f"{self.named(way)} is not to be had: {reason}." for way, reason in self.notes]
        if len(self.parameters) > MAX_SHOWN_ROWS:
            lines.insert(0, f"… and {len(self.parameters) - MAX_SHOWN_ROWS:,} parameters more, none worse.")
        return [*lines, *map(str, self.diagnoses), self.summary()]

    def header(self) -> list[str]:
        """The names of the table's columns."""
        rows = (*self.parameters, *self.directions)
        ways = [way for way in ("jvp", "by_hand", "grad") if any(getattr(row, way) is not None for row in rows)]
        return ["parameter", "nudge", "±", *(self.by_hand_name if way == "by_hand" else way for way in ways), "verdict"]

    def cells(self, row: Derivative) -> list[str]:
        """One row of the table, in the order of the header."""
        ways = self.header()[3:-1]
        values = [getattr(row, "by_hand" if way == self.by_hand_name else way) for way in ways]
        order = " (2nd)" if row.order == 2 else ""
        wrong = f": {', '.join(self.named(way) for way in row.wrong)}" if row.wrong and len(ways) > 1 else ""
        return [
            f"{row.name}{order}",
            _number(row.nudge),
            f"{row.error:.0e}",
            *("" if value is None else _number(value) for value in values),
            f"{row.verdict}{wrong}",
        ]

    def named(self, way: str) -> str:
        """A way, by the name under which it stands in the table."""
        return self.by_hand_name if way == "by_hand" else way

    def summary(self) -> str:
        """One sentence: whether all agree, on how many, and what could not be told."""
        if not self.parameters:
            return "No parameters to check."
        rows = (*self.parameters, *self.directions)
        counts = Counter(row.verdict for row in self.parameters)
        agree = counts.pop(Verdict.AGREES, 0)
        parts = [f"{agree:,} of {len(self.parameters):,} tried agree"]
        parts += [f"{counts[verdict]:,} {verdict}" for verdict in Verdict if counts.get(verdict)]
        astray = sum(not row.verdict.ok for row in self.directions)
        if astray:
            parts.append(f"{astray} of {len(self.directions)} directions wrong")
        verdict = "The gradients agree" if self.ok else "The gradients DISAGREE"
        if self.ok and not any(row.verdict in (Verdict.AGREES, Verdict.KINK) for row in rows):
            verdict = "Nothing could be told"
        sampled = len(self.parameters) < self.entries
        of = f" of {self.entries:,} parameters" if sampled else ""
        seen = (
            f"; an error above {self.visible:.0e} in another would have been seen" if sampled and self.visible else ""
        )
        return f"{verdict}: {', '.join(parts)}{of}; worst relative error {self.max_relative_error:.0e}{seen}."


def _worst_first(rows: tuple[Derivative, ...]) -> list[Derivative]:
    ranks = {verdict: rank for rank, verdict in enumerate((Verdict.WRONG, Verdict.NOT_FINITE, Verdict.NOISY))}
    return sorted(rows, key=lambda row: (ranks.get(row.verdict, 9), -np.nan_to_num(row.relative_error, nan=np.inf)))


def _number(value: float) -> str:
    """Nine decimals where they show the number, else nine digits."""
    return f"{value:+.9f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:+.8e}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
