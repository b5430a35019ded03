"""A chart of the importance of columns, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.reporting.importance import Importance

MAX_BARS = 40
MAX_NAME_CHARACTERS, MAX_TITLE_CHARACTERS = 26, 60
BLUE, ORANGE, INK, GRAY, GRID = "#1d5fbf", "#c2570c", "#1f2933", "#5f6c7b", "#e6eaee"
# Inches.
WIDTH, BAR_HEIGHT, MARGINS = 9.0, 0.3, 1.5


def draw_importances(importances: Sequence[Importance], title: str, score: str, target: str) -> Figure:
    """Draw two bars for each column: how much the loss rises if the column is shuffled, and the gradient.

    Args:
        importances: the most important column first, at least one; at most 40 are drawn.
        title: the first line of the title.
        score: the name of the loss, such as log loss.
        target: the name of the column that is predicted.

    Returns:
        The figure.

    Example:
        >>> figure = draw_importances([Importance("age", 0.5, 0.1, 0.2)], "ships.csv", "log loss", "survived")
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['rise of the log loss when shuffled', 'mean |gradient|']
    """
    shown = importances[:MAX_BARS]
    rises, spreads = [each.loss_rise for each in shown], [each.spread for each in shown]
    figure = Figure(figsize=(WIDTH, BAR_HEIGHT * len(shown) + MARGINS), layout="constrained")
    _draw_title(figure, title, target, len(importances))
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_bars(left, rises, BLUE, f"rise of the {score} when shuffled")
    left.errorbar(rises, range(len(shown)), xerr=spreads, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
    left.axvline(0, color=GRAY, linewidth=0.8)
    _draw_bars(right, [each.gradient for each in shown], ORANGE, "mean |gradient|")
    right.set_xlim(left=0)
    names = [_shorten(each.name, MAX_NAME_CHARACTERS) for each in shown]
    left.set_yticks(range(len(shown)), names, color=INK, parse_math=False)  # a name may have dollar signs
    left.set_ylim(len(shown) - 0.5, -0.5)
    return figure


def _draw_title(figure: Figure, title: str, target: str, count: int) -> None:
    rest = f"; the first {MAX_BARS} of {count:,} columns" if count > MAX_BARS else ""
    lines = (
        _shorten(title, MAX_TITLE_CHARACTERS),
        f"What the prediction of {_shorten(target, MAX_NAME_CHARACTERS)} depends on{rest}",
    )
    figure.suptitle("\n".join(lines), x=0.02, ha="left", color=INK, fontsize=11, parse_math=False)


def _draw_bars(axes: Axes, values: Sequence[float], color: str, label: str) -> None:
    """Bars from 0, and the values in a column to the right of the axes, where nothing can cover them."""
    axes.barh(range(len(values)), values, color=color, height=0.6)
    beside_axes = axes.get_yaxis_transform()
    for position, value in enumerate(values):
        axes.text(1.02, position, f"{value:.3g}", transform=beside_axes, va="center", color=INK, fontsize=8)
    axes.set_title(label, color=color, loc="left", fontsize=10)
    axes.locator_params(axis="x", nbins=5)
    axes.tick_params(axis="x", labelsize=8, color=GRAY, labelcolor=GRAY)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRAY)


def _shorten(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else f"{text[: max_characters - 1]}…"
