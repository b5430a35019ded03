"""docs/performance.md and its pictures, made from the results."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.comparisons import GROWTH_HEADINGS, HEADINGS, Comparison, Growth, Measured, Part
from bench.cost_tables import markdown
from model.commands.shared import save_figure

TITLES = {
    "training": "Training XOR, beside C",
    "minibatches": "An epoch in batches, beside BLAS, PyTorch and scikit-learn",
    "million": "A million rows from a file, beside PyTorch and scikit-learn",
    "start": "The start of a command",
    "digits": "Five fits of digits",
    "check": "The check of gradients",
    "service": "The service",
    "growth": "Growth",
}
INTRODUCTION = """# How fast it is

This page is made by `make bench`, on the machine below. Times differ between machines, so compare the *ratios*:
the number of Nudge divided by that of what it is compared with. Of a time or of memory less is better, and of a rate
more is. Nudge and the others take turns. A ratio is the median of the turns, and beside it are the smallest and the
largest. A *bar* is a target for a ratio, and the tables say if it is missed. The numbers of every turn are in
[bench/results.json](../bench/results.json).

![The ratio of each comparison](performance.svg)
"""


def write_page(measured: Measured, docs: Path) -> bool:
    """Write the page and its pictures into a folder. Returns False if there are no pictures, without matplotlib."""
    (docs / "performance.md").write_text(page(measured), encoding="utf-8")
    if find_spec("matplotlib") is None:
        return False
    parts = measured.parts.values()
    save_figure(draw_ratios([each for part in parts for each in part.comparisons]), docs / "performance.svg")
    growths = [each for part in parts for each in part.growths]
    if growths:
        save_figure(draw_growths(growths), docs / "growth.svg")
    return True


def page(measured: Measured) -> str:
    """The page as Markdown."""
    machine = markdown([["measured on", ""], *([name, value] for name, value in measured.machine.items())])
    sections = [section(TITLES[name], part) for name, part in measured.parts.items()]
    return "\n".join([INTRODUCTION, machine, "", *sections])


def section(title: str, part: Part) -> str:
    """One part as Markdown."""
    blocks = [f"## {title}"]
    if part.comparisons:
        blocks.append(markdown([HEADINGS, *(each.cells() for each in part.comparisons)]))
    if part.growths:
        blocks.append(markdown([GROWTH_HEADINGS, *(each.cells() for each in part.growths)]))
        blocks.append("The exponent is that of the last decade: 1 means that twice the size takes twice the time.")
        blocks.append("![The time of an epoch against each size](growth.svg)")
    blocks += part.notes
    if part.left_out:
        blocks.append("\n".join(f"- {each.who} is left out: {each.why}." for each in part.left_out))
    return "\n\n".join(blocks) + "\n"


def draw_ratios(comparisons: Sequence[Comparison]) -> Any:
    """A line for each comparison: the ratio with its extremes, and the bar."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1 + 0.32 * len(comparisons)), layout="constrained")
    axes = figure.subplots()
    for place, each in enumerate(comparisons):
        colour = {True: "tab:green", False: "tab:red", None: "tab:gray"}[each.is_met]
        axes.plot([min(each.ratios), max(each.ratios)], [place, place], color=colour, alpha=0.4, linewidth=5)
        axes.plot(each.ratio, place, "o", color=colour)
        if each.bar is not None:
            axes.plot(each.bar, place, "|", color="black", markersize=11)
    axes.set_yticks(range(len(comparisons)), [f"{each.what} : {each.other}" for each in comparisons], fontsize=7)
    axes.set(xscale="log")
    figure.supxlabel("ratio to what stands after the colon; black stroke: bar; green: met, red: missed", fontsize=8)
    axes.axvline(1, color="gray", linewidth=0.8)
    axes.grid(axis="x", alpha=0.3)
    axes.invert_yaxis()
    return figure


def draw_growths(growths: Sequence[Growth]) -> Any:
    """A picture for each size: the seconds of every turn, and the line of the last decade."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, each in zip(figure.subplots(2, -(-len(growths) // 2), squeeze=False).flat, growths, strict=False):
        for size, seconds in zip(each.sizes, each.seconds, strict=True):
            axes.plot([size] * len(seconds), seconds, "o", color="tab:blue", alpha=0.4, markersize=4)
        axes.plot(each.sizes, each.medians, color="tab:blue")
        title = f"{each.what}: exponent {each.exponent:.2f}"
        axes.set(xscale="log", yscale="log", xlabel=each.by, ylabel="seconds")
        axes.set_title(title, fontsize=8)
        axes.grid(alpha=0.3)
    return figure
