"""Bars as a table, so that the names and the numbers stay text at any width."""

from __future__ import annotations

from collections.abc import Sequence

from model.reporting.elements import Node, element, table

LENGTH, THICKNESS, GAP = 200.0, 11.0, 4.0


def bar_table(
    caption: str,
    header: Sequence[str],
    names: Sequence[str],
    values: Sequence[Sequence[float]],
    texts: Sequence[Sequence[Node]],
) -> Node:
    """A table with bars.

    Args:
        caption: what it shows.
        header: the names of the columns: of the names, of the bars, and of each text.
        names: one for each row.
        values: the lengths of the bars of each row, finite numbers, as many in every row.
        texts: further cells of each row.

    Returns:
        The table.

    Example:
        >>> from xml.etree.ElementTree import Element
        >>> made = bar_table("Sizes", ["name", "", "size"], ["a", "b"], [[1.0], [-1.0]], [["1"], ["-1"]])
        >>> isinstance(made, Element) and [bar.get("width") for bar in made.iter("rect")]
        ['100', '100']
    """
    flat = [value for row in values for value in row]
    low, high = min([0.0, *flat]), max([0.0, *flat])
    span = (high - low) or 1.0
    rows = [[name, _bars(row, low, span), *more] for name, row, more in zip(names, values, texts, strict=True)]
    return table(caption, header, rows, numeric=range(2, len(header)))


def stacked(texts: Sequence[str]) -> Node:
    """Several texts in a cell, each beside its bar.

    Args:
        texts: one for each bar.

    Returns:
        The texts, one below the other.

    Example:
        >>> from xml.etree.ElementTree import Element
        >>> made = stacked(["1", "2"])
        >>> isinstance(made, Element) and [line.text for line in made]
        ['1', '2']
    """
    return element("span", {"class": "stack"}, *(element("span", {}, text) for text in texts))


def _bars(values: Sequence[float], low: float, span: float) -> Node:
    """The bars of a row. Their numbers stand beside them, so they are hidden from readers of the screen."""
    zero = -low / span * LENGTH
    height = len(values) * (THICKNESS + GAP) - GAP
    bars = [
        element(
            "rect",
            {
                "class": f"bar fill-{index}",
                "x": min(zero, zero + value / span * LENGTH),
                "y": index * (THICKNESS + GAP),
                "width": abs(value) / span * LENGTH,
                "height": THICKNESS,
            },
        )
        for index, value in enumerate(values)
    ]
    line = element("line", {"class": "axis", "x1": zero, "y1": 0.0, "x2": zero, "y2": height})
    attributes: dict[str, str | float] = {"viewBox": f"0 0 {LENGTH:g} {height:g}", "preserveAspectRatio": "none"}
    return element("svg", {"class": "bars", "aria-hidden": "true", "height": height, **attributes}, *bars, line)
