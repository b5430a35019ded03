"""The parts of pictures as SVG."""

from __future__ import annotations

from html import escape

INK, SOFT, GRID = "#1f2933", "#5f6c7b", "#e6eaee"
ORANGE, BLUE = "#c2570c", "#1d5fbf"
BOLD = ' font-weight="600"'
HALO = ' paint-order="stroke" stroke="#fff" stroke-width="5" stroke-linejoin="round"'


def panel(width: int, height: int, title: str, description: str) -> list[str]:
    """The start of a picture, on a white panel of its own, so that it reads on any background.

    description: for those who do not see it.
    """
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t d" '
        "font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif\">",
        f'<title id="t">{escape(title)}</title>',
        f'<desc id="d">{escape(description)}</desc>',
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10" fill="#fff" stroke="#d5dbe1"/>',
    ]


def text(x: float, y: float, words: str, fill: str = INK, size: int = 13, anchor: str = "start", more: str = "") -> str:
    """Words at a place."""
    place = f'x="{x:.1f}" y="{y:.1f}" fill="{fill}" font-size="{size}" text-anchor="{anchor}"{more}'
    return f"<text {place}>{escape(words)}</text>"


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, more: str = "") -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"{more}/>'
