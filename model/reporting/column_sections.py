"""The sections of a report about columns: what they are, how important they are, and how predictions depend on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.checkpoint import Checkpoint
from model.messages import count_text
from model.reporting.axes import legend
from model.reporting.bars import bar_table, stacked
from model.reporting.charts import dependence_chart, dependence_text, mean_text
from model.reporting.elements import Node, element, shorten, table
from model.reporting.findings import Findings
from model.reporting.number_text import number_text, percent_text
from model.reporting.partial_dependence import MAX_CLASSES, MAX_ROWS, Dependence
from model.tasks import TASKS


def columns_section(findings: Findings, described: Sequence[Sequence[str]], file_name: str) -> Node:
    """The columns: name, type, range or categories, missing values and importance.

    Args:
        findings: what the report says.
        described: the name, the type and the range or categories of each column.
        file_name: of the file with the rows.

    Returns:
        The section.
    """
    importances = {each.name: each.loss_rise for each in findings.importances}
    missing = np.isnan(findings.rows.values).sum(axis=0).tolist()
    total = len(findings.rows.y)
    rows = [
        [name, kind, content, _missing_text(count, total), _signed(importances[name])]
        for (name, kind, content), count in zip(described, missing, strict=True)
    ]
    header = ["column", "type", "range or categories in training", f"missing in {shorten(file_name, 30)}", "importance"]
    return element(
        "section",
        {"id": "columns"},
        element("h2", {}, "What are the columns?"),
        table(f"{count_text(len(rows), 'column')} that predictions are made from", header, rows, numeric=[3, 4]),
    )


def _missing_text(count: int, total: int) -> str:
    return f"{count:,} ({percent_text(count / total)})" if count else "0"


def _signed(value: float) -> str:
    text = number_text(value)
    return text if value <= 0 else f"+{text}"


def importance_section(findings: Findings) -> Node:
    """The importance of every column, as bars.

    Args:
        findings: what the report says.

    Returns:
        The section.
    """
    score = TASKS[findings.checkpoint.task].score
    found = findings.importances
    intro = (
        f"By how much the {score} of the network rises if the values of a column are shuffled among the rows, so that "
        "the column no longer says anything; the mean of five shuffles, and ± their standard deviation. The gradient "
        "is the mean absolute change of the prediction for each interquartile range of a column of numbers."
    )
    learned = " The networks have learned from most of these rows, so this says what they use." * (
        findings.rows.are_learned
    )
    bars = bar_table(
        "Importance of the columns, the most important first",
        ["column", "", f"rise of the {score}", "±", "gradient"],
        [each.name for each in found],
        [[each.loss_rise] for each in found],
        [[_signed(each.loss_rise), number_text(each.spread, 2), number_text(each.gradient)] for each in found],
    )
    heading = element("h2", {}, "Which columns matter?")
    return element("section", {"id": "importance"}, heading, element("p", {}, intro + learned), bars)


def dependence_section(findings: Findings) -> Node:
    """How predictions change with the most important columns.

    Args:
        findings: what the report says.

    Returns:
        The section.
    """
    checkpoint = findings.checkpoint
    averaged = min(int((~np.isnan(findings.rows.y)).sum()), MAX_ROWS)
    intro = (
        f"The mean prediction over {count_text(averaged, 'row')} if all of them had the same value in one column, and "
        "kept their own values in all others (partial dependence; Friedman, 2001). It describes the network, not "
        "causes. Where columns depend on each other, some of these combinations do not occur."
    )
    if len(checkpoint.classes) > MAX_CLASSES:
        intro += f" Of {len(checkpoint.classes)} classes, the {MAX_CLASSES} that are likeliest on average are shown."
    if not findings.dependences:
        intro = "No column varies in these rows, so there is nothing to show."
    drawn = [_dependence(checkpoint, each) for each in findings.dependences]
    heading = element("h2", {}, "How do predictions depend on them?")
    return element(
        "section",
        {"id": "dependence"},
        heading,
        element("p", {}, intro),
        element("div", {"class": "figures"}, *drawn),
    )


def _dependence(checkpoint: Checkpoint, dependence: Dependence) -> Node:
    label = f"mean {checkpoint.target}"
    if checkpoint.classes:
        label = f"mean probability of {dependence.outputs[0]}" if checkpoint.task == "binary" else "mean probability"
    if dependence.categories:
        return _category_bars(dependence, label, bool(checkpoint.classes))
    spec = checkpoint.column_specs[checkpoint.columns.index(dependence.name)]
    return dependence_chart(dependence, spec, label, bool(checkpoint.classes))


def _category_bars(dependence: Dependence, label: str, are_probabilities: bool) -> Node:
    """The partial dependence on a column of texts, as bars. label: what the means are of."""
    means = dependence.means.tolist()
    texts = [
        [stacked([mean_text(mean, are_probabilities) for mean in row]), f"{count:,}"]
        for row, count in zip(means, dependence.counts.tolist(), strict=True)
    ]
    names = [shorten(name, 30) for name in dependence.categories]
    header = [shorten(dependence.name, 30), "", "mean", "rows"]
    bars = bar_table(f"{label}, by {dependence.name}", header, names, means, texts)
    is_single = len(dependence.outputs) == 1
    words = dependence_text(dependence, names, are_probabilities) if is_single else ""
    rest = f" {count_text(dependence.left_out, 'rarer text')} not shown." if dependence.left_out else ""
    title = element("strong", {}, f"How predictions change with {dependence.name}.")
    below = [] if is_single else [legend(dependence.outputs)]
    return element("figure", {}, bars, *below, element("figcaption", {}, title, f" {words}{rest}"))
