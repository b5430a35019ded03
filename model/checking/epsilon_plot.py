"""Pictures as SVG: the error of a finite difference against the size of its step, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.checking.check import MOST_ENTRIES
from model.checking.checked_function import NotCheckableError, Problem, Tree
from model.checking.directions import Lines, natural_scale
from model.checking.evaluator import Evaluator
from model.checking.step_search import explore
from model.checking.tracing import prepare
from model.checking.verdicts import MARGIN
from model.commands.svg import BLUE, BOLD, GRID, HALO, ORANGE, SOFT, line, panel, text

WIDTH, HEIGHT = 760, 500
LEFT, RIGHT, TOP, BOTTOM = 84, 730, 78, 426
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

# Steps of the picture of one parameter, in units of its size.
STEPS = np.logspace(-14, 0.5, 117)


@dataclass(frozen=True)
class Curve:
    """A line [points], and a band around it from low to high. words: label and a remark, at a place of the axes."""

    x: np.ndarray
    y: np.ndarray
    colour: str
    words: tuple[str, str]
    at: tuple[float, float]
    low: np.ndarray | None = None
    high: np.ndarray | None = None


@dataclass(frozen=True)
class Chart:
    """Logarithmic axes with a title. x and y: from and to, powers of ten. description: for those who do not see it."""

    title: str
    subtitle: str
    description: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str

    def across(self, value: float) -> float:
        """Where a value of x lies."""
        low, high = np.log10(self.x)
        return LEFT + (RIGHT - LEFT) * float((np.log10(value) - low) / (high - low))

    def down(self, value: float) -> float:
        """Where a value of y lies, or the edge if it lies outside."""
        low, high = np.log10(self.y)
        return TOP + (BOTTOM - TOP) * float((high - np.log10(np.clip(value, *self.y))) / (high - low))

    def draw(self, curves: Sequence[Curve], under: Sequence[str] = (), over: Sequence[str] = ()) -> str:
        """The SVG.

        under, over: further elements, drawn under the curves and over them.
        """
        parts = [
            *panel(WIDTH, HEIGHT, self.title, self.description),
            text(LEFT, 34, self.title, size=17, more=BOLD),
            text(LEFT, 54, self.subtitle, SOFT),
            *self._grid(),
            *under,
        ]
        for curve in curves:
            parts += self._curve(curve)
        return "\n".join([*parts, *over, "</svg>", ""])

    def _grid(self) -> list[str]:
        parts = []
        for exponent in _powers(*self.x, most=12):
            x = self.across(10.0**exponent)
            parts += [line(x, TOP, x, BOTTOM, GRID), text(x, BOTTOM + 20, power(exponent), SOFT, anchor="middle")]
        for exponent in _powers(*self.y, most=9):
            y = self.down(10.0**exponent)
            parts += [line(LEFT, y, RIGHT, y, GRID), text(LEFT - 10, y + 4.5, power(exponent), SOFT, anchor="end")]
        middle = (TOP + BOTTOM) / 2
        turned = f' transform="rotate(-90 28 {middle:.1f})"'
        return [
            *parts,
            text((LEFT + RIGHT) / 2, BOTTOM + 46, self.x_label, anchor="middle"),
            text(28, middle, self.y_label, anchor="middle", more=turned),
        ]

    def _curve(self, curve: Curve) -> list[str]:
        def points(values: np.ndarray) -> list[str]:
            return [f"{self.across(x):.1f},{self.down(y):.1f}" for x, y in zip(curve.x, values, strict=True)]

        parts = []
        if curve.low is not None and curve.high is not None:
            around = " ".join(points(curve.low) + points(curve.high)[::-1])
            parts.append(f'<polygon points="{around}" fill="{curve.colour}" fill-opacity="0.14"/>')
        parts.append(
            f'<polyline points="{" ".join(points(curve.y))}" fill="none" stroke="{curve.colour}" stroke-width="2.4" '
            'stroke-linejoin="round" stroke-linecap="round"/>'
        )
        x, y = self.across(curve.at[0]), self.down(curve.at[1])
        anchor = "end" if x > (LEFT + RIGHT) / 2 else "start"
        label, remark = curve.words
        return [
            *parts,
            text(x, y, label, curve.colour, 13, anchor, BOLD),
            text(x, y + 17, remark, curve.colour, 13, anchor),
        ]


def power(exponent: int) -> str:
    """A power of ten as it is written.

    >>> power(-8), power(0)
    ('10⁻⁸', '1')
    """
    return "1" if exponent == 0 else f"10{str(exponent).translate(SUPERSCRIPT)}"


def _powers(low: float, high: float, most: int) -> range:
    first, last = int(np.ceil(np.log10(low) - 1e-9)), int(np.floor(np.log10(high) + 1e-9))
    return range(first, last + 1, -(-(last - first + 1) // most))


def error_against_epsilon(fun: Callable[..., Any], params: Tree, *args: Any, parameter: str | None = None) -> str:
    """The error of one parameter's central difference against its nudge, epsilon, as an SVG.

    parameter: its name in the report of `check_gradients`; by default the one with the largest derivative. To the right
    lies truncation, what Taylor's series leaves out; to the left rounding; below both the error that the check states.

    Raises ValueError where there is no such parameter, or nothing to be drawn.

    >>> picture = error_against_epsilon(lambda p: np.sin(p), 0.7)
    >>> picture.startswith("<svg"), "truncation" in picture
    (True, True)
    """
    problem = prepare(fun, params, args)
    if problem.weights is not None:
        raise NotCheckableError(
            "the picture needs a fun that returns a number, but it returned arrays; return their sum"
        )
    with problem.setting():
        evaluator, scale = Evaluator(problem), natural_scale(problem)
        lines = Lines(_entries(problem, parameter), np.zeros((0, scale.size)), (), scale)
        coarse = lines.most(np.repeat(evaluator.coarseness(), problem.sizes))
        seen = explore(evaluator, lines, coarse, np.zeros(len(lines)))
        steepest = int(np.argmax(np.where(np.isfinite(seen.found.slope.error), np.abs(seen.found.slope.value), -1.0)))
        seen, lines = seen.only(np.array([steepest])), lines.only(np.array([steepest]))
        entry = int(lines.entries[0])
        steps = STEPS * scale[entry]
        values = evaluator.along(lines, np.concatenate([-steps, steps])[None]).values[0]
    name = problem.entry_names([entry])[0]
    slope, error = float(seen.found.slope.value[0]), float(seen.found.slope.error[0])
    if not np.isfinite(error) or slope == 0:
        raise NotCheckableError(f"there must be a slope to draw, but that by {name} is {slope}; name another")
    exact = slope if seen.slopes is None or abs(seen.slopes[0] - slope) > MARGIN * error else float(seen.slopes[0])
    with np.errstate(invalid="ignore"):
        plain = (values[len(steps) :] - values[: len(steps)]) / (2 * steps)
        errors = np.abs(plain - exact) / abs(exact)
    return _of_one(name, steps, errors, slope, error / abs(exact))


def _entries(problem: Problem, parameter: str | None) -> np.ndarray:
    """The place of the parameter of a name; without one, those of all that are tried."""
    names = problem.entry_names(np.arange(min(problem.flat.size, MOST_ENTRIES)))
    if parameter is None:
        return np.arange(len(names))
    if parameter not in names:
        raise NotCheckableError(
            f"parameter must be one such as {names[0]} or {names[-1]}, not {parameter!r}; see the report"
        )
    return np.array([names.index(parameter)])


def _of_one(name: str, steps: np.ndarray, errors: np.ndarray, slope: float, error: float) -> str:
    shown = np.isfinite(errors) & (errors > 0)
    steps, errors = steps[shown], np.maximum(errors[shown], 1e-16)
    if not len(steps):
        raise NotCheckableError(
            f"there must be an error to draw, but every difference by {name} is exact; name another"
        )
    lowest = 10.0 ** np.floor(np.log10(max(min(error, np.min(errors)), 1e-17)) - 0.3)
    chart = Chart(
        title=f"The error of the nudge by {name}",
        subtitle=f"The derivative is {slope:.9g}; relative error of one central difference, in float64",
        description="On logarithmic axes. Towards large epsilon the error grows by truncation, as its square; towards "
        "small epsilon it grows by rounding, as one over epsilon. Below both lies the error of the extrapolated nudge.",
        x=(float(steps[0]), float(steps[-1])),
        y=(float(lowest), float(10 ** np.ceil(np.log10(max(np.max(errors), 1.0))))),
        x_label="epsilon, the nudge",
        y_label="relative error",
    )
    best = int(np.argmin(_smooth(errors)))
    level, middle = chart.down(max(error, lowest)), chart.across(float(steps[best]))
    high = TOP + 20
    extra = [
        line(LEFT, level, RIGHT, level, BLUE, ' stroke-width="1.6" stroke-dasharray="5 4"'),
        text(LEFT + 8, level - 7, f"the error that the check states, {error:.0e}", BLUE, 13, more=BOLD),
        line(middle, TOP, middle, BOTTOM, SOFT, ' stroke-dasharray="2 4"'),
    ]
    right = ("start", middle + 10) if middle + 130 < RIGHT else ("end", RIGHT - 6)
    over = [
        text(middle - 10, high, "rounding ∝ 1/ε", anchor="end", more=BOLD + HALO),
        text(right[1], high, "truncation ∝ ε²", anchor=right[0], more=BOLD + HALO),
    ]
    at = (float(steps[0]) * 3, float(chart.y[0] ** 0.6 * chart.y[1] ** 0.4))
    curve = Curve(steps, errors, ORANGE, ("one central difference", f"best at {steps[best]:.0e}"), at)
    return chart.draw([curve], extra, over)


def _smooth(errors: np.ndarray) -> np.ndarray:
    """The largest of each error and its neighbours, as a curve of rounding has deep dents by chance."""
    wide = np.pad(errors, 4, mode="edge")
    return np.asarray(np.max(np.lib.stride_tricks.sliding_window_view(wide, 9), axis=1))
