"""The frame of a drawing: scales, round ticks, a grid, and the words that stand for the picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from model.reporting.elements import Node, element, shorten
from model.reporting.number_text import fixed_text, number_text

# In units of the picture, which is as wide as its place on the page.
WIDTH, HEIGHT = 400.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 12.0, 12.0, 46.0
MAX_TICKS, LETTER_WIDTH = 6, 7.0
TEXT_TICKS = 3
# How large numbers are written beside an axis.
LARGE_UNITS = {1e6: " M", 1e9: " bn"}
# The steps between ticks, times a power of ten.
STEPS = (1.0, 2.0, 5.0, 10.0)
ROUNDING = 1e-9


@dataclass(frozen=True)
class Axis:
    """An axis of numbers.

    Attributes:
        low: the number at its beginning.
        high: the number at its end, above low.
        label: what the numbers are.
        text_of: how a tick is written; then the ticks are three places at equal distances. By default, they are round
            numbers.
        first_tick: no tick is below it.
        whole: whether it counts something, so that ticks are whole numbers.
    """

    low: float
    high: float
    label: str
    text_of: Callable[[float], str] | None = None
    first_tick: float = -math.inf
    whole: bool = False

    def position(self, value: float, start: float, end: float) -> float:
        """Where a value lies between two places of a picture."""
        return start + (value - self.low) / (self.high - self.low) * (end - start)

    def ticks(self) -> list[tuple[float, str]]:
        """Round numbers on the axis, and their texts."""
        if self.text_of is not None:
            places = np.linspace(self.low, self.high, TEXT_TICKS).tolist()
            return [(place, self.text_of(place)) for place in places]
        numbers = [each for each in round_numbers(self.low, self.high) if each >= self.first_tick]
        if self.whole:
            numbers = [each for each in numbers if math.isclose(each, round(each))]
        largest = max(map(abs, numbers), default=0.0)
        for size, name in LARGE_UNITS.items():
            if size <= largest < 1000 * size:
                return [(number, f"{number / size:g}{name}") for number in numbers]
        step = numbers[1] - numbers[0] if len(numbers) > 1 else 1.0
        if not 1e-5 < abs(step) < 1e12:
            return [(number, number_text(number)) for number in numbers]
        decimals = next(count for count in range(7) if count == 6 or math.isclose(step, round(step, count)))
        return [(number, fixed_text(number + 0.0, decimals)) for number in numbers]


def round_numbers(low: float, high: float) -> list[float]:
    """Round numbers between two ends, for ticks.

    Args:
        low: the lower end.
        high: the higher end.

    Returns:
        At most seven numbers in ascending order at equal distances: 1, 2 or 5 times a power of ten.

    Example:
        >>> round_numbers(0.0, 1.0), round_numbers(-130.0, 70.0)
        ([0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0], [-100.0, -50.0, 0.0, 50.0])
    """
    span = (high - low) / MAX_TICKS
    power = 10.0 ** math.floor(math.log10(span))
    step = next(power * each for each in STEPS if power * each >= span * (1 - ROUNDING))
    first, last = math.ceil(low / step - ROUNDING), math.floor(high / step + ROUNDING)
    return [index * step for index in range(first, last + 1)]


def axis_around(values: Sequence[float], label: str, *, from_zero: bool = False, margin: float = 0.04) -> Axis:
    """An axis that holds all values.

    Args:
        values: finite numbers, at least one.
        label: what they are.
        from_zero: whether 0 is on it, at its end if no value is beyond.
        margin: the share of the span that is added at both ends.

    Returns:
        The axis.

    Example:
        >>> axis = axis_around([1.0, 3.0], "size", margin=0.0)
        >>> axis.low, axis.high
        (1.0, 3.0)
    """
    low, high = min(values), max(values)
    low, high = (min(low, 0.0), max(high, 0.0)) if from_zero else (low, high)
    room = margin * (high - low) or abs(high) / 10 or 1.0
    room = room if margin or high == low else 0.0
    keeps_low, keeps_high = from_zero and low == 0, from_zero and high == 0
    return Axis(low if keeps_low else low - room, high if keeps_high else high + room, label)


@dataclass(frozen=True)
class Picture:
    """A picture in the making.

    Attributes:
        x: the horizontal axis.
        y: the vertical axis.
    """

    x: Axis
    y: Axis

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point."""
        return self.x.position(x, LEFT, WIDTH - RIGHT), self.y.position(y, HEIGHT - BOTTOM, TOP)

    def points(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        """The places of points, as the attribute `points` of a line."""
        return " ".join("{:.1f},{:.1f}".format(*self.at(x, y)) for x, y in zip(xs, ys, strict=True))

    def line(self, kind: str, x1: float, y1: float, x2: float, y2: float) -> Node:
        """A straight line between two points."""
        (a, b), (c, d) = self.at(x1, y1), self.at(x2, y2)
        return element("line", {"class": kind, "x1": a, "y1": b, "x2": c, "y2": d})

    def curve(self, kind: str, xs: Sequence[float], ys: Sequence[float]) -> Node:
        """A line through points."""
        return element("polyline", {"class": kind, "points": self.points(xs, ys)})

    def dot(self, kind: str, x: float, y: float, radius: float = 3.0) -> Node:
        """A filled circle."""
        cx, cy = self.at(x, y)
        return element("circle", {"class": kind, "cx": cx, "cy": cy, "r": radius})

    def column(self, kind: str, left: float, right: float, low: float, high: float) -> Node:
        """A rectangle between two numbers of either axis."""
        (x1, y1), (x2, y2) = self.at(left, high), self.at(right, low)
        return element("rect", {"class": kind, "x": x1, "y": y1, "width": max(x2 - x1, 0.5), "height": y2 - y1})

    def drawn(
        self, title: str, description: str, marks: Sequence[Node], legend: Sequence[Node] = (), caption: str = ""
    ) -> Node:
        """The picture with its grid and axes.

        Args:
            title: what it shows.
            description: what a reader who does not see it must know.
            marks: what is drawn.
            legend: what stands below it.
            caption: what stands below that; by default the description.

        Returns:
            A figure of HTML.
        """
        picture = element(
            "svg",
            {"viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}", "role": "img"},
            element("title", {}, title),
            element("desc", {}, description),
            *self._grid(),
            *marks,
            *self._labels(),
        )
        title = title if title.endswith("?") else f"{title}."
        below = element("figcaption", {}, element("strong", {}, f"{title} "), caption or description)
        return element("figure", {}, picture, *legend, below)

    def _grid(self) -> list[Node]:
        """The ticks, and lines across the picture."""
        bottom, marks = HEIGHT - BOTTOM, list[Node]()
        for value, text in self.y.ticks():
            place = self.at(self.x.low, value)[1]
            marks.append(element("line", {"class": "grid", "x1": LEFT, "y1": place, "x2": WIDTH - RIGHT, "y2": place}))
            marks.append(element("text", {"x": LEFT - 6, "y": place + 4, "text-anchor": "end"}, text))
        ticks = self.x.ticks()
        room = (WIDTH - LEFT - RIGHT) / max(len(ticks), 1)
        every = math.ceil(max((len(text) + 1 for _, text in ticks), default=1) * LETTER_WIDTH / room)
        for value, text in ticks[::every]:
            place = self.at(value, self.y.low)[0]
            marks.append(element("line", {"class": "grid", "x1": place, "y1": TOP, "x2": place, "y2": bottom}))
            anchor = "end" if place > WIDTH - RIGHT - len(text) * LETTER_WIDTH / 2 else "middle"
            marks.append(element("text", {"x": place, "y": bottom + 16, "text-anchor": anchor}, text))
        marks.append(element("line", {"class": "axis", "x1": LEFT, "y1": bottom, "x2": WIDTH - RIGHT, "y2": bottom}))
        return marks

    def _labels(self) -> list[Node]:
        center, middle = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
        kind = {"class": "label", "text-anchor": "middle"}
        across = {"transform": f"translate({center:g} {HEIGHT - 8:g})", **kind}
        up = {"transform": f"translate(13 {middle:g}) rotate(-90)", **kind}
        return [element("text", across, shorten(self.x.label, 48)), element("text", up, shorten(self.y.label, 34))]


def legend(names: Sequence[str]) -> Node:
    """Which line is which.

    Args:
        names: of the lines, in the order of their classes `series-0`, `series-1`, ….

    Returns:
        A list of HTML.

    Example:
        >>> from xml.etree.ElementTree import Element
        >>> made = legend(["cat", "dog"])
        >>> isinstance(made, Element) and [item.get("class") for item in made.iter("line")]
        ['series-0', 'series-1']
    """
    items = []
    for index, name in enumerate(names):
        sample = element("line", {"class": f"series-{index}", "x1": 0.0, "y1": 6.0, "x2": 26.0, "y2": 6.0})
        swatch = element("svg", {"class": "swatch", "viewBox": "0 0 26 12", "aria-hidden": "true"}, sample)
        items.append(element("li", {}, swatch, shorten(name)))
    return element("ul", {"class": "legend"}, *items)


def histogram(values: Sequence[float], low: float, high: float, bins: int) -> list[tuple[float, float, int]]:
    """How many values lie in equal parts of a range.

    Args:
        values: any numbers.
        low: the lower end of the range.
        high: the higher end, above low.
        bins: how many parts.

    Returns:
        The lower end, the higher end and the count of each part.

    Example:
        >>> histogram([0.0, 0.1, 1.0], 0.0, 1.0, 2)
        [(0.0, 0.5, 2), (0.5, 1.0, 1)]
    """
    counts, edges = np.histogram(np.asarray(values, float), bins, (low, high))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True))
