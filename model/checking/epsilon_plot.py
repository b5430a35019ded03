"""The error of finite differences against epsilon, drawn by matplotlib on logarithmic axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.checking.epsilon_errors import EpsilonErrors

BLUE, ORANGE, INK, GRAY, GRID = "#1d5fbf", "#c2570c", "#1f2933", "#5f6c7b", "#e6eaee"
# Inches.
FIGURE_SIZE = (7.6, 5.0)
MAX_NAME_CHARACTERS = 32
# Neighbors over which the largest error is taken, because a curve of rounding has deep dents by chance.
SMOOTHED_NEIGHBORS = 4


def epsilon_axes(title: str, subtitle: str, truncation: str) -> tuple[Figure, Axes]:
    """A figure with logarithmic axes of epsilon and the relative error.

    Args:
        title: the first line.
        subtitle: the second line.
        truncation: how the error grows to the right, in words.

    Returns:
        The figure and its axes.

    Example:
        >>> figure, axes = epsilon_axes("errors", "in float64", "truncation ∝ ε²")
        >>> axes.get_xscale(), axes.get_xlabel()
        ('log', 'epsilon')
    """
    figure = Figure(figsize=FIGURE_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK, pad=24, parse_math=False)
    axes.text(0, 1.025, subtitle, transform=axes.transAxes, color=GRAY, fontsize=9)
    axes.set(xscale="log", yscale="log")
    axes.set_ylabel("relative error", color=INK)
    axes.set_xlabel("epsilon", color=INK, labelpad=8)
    axes.text(0, -0.115, "← rounding ∝ 1/ε", transform=axes.transAxes, color=GRAY, va="top")
    axes.text(1, -0.115, f"{truncation} →", transform=axes.transAxes, color=GRAY, va="top", ha="right")
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(color=GRAY, labelcolor=GRAY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRAY)
    return figure, axes


def draw_epsilon_errors(measured: EpsilonErrors) -> Figure:
    """Draw the error of one parameter's central difference against epsilon.

    To the right, truncation grows: what Taylor's series leaves out. To the left, rounding grows. Below both is the
    error that the check states.

    Args:
        measured: the errors.

    Returns:
        The figure.

    Example:
        >>> errors = EpsilonErrors("w", 1.0, np.array([1e-6, 1e-3]), np.array([1e-9, 1e-7]), 1e-13)
        >>> draw_epsilon_errors(errors).axes[0].get_title(loc="left")
        'Error of a central difference by w'
    """
    subtitle = f"The derivative is {measured.derivative:.9g}; relative error of one central difference in float64"
    figure, axes = epsilon_axes(
        f"Error of a central difference by {_shorten(measured.parameter)}", subtitle, "truncation ∝ ε²"
    )
    best = float(measured.epsilons[np.argmin(_smoothed(measured.errors))])
    axes.plot(measured.epsilons, measured.errors, color=ORANGE, label="one central difference")
    axes.axvline(best, color=GRAY, linestyle=":", label=f"best epsilon, {best:.0e}")
    stated = measured.stated_error
    axes.axhline(stated, color=BLUE, linestyle="--", label=f"stated by the check, {stated:.0e}")
    add_legend(axes)
    return figure


def add_legend(axes: Axes, columns: int = 3) -> None:
    """Put the legend below the axes, where it covers nothing.

    Args:
        axes: whose curves have labels.
        columns: how many labels stand side by side.
    """
    anchor = (-0.02, -0.17)
    axes.legend(loc="upper left", bbox_to_anchor=anchor, ncols=columns, frameon=False, fontsize=9, labelcolor=INK)


def _shorten(name: str) -> str:
    """The end of a long name, which says which entry it is."""
    return name if len(name) <= MAX_NAME_CHARACTERS else f"…{name[1 - MAX_NAME_CHARACTERS :]}"


def _smoothed(errors: np.ndarray) -> np.ndarray:
    """The largest of each error and its neighbors."""
    padded = np.pad(errors, SMOOTHED_NEIGHBORS, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * SMOOTHED_NEIGHBORS + 1)
    return np.asarray(np.max(windows, axis=1))
