"""What is measured: Nudge and another program in turns, and how a cost grows. Kept as JSON, shown as a table."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from model.messages import align_columns

# A ratio is shown with the extremes of the turns.
HEADINGS = ("what is measured", "Nudge", "compared with", "the other", "ratio", "smallest–largest", "bar")
GROWTH_HEADINGS = ("what costs", "size", "time", "exponent")
UNITS = {"s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")), "MB": ((1.0, "MB"),), "1/s": ((1.0, "/s"),)}


class Comparison(NamedTuple):
    """A cost or a rate of Nudge beside that of another program, in turns.

    Attributes:
        what: what both do.
        other: the other program.
        unit: "s", "MB" or "1/s"; of a rate, more is better.
        ours: one number for each turn.
        others: of the other program, in the same turns.
        bar: the largest ratio that is accepted of a cost, and the smallest of a rate; None without a bar.
    """

    what: str
    other: str
    unit: str
    ours: Sequence[float]
    others: Sequence[float]
    bar: float | None = None

    @property
    def is_rate(self) -> bool:
        return self.unit.endswith("/s")

    @property
    def ratios(self) -> list[float]:
        """Nudge's number divided by the other's, for each turn."""
        return [ours / other for ours, other in zip(self.ours, self.others, strict=True)]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool | None:
        """Whether the ratio keeps to the bar; None without a bar."""
        if self.bar is None:
            return None
        return self.ratio >= self.bar if self.is_rate else self.ratio <= self.bar

    def cells(self) -> list[str]:
        """The cells of a line under HEADINGS."""
        ours, others = (amount(statistics.median(runs), self.unit) for runs in (self.ours, self.others))
        spread = f"{digits(min(self.ratios))}–{digits(max(self.ratios))}"
        if self.bar is None:
            verdict = ""
        else:
            verdict = f"{'at least' if self.is_rate else 'at most'} {self.bar:g}: {'met' if self.is_met else 'missed'}"
        return [self.what, ours, self.other, others, f"{digits(self.ratio)} ×", spread, verdict]


class Growth(NamedTuple):
    """How a cost grows with a size.

    Attributes:
        what: what costs.
        by: the name of the size, such as "rows".
        sizes: of the runs.
        seconds: for each size, one number for each turn.
    """

    what: str
    by: str
    sizes: Sequence[int]
    seconds: Sequence[Sequence[float]]

    @property
    def medians(self) -> list[float]:
        return [statistics.median(runs) for runs in self.seconds]

    @property
    def exponent(self) -> float:
        """The k of seconds ~ size ** k over the last decade, where fixed costs matter least, by least squares."""
        last = [(s, t) for s, t in zip(self.sizes, self.medians, strict=True) if s * 10 >= max(self.sizes)]
        return statistics.linear_regression(*zip(*((math.log(s), math.log(t)) for s, t in last), strict=True)).slope

    def cells(self) -> list[str]:
        """The size and the time of the smallest and of the largest, and the exponent."""
        (small, *_, large), (low, *_, high) = self.sizes, self.medians
        sizes = f"{self.by}: {small:,} to {large:,}"
        return [self.what, sizes, f"{amount(low, 's')} to {amount(high, 's')}", f"{self.exponent:.2f}"]


class LeftOut(NamedTuple):
    """A program that was not measured, and why."""

    who: str
    why: str


class Part(NamedTuple):
    """What one part of the measurements found."""

    comparisons: Sequence[Comparison] = ()
    growths: Sequence[Growth] = ()
    left_out: Sequence[LeftOut] = ()
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """The runs, and what is computed from them, which a reader of the file need not compute again."""
        return {
            "comparisons": [
                each._asdict() | {"ratio": each.ratio, "ratios": each.ratios, "met": each.is_met}
                for each in self.comparisons
            ],
            "growths": [each._asdict() | {"exponent": each.exponent} for each in self.growths],
            "left_out": [each._asdict() for each in self.left_out],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Part:
        def chosen(kind: Any, entry: dict[str, Any]) -> Any:
            return kind(**{name: entry[name] for name in kind._fields})

        return cls(
            [chosen(Comparison, each) for each in found["comparisons"]],
            [chosen(Growth, each) for each in found["growths"]],
            [chosen(LeftOut, each) for each in found["left_out"]],
            found["notes"],
        )

    def text(self) -> str:
        """A table for a terminal."""
        lines = []
        if self.comparisons:
            lines.append(align_columns([list(HEADINGS), *(each.cells() for each in self.comparisons)]))
        if self.growths:
            lines.append(
                align_columns([["what costs", "size", "time", "exponent"], *(g.cells() for g in self.growths)])
            )
        lines += [f"{each.who} is left out: {each.why}." for each in self.left_out]
        return "\n".join([*lines, *self.notes])


class Measured(NamedTuple):
    """All parts by name, and the machine on which they were measured."""

    machine: dict[str, str]
    parts: dict[str, Part]

    def write(self, path: Path) -> None:
        found = {"machine": self.machine, "parts": {name: part.to_json() for name, part in self.parts.items()}}
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Measured:
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(found["machine"], {name: Part.from_json(part) for name, part in found["parts"].items()})


def digits(number: float) -> str:
    """A number with about three digits, without an exponent."""
    places = max(0, 2 - math.floor(math.log10(abs(number) or 1)))
    return f"{number:,.{min(places, 2) if abs(number) >= 0.1 else places}f}"


def amount(number: float, unit: str) -> str:
    """A number with a unit that suits its size."""
    size, name = next((each for each in UNITS[unit] if abs(number) >= each[0]), UNITS[unit][-1])
    return f"{digits(number / size)} {name}" if name != "/s" else f"{digits(number)}/s"
