"""A report as text: a table of derivatives, remarks, diagnoses, and a summary in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from model.checking.findings import Derivative, Findings
from model.checking.verdicts import Verdict
from model.messages import align_columns

if TYPE_CHECKING:
    from rich.console import Group

# Rows of a printed table. Of more, those that do not agree are shown first.
MAX_SHOWN_ROWS = 60
COLORS = {"agrees": "green", "wrong": "bold red", "not finite": "bold red"}
OTHER_COLOR = "yellow"
# Methods with a column of their own, in this order.
METHODS = ("jvp", "by_hand", "grad")


def report_lines(report: Findings) -> list[str]:
    """The report as lines of text.

    Args:
        report: of a check.

    Returns:
        The table, the remarks, the diagnoses and the summary.
    """
    return [align_columns(table(report)), *remarks(report)]


def rich_report(report: Findings) -> Group:
    """The report for `rich.print`.

    Args:
        report: of a check.

    Returns:
        The same as `report_lines`, in color.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    header, *rows = table(report)
    rich_table = Table(box=None, pad_edge=False)
    for column in header:
        is_text = column in (header[0], header[-1])
        rich_table.add_column(column, justify="left" if is_text else "right", no_wrap=True)
    for *cells, verdict in rows:
        rich_table.add_row(*cells, Text(verdict, style=COLORS.get(verdict.split(":")[0], OTHER_COLOR)))
    return Group(rich_table, *map(Text, remarks(report)))


def table(report: Findings) -> list[list[str]]:
    """The cells of the table.

    Args:
        report: of a check.

    Returns:
        A header, a row for each parameter, the worst first if there are many, and a row for each direction.
    """
    parameters: Sequence[Derivative] = report.parameters
    if len(parameters) > MAX_SHOWN_ROWS:
        parameters = _worst_first(parameters)[:MAX_SHOWN_ROWS]
    methods = [method for method in METHODS if any(getattr(row, method) is not None for row in report.rows)]
    header = ["parameter", "nudge", "±", *(_method_name(report, method) for method in methods), "verdict"]
    return [header, *(_cells(report, row, methods) for row in (*parameters, *report.directions))]


def _cells(report: Findings, row: Derivative, methods: Sequence[str]) -> list[str]:
    values = [getattr(row, method) for method in methods]
    wrong = ", ".join(_method_name(report, method) for method in row.wrong)
    return [
        f"{row.name} (2nd)" if row.order == 2 else row.name,
        _number(row.nudge) if row.sides is None else " | ".join(map(_number, row.sides)),
        f"{row.error:.0e}" if row.sides is None else "",
        *("" if value is None else _number(value) for value in values),
        f"{row.verdict}: {wrong}" if wrong and len(methods) > 1 else str(row.verdict),
    ]


def _method_name(report: Findings, method: str) -> str:
    return report.by_hand_name if method == "by_hand" else method


def remarks(report: Findings) -> list[str]:
    """What is below the table.

    Args:
        report: of a check.

    Returns:
        What was left out, which methods are missing, what is wrong, and the summary; a line each.
    """
    lines = [_remark(report, *note) for note in report.notes]
    if len(report.parameters) > MAX_SHOWN_ROWS:
        lines.insert(0, f"… and {len(report.parameters) - MAX_SHOWN_ROWS:,} more parameters, none worse.")
    return [*lines, *map(str, report.diagnoses), summarize(report)]


def _remark(report: Findings, method: str, reason: str) -> str:
    if method == "surrogate":
        return f"Values are those of the surrogate, {reason}; gradients are those of fun."
    return f"{_method_name(report, method)} is missing: {reason}."


def summarize(report: Findings) -> str:
    """The report in one sentence.

    Args:
        report: of a check.

    Returns:
        Whether all derivatives agree, how many parameters were tried, and what could not be judged.
    """
    if not report.parameters:
        return "No parameters to check."
    counts = Counter(row.verdict for row in report.parameters)
    parts = [f"{counts.pop(Verdict.AGREES, 0):,} of {len(report.parameters):,} tried agree"]
    parts += [f"{counts[verdict]:,} {verdict}" for verdict in Verdict if counts.get(verdict)]
    wrong_directions = sum(not row.verdict.ok for row in report.directions)
    if wrong_directions:
        parts.append(f"{wrong_directions} of {len(report.directions)} directions wrong")
    is_sample = len(report.parameters) < report.entries
    of = f" of {report.entries:,} parameters" if is_sample else ""
    seen = ""
    if is_sample and report.visible:
        seen = f"; an error above {report.visible:.0e} in another would have been seen"
    worst = f"worst relative error {report.max_relative_error:.0e}"
    return f"{_conclusion(report)}: {', '.join(parts)}{of}; {worst}{seen}."


def _conclusion(report: Findings) -> str:
    if not report.ok:
        return "The gradients DISAGREE"
    return "The gradients agree" if report.is_known else "Nothing could be judged"


def _worst_first(rows: Sequence[Derivative]) -> list[Derivative]:
    ranks = {verdict: rank for rank, verdict in enumerate((Verdict.WRONG, Verdict.NOT_FINITE, Verdict.NOISY))}
    return sorted(
        rows,
        key=lambda row: (ranks.get(row.verdict, len(ranks)), -np.nan_to_num(row.relative_error, nan=np.inf)),
    )


def _number(value: float) -> str:
    """Nine decimals if they show the number, otherwise nine digits."""
    return f"{value:+.9f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:+.8e}"
