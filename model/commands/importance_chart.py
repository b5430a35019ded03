"""A chart of the importance of columns, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.importance import Importance

MAX_BARS = 40
MAX_NAME_CHARACTERS = 26
BLUE, ORANGE, INK = "#1d5fbf", "#c2570c", "#1f2933"
# Inches.
WIDTH, BAR_HEIGHT, MARGINS = 9.0, 0.32, 1.5


def draw_importances(importances: Sequence[Importance], title: str, score: str, target: str) -> Figure:
    """Two bars for each column: how much the loss rises when it is shuffled, and the gradient by it.

    Args:
        importances: the most important first, at least one; at most 40 are drawn.
        title: of the figure.
        score: the loss, such as log loss.
        target: what is predicted.

    Returns:
        The figure.
    """
    shown = importances[:MAX_BARS]
    rest = f"; the first {MAX_BARS} of {len(importances)}" if len(importances) > MAX_BARS else ""
    figure = Figure(figsize=(WIDTH, BAR_HEIGHT * len(shown) + MARGINS), layout="constrained")
    figure.suptitle(f"{title}\nWhat the prediction of {target} depends on{rest}", x=0.02, ha="left", color=INK)
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_bars(left, [each.loss_rise for each in shown], BLUE, f"rise of the {score} when shuffled")
    left.errorbar(
        [each.loss_rise for each in shown],
        range(len(shown)),
        xerr=[each.spread for each in shown],
        fmt="none",
        ecolor=INK,
        capsize=2,
    )
    _draw_bars(right, [each.gradient for each in shown], ORANGE, "mean |gradient|")
    left.set_yticks(range(len(shown)), [_short(each.name) for each in shown])
    left.invert_yaxis()
    return figure


def _draw_bars(axes: Axes, values: Sequence[float], color: str, label: str) -> None:
    bars = axes.barh(range(len(values)), values, color=color, height=0.55)
    axes.bar_label(bars, fmt="%.3g", padding=12, color=INK, fontsize=8)
    axes.set_title(label, color=color, loc="left", fontsize=10)
    axes.margins(x=0.25, y=0.02)
    axes.spines[["top", "right"]].set_visible(False)


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARACTERS else f"{name[: MAX_NAME_CHARACTERS - 1]}…"
