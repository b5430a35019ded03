"""The sections of a report that say how good predictions are."""

from __future__ import annotations

from collections.abc import Sequence

from model.checkpoint import Checkpoint
from model.evaluation.evaluate import Evaluation
from model.messages import count_text
from model.reporting.charts import pair_chart, reliability_chart, residual_chart
from model.reporting.elements import Node, element, shorten, table
from model.reporting.findings import Findings, Measured
from model.reporting.number_text import (
    WITHOUT_UNIT_DECIMALS,
    fixed_text,
    metric_decimals,
    number_text,
    percent_text,
)
from model.tasks import TASKS

WITHOUT_UNIT = ("R²",)
MAX_SHOWN_CLASSES, MAX_SHOWN_MISTAKES = 10, 10
# How dark the cell of a class is that is always labeled right.
DARKEST_CELL = 0.45


def verdict(findings: Findings) -> tuple[str, bool]:
    """Whether the network is better than the baseline, and by how much.

    Args:
        findings: what the report says.

    Returns:
        One sentence, and whether it is surely better: the whole 90 % interval lies below the baseline.
    """
    measured, score = findings.main, TASKS[findings.checkpoint.task].score
    found, baseline = measured.evaluation.metrics.get(score), measured.baseline.get(score)
    if found is None or not baseline:
        return f"The {score} cannot be compared with that of a baseline.", False
    decimals = _decimals(measured.evaluation)
    value, other = fixed_text(found, decimals), fixed_text(baseline, decimals)
    ends = measured.evaluation.intervals.get(score)
    interval = f" (90 % interval {_interval_text(ends, decimals)})" if ends else ""
    compared = f"its {score} is {value}{interval}, and that of the baseline is {other}"
    if findings.rows.are_learned and not findings.checkpoint.training.held_out:
        return f"On rows that the network has learned from, {compared}; nothing is known of other rows.", False
    if found >= baseline:
        return f"The network is not better than the baseline: {compared}.", False
    less = (
        f"The network is better than the baseline: {compared}, so it is {percent_text(1 - found / baseline)} smaller."
    )
    if ends is None or ends[1] < baseline:
        return less, True
    return f"The network may not be better than the baseline: {compared}, which lies within the interval.", False


def metrics_section(findings: Findings, file_name: str) -> Node:
    """The metrics with their intervals and the baseline.

    Args:
        findings: what the report says.
        file_name: of the file with the rows.

    Returns:
        The section.
    """
    parts = [("", findings.main)]
    if findings.further is not None:
        parts = [(f" on {shorten(file_name, 30)}", findings.further), (" in training", findings.trained)]
    decimals = _decimals(findings.main.evaluation)
    header = ["metric"]
    for where, _ in parts:
        header += [f"network{where}", "90 % interval", "baseline"]
    rows = [
        [name, *(cell for _, measured in parts for cell in _metric_cells(measured, name, decimals))]
        for name in findings.main.evaluation.metrics
    ]
    made = table("How good the predictions are", header, rows, numeric=range(1, len(header)))
    return element(
        "section",
        {"id": "metrics"},
        element("h2", {}, "How good is it?"),
        *(element("p", {}, sentence) for sentence in _explanations(findings)),
        made,
        *(element("p", {}, sentence) for sentence in _label_sentences(findings)),
    )


def rows_sentence(findings: Findings, file_name: str) -> str:
    """Which rows the report measures on.

    Args:
        findings: what the report says.
        file_name: of the file with the rows.

    Returns:
        One sentence or two.
    """
    record = findings.checkpoint.training
    if findings.further is not None:
        return (
            f"Measured on {count_text(findings.further.rows, 'row')} of {file_name}, which is not the file of "
            "training, or not all of it. If some of these rows were learned from, the metrics are too good"
            f"{_suspicion(findings)}."
        )
    same = f"{file_name} holds the rows of training"
    if record.held_out:
        unseen = f"on rows that a network had not learned from: {record.split}"
        return f"{same}. So the metrics are those of training, {unseen}."
    return (
        f"{same}, and none of them were held out. So the metrics are of {count_text(findings.trained.rows, 'row')} "
        "that the network has learned from, and they are too good."
    )


def _suspicion(findings: Findings) -> str:
    """What to add if the rows of the file are predicted much better than those that were held out in training."""
    score = TASKS[findings.checkpoint.task].score
    ends = [measured.evaluation.intervals.get(score) for measured in (findings.main, findings.trained)]
    if ends[0] is None or ends[1] is None or ends[0][1] >= ends[1][0]:
        return ""
    return f"; this is likely, because the {score} is much smaller than in training"


def _explanations(findings: Findings) -> list[str]:
    guess = "their mean"
    if findings.checkpoint.classes:
        guess = "the share of each class, and as its label the most frequent class"
    known = "the targets of these rows" if findings.further is not None else "the targets that were learned from"
    return [
        f"The baseline is a guess that knows only {known}: {guess}.",
        "A 90 % interval says how far a metric of these rows may be from that of endless rows of the same kind.",
    ]


def _metric_cells(measured: Measured, name: str, decimals: int) -> list[str]:
    decimals = WITHOUT_UNIT_DECIMALS if name in WITHOUT_UNIT else decimals
    evaluation, baseline = measured.evaluation, measured.baseline.get(name)
    value, ends = evaluation.metrics.get(name), evaluation.intervals.get(name)
    return [
        "" if value is None else fixed_text(value, decimals),
        "" if ends is None else _interval_text(ends, decimals),
        "" if baseline is None else fixed_text(baseline, decimals),
    ]


def _interval_text(ends: tuple[float, float], decimals: int) -> str:
    return f"{fixed_text(ends[0], decimals)} to {fixed_text(ends[1], decimals)}"


def _decimals(evaluation: Evaluation) -> int:
    return metric_decimals(evaluation.metrics.get("RMSE"))


def _label_sentences(findings: Findings) -> list[str]:
    checkpoint = findings.checkpoint
    if len(checkpoint.classes) != 2:
        return []
    second = str(checkpoint.classes[1])
    return [
        f"Recall, precision, F1 and average precision are those of {second}. "
        f"The label is {second} from a probability of {number_text(checkpoint.threshold)} on."
    ]


def outcome_section(findings: Findings) -> Node:
    """Where predictions are right and wrong: classes that are confused, or numbers against numbers.

    Args:
        findings: what the report says.

    Returns:
        The section.
    """
    checkpoint, measured = findings.checkpoint, findings.main
    evaluation, target = measured.evaluation, shorten(checkpoint.target, 30)
    figures = list[Node]()
    parts = list[Node]()
    if checkpoint.classes:
        parts += [_confusion(checkpoint, evaluation)] if evaluation.confusion else []
        if evaluation.reliability:
            second = shorten(str(checkpoint.classes[1]), 20)
            is_binary = checkpoint.task == "binary"
            predicted = f"predicted probability of {second}" if is_binary else "probability of the likeliest class"
            observed = f"observed share of {second}" if is_binary else "share of rows with this class"
            figures.append(reliability_chart(evaluation.reliability, predicted, observed))
    else:
        parts.append(element("p", {}, _interval_sentence(findings)))
        if evaluation.reliability:
            figures.append(pair_chart(evaluation.pairs, evaluation.reliability, target, measured.rows))
        if evaluation.pairs:
            figures.append(residual_chart(evaluation.pairs, target))
    return element(
        "section",
        {"id": "outcomes"},
        element("h2", {}, "Where is it right and wrong?"),
        *parts,
        element("div", {"class": "figures"}, *figures),
    )


def _interval_sentence(findings: Findings) -> str:
    margin, scaling = findings.checkpoint.residuals.margin, findings.checkpoint.target_scaling
    if not margin:
        return "Predictions have no intervals, because no rows were held out in training."
    width = "" if scaling.knee else f", ± {number_text(margin * scaling.scale)},"
    if findings.coverage is None:
        return (
            f"Each prediction has a 90 % interval{width} which was chosen so that it holds the actual number in nine "
            "of ten of these rows. Whether it does so for other rows, a report on another file says."
        )
    share, ends = findings.coverage
    return (
        f"The 90 % interval{width} of a prediction holds the actual number in {percent_text(share)} of these rows "
        f"(90 % interval of that share: {percent_text(ends[0])} to {percent_text(ends[1])})."
    )


def _confusion(checkpoint: Checkpoint, evaluation: Evaluation) -> Node:
    """The confusion matrix; of many classes, the most frequent mistakes."""
    names, counts = [shorten(str(name), 24) for name in checkpoint.classes], evaluation.confusion
    if len(names) > MAX_SHOWN_CLASSES:
        return _mistakes(names, counts)
    right = [percent_text(row[index] / sum(row)) if any(row) else "" for index, row in enumerate(counts)]
    rows = [
        [name, *(f"{count:,}" for count in row), f"{sum(row):,}", share]
        for name, row, share in zip(names, counts, right, strict=True)
    ]
    caption = f"Rows by {shorten(checkpoint.target)} (down) and label (across)"
    header = [f"{shorten(checkpoint.target, 24)} ↓ label →", *names, "all", "right"]
    made = table(caption, header, rows, numeric=range(1, len(header)))
    assert not isinstance(made, str)
    for index, (cells, row) in enumerate(zip(made.findall(".//tbody/tr"), counts, strict=True)):
        for label, cell in enumerate(cells.findall("td")[: len(names)]):
            share = row[label] / sum(row) if any(row) else 0.0
            cell.set("class", "share right" if label == index else "share")
            cell.set("style", f"background-color: rgba(var(--cell), {DARKEST_CELL * share:.3f})")
    return made


def _mistakes(names: Sequence[str], counts: Sequence[Sequence[int]]) -> Node:
    mistakes = [
        (count, names[actual], names[label])
        for actual, row in enumerate(counts)
        for label, count in enumerate(row)
        if count and label != actual
    ]
    if not mistakes:
        return element("p", {}, f"No row is labeled with another of the {len(names)} classes.")
    shown = sorted(mistakes, key=lambda mistake: -mistake[0])[:MAX_SHOWN_MISTAKES]
    rows = [[actual, label, f"{count:,}"] for count, actual, label in shown]
    return table("The most frequent mistakes", ["actual", "label", "rows"], rows, numeric=[2])
