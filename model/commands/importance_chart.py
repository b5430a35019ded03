"""A picture of columns' importance: bars as SVG."""

from __future__ import annotations

from collections.abc import Sequence

from model.commands.svg import BLUE, BOLD, GRID, INK, ORANGE, SOFT, line, panel, text
from model.importance import Importance

WIDTH, ROW, TOP, BOTTOM = 760, 30, 104, 24
NAMES, BARS, GAP = 214, 210, 56
MOST = 40
LONGEST = 26


def importance_picture(found: Sequence[Importance], title: str, unit: str, target: str) -> str:
    """Two bars for each column, at most 40: what shuffling it does to the loss, and the gradient.

    unit: of the loss, such as log loss. target: what is predicted.
    """
    shown = found[:MOST]
    height = TOP + ROW * len(shown) + BOTTOM
    first, second = NAMES, NAMES + BARS + GAP
    rest = f"; the first {MOST} of {len(found)}" if len(found) > MOST else ""
    rises = [(each.rise, each.spread) for each in shown]
    gradients = [(each.gradient, 0.0) for each in shown]
    parts = [
        *panel(WIDTH, height, title, _description(shown, target)),
        text(24, 34, title, size=17, more=BOLD),
        text(24, 54, f"What the prediction of {target} hangs on{rest}", SOFT),
        text(first, 88, f"rise of the {unit} when shuffled", BLUE, more=BOLD),
        text(second, 88, "mean |gradient|", ORANGE, more=BOLD),
    ]
    for index, each in enumerate(shown):
        y = TOP + ROW * index
        name = each.name if len(each.name) <= LONGEST else f"{each.name[: LONGEST - 1]}…"
        parts += [line(24, y, WIDTH - 24, y, GRID), text(NAMES - 14, y + 20, name, INK, anchor="end")]
    parts += _bars(first, rises, BLUE)
    parts += _bars(second, gradients, ORANGE)
    return "\n".join([*parts, "</svg>", ""])


def _bars(left: float, values: Sequence[tuple[float, float]], colour: str) -> list[str]:
    most = max([value + spread for value, spread in values] + [1e-30])
    parts = []
    for index, (value, spread) in enumerate(values):
        y = TOP + ROW * index
        length = max(BARS * value / most, 1.0) * 0.8
        parts.append(f'<rect x="{left}" y="{y + 8}" width="{length:.1f}" height="14" rx="2" fill="{colour}"/>')
        end = left + length
        if spread:
            half = 0.8 * BARS * spread / most
            parts.append(line(max(end - half, left), y + 15, end + half, y + 15, INK))
            end += half
        parts.append(text(end + 6, y + 20, f"{value:.3g}", SOFT, size=12))
    return parts


def _description(found: Sequence[Importance], target: str) -> str:
    each = "; ".join(f"{one.name}: {one.rise:.3g} and {one.gradient:.3g}" for one in found)
    return f"Importance of the columns for {target}, by shuffling and by the gradient. {each}."
