"""Predictions against what was true, drawn by matplotlib: a reliability diagram, or numbers against numbers."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from model.checkpoint import Checkpoint
from model.commands.importance_chart import BLUE, GRAY, GRID, INK, ORANGE
from model.evaluation.reliability import MAX_BINS, Bin

# Inches.
SHARES_SIZE, NUMBERS_SIZE = (6.4, 7.4), (6.4, 6.4)
MAX_NAME_CHARACTERS = 40


def draw_reliability(checkpoint: Checkpoint) -> Figure:
    """Draw the bins of a checkpoint against the diagonal, on which predictions are right on average.

    With classes it is a reliability diagram (Murphy and Winkler, Applied Statistics 26, 1977): observed shares with
    their 90 % intervals, and below them how many rows have which probability. In a regression, it is the mean of the
    numbers for each tenth of the predictions, with the range that holds 90 % of them.

    Args:
        checkpoint: trained on a file.

    Returns:
        The figure.

    Example:
        >>> import numpy as np
        >>> from model.checkpoint import TrainingRecord
        >>> from model.ensembles import Members
        >>> from model.network import Layer, Network
        >>> bins = (Bin(8, 0.2, 0.25, 0.1, 0.5), Bin(2, 0.9, 1.0, 0.4, 1.0))
        >>> record = TrainingRecord(table="ships.csv", epoch=1, loss=0.1, seed=0, rows=10, reliability=bins)
        >>> params = [Layer(np.zeros((1, 1)), np.zeros(1))]
        >>> ensemble = (Members(Network((1, 1)), params),)
        >>> figure = draw_reliability(Checkpoint(ensemble, ("age",), "survived", ("no", "yes"), record))
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['observed share of yes', 'rows']
    """
    record, task, target = checkpoint.training, checkpoint.task, _shorten(checkpoint.target)
    figure = Figure(figsize=NUMBERS_SIZE if task == "regression" else SHARES_SIZE, layout="constrained")
    rows = sum(each.rows for each in record.reliability)
    measured = (
        f"{rows:,} {'row' if rows == 1 else 'rows'} {'held out' if record.held_out else 'that were learned from'}"
    )
    title = f"{_shorten(record.table)}: are predictions of {target} right?\n{measured}"
    figure.suptitle(title, x=0.02, ha="left", color=INK, fontsize=11, parse_math=False)
    if task == "regression":
        _draw_numbers(figure.subplots(), record.reliability, target)
        return figure
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    if task == "binary":
        second = _shorten(str(checkpoint.classes[1]))
        _draw_shares(upper, record.reliability, f"observed share of {second}")
        lower.axvline(checkpoint.threshold, color=INK, linestyle=":")
        described = f"predicted probability of {second}, which is the label from {checkpoint.threshold:.4g} (dotted)"
    else:
        _draw_shares(upper, record.reliability, "share of rows with the right label")
        described = "predicted probability of the likeliest class"
    _draw_counts(lower, record.reliability)
    lower.set_xlabel(described, color=INK, parse_math=False)
    return figure


def _draw_shares(axes: Axes, bins: Sequence[Bin], label: str) -> None:
    _style(axes)
    axes.plot([0, 1], [0, 1], color=GRAY, linestyle="--", linewidth=1, label="as predicted")
    _draw_points(axes, bins, "observed, with the 90 % interval")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel(label, color=INK, parse_math=False)
    _add_legend(axes)


def _draw_counts(axes: Axes, bins: Sequence[Bin]) -> None:
    _style(axes)
    starts = [min(int(each.predicted * MAX_BINS), MAX_BINS - 1) / MAX_BINS for each in bins]
    bars = axes.bar(starts, [each.rows for each in bins], width=0.94 / MAX_BINS, align="edge", color=ORANGE)
    axes.bar_label(bars, fmt="{:,.0f}", color=INK, fontsize=8, padding=2)
    axes.margins(y=0.25)
    axes.set_ylabel("rows", color=INK)


def _draw_numbers(axes: Axes, bins: Sequence[Bin], target: str) -> None:
    _style(axes)
    ends = [number for each in bins for number in (each.predicted, each.lower, each.upper)]
    axes.plot(
        [min(ends), max(ends)], [min(ends), max(ends)], color=GRAY, linestyle="--", linewidth=1, label="as predicted"
    )
    _draw_points(axes, bins, "mean, with the range of 90 % of the rows")
    axes.set_xlabel(f"predicted {_shorten(target)}, in {len(bins)} groups of rows", color=INK, parse_math=False)
    axes.set_ylabel(f"actual {_shorten(target)}", color=INK, parse_math=False)
    _add_legend(axes)


def _draw_points(axes: Axes, bins: Sequence[Bin], label: str) -> None:
    predicted, observed = [each.predicted for each in bins], [each.observed for each in bins]
    below = [max(each.observed - each.lower, 0) for each in bins]
    above = [max(each.upper - each.observed, 0) for each in bins]
    axes.errorbar(
        predicted,
        observed,
        yerr=[below, above],
        color=BLUE,
        marker="o",
        capsize=3,
        linewidth=1.5,
        elinewidth=1,
        label=label,
    )


def _add_legend(axes: Axes) -> None:
    """Put the legend above the axes, where it covers nothing."""
    anchor = (-0.02, 1)
    axes.legend(loc="lower left", bbox_to_anchor=anchor, ncols=2, frameon=False, fontsize=9, labelcolor=INK)


def _style(axes: Axes) -> None:
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(color=GRAY, labelcolor=GRAY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRAY)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_NAME_CHARACTERS else f"{text[: MAX_NAME_CHARACTERS - 1]}…"
