"""The error of finite differences against epsilon, drawn by matplotlib on logarithmic axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.checking.epsilon_errors import EpsilonErrors

BLUE, ORANGE, GRAY = "#1d5fbf", "#c2570c", "#5f6c7b"
# Inches.
FIGURE_SIZE = (7.6, 5.0)
# Neighbours over which the largest error is taken, because a curve of rounding has deep dents by chance.
SMOOTHED_NEIGHBOURS = 4


def epsilon_axes(title: str, subtitle: str) -> tuple[Figure, Axes]:
    """A figure with logarithmic axes of epsilon and the relative error.

    Args:
        title: in the first line.
        subtitle: in the second.

    Returns:
        The figure and its axes.

    Example:
        >>> figure, axes = epsilon_axes("errors", "in float64")
        >>> axes.get_xscale(), axes.get_xlabel()
        ('log', 'epsilon, the nudge')
    """
    figure = Figure(figsize=FIGURE_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontweight="bold", pad=22)
    axes.text(0, 1.02, subtitle, transform=axes.transAxes, color=GRAY, fontsize=9)
    axes.set(xscale="log", yscale="log", xlabel="epsilon, the nudge", ylabel="relative error")
    axes.grid(color="#e6eaee")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def draw_epsilon_errors(found: EpsilonErrors) -> Figure:
    """The error of one parameter's central difference against epsilon.

    To the right, truncation grows: what Taylor's series leaves out. To the left, rounding grows. Below both is the
    error that the check states.

    Args:
        found: the measured errors.

    Returns:
        The figure.

    Example:
        >>> errors = EpsilonErrors("w", 1.0, np.array([1e-6, 1e-3]), np.array([1e-9, 1e-7]), 1e-13)
        >>> type(draw_epsilon_errors(errors)).__name__
        'Figure'
    """
    subtitle = f"The derivative is {found.derivative:.9g}; relative error of one central difference, in float64"
    figure, axes = epsilon_axes(f"The error of the nudge by {found.parameter}", subtitle)
    best = float(found.epsilons[np.argmin(_smoothed(found.errors))])
    axes.plot(found.epsilons, found.errors, color=ORANGE, label=f"one central difference, best at {best:.0e}")
    axes.axhline(
        found.stated_error,
        color=BLUE,
        linestyle="--",
        label=f"the error that the check states, {found.stated_error:.0e}",
    )
    axes.axvline(best, color=GRAY, linestyle=":")
    for x, words, side in ((0.98, "rounding ∝ 1/ε ", "right"), (1.02, " truncation ∝ ε²", "left")):
        axes.text(best * x, 0.96, words, transform=axes.get_xaxis_transform(), ha=side, fontweight="bold")
    axes.legend(loc="lower left", frameon=True)
    return figure


def _smoothed(errors: np.ndarray) -> np.ndarray:
    """The largest of each error and its neighbours."""
    padded = np.pad(errors, SMOOTHED_NEIGHBOURS, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * SMOOTHED_NEIGHBOURS + 1)
    return np.asarray(np.max(windows, axis=1))
