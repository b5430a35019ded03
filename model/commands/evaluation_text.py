"""How good a network is, as text: metrics with their intervals next to the baseline, and the confusion matrix."""

from __future__ import annotations

import math

from model.checkpoint import Checkpoint
from model.evaluation.thresholds import mistake_costs
from model.evaluation.training_record import TrainingRecord
from model.messages import align_columns

# More classes than these make no table: the most frequent mistakes are listed instead.
MAX_SHOWN_CLASSES, MAX_SHOWN_MISTAKES = 10, 8
# Characters of a class's name in the table, and in the list of mistakes.
MAX_CLASS_CHARACTERS, MAX_MISTAKEN_CHARACTERS = 20, 50
# These metrics have no unit; all others of a regression have the target's.
WITHOUT_UNIT = ("R²",)
# Digits of the RMSE that are shown, and decimals of a metric without a unit.
DIGITS, DECIMALS = 4, 4


def evaluation_text(checkpoint: Checkpoint, baseline: str = "baseline") -> str:
    """The metrics of a checkpoint, what its labels are, and which classes it confuses.

    Args:
        checkpoint: trained on a file.
        baseline: what the baseline is called.

    Returns:
        Several lines: a table of the metrics, and with classes a table of the targets and the labels.
    """
    parts = [align_columns(_metric_rows(checkpoint.training, baseline, _decimals(checkpoint)))]
    if len(checkpoint.classes) == 2:
        parts[0] += f"\n{_second_class_text(checkpoint)}"
    if checkpoint.training.confusion:
        parts.append(_confusion_text(checkpoint))
    return "\n\n".join(parts)


def _metric_rows(record: TrainingRecord, baseline: str, decimals: int) -> list[list[str]]:
    columns = [
        ["", *record.metrics],
        ["network", *(_number_text(name, value, decimals) for name, value in record.metrics.items())],
        ["90 % interval", *(_interval_text(record, name, decimals) for name in record.metrics)],
        [baseline, *(_number_text(name, record.baseline.get(name), decimals) for name in record.metrics)],
    ]
    return [list(row) for row in zip(columns[0], *map(_align_right, columns[1:]), strict=True)]


def _align_right(column: list[str]) -> list[str]:
    width = max(map(len, column))
    return [cell.rjust(width) for cell in column]


def _interval_text(record: TrainingRecord, name: str, decimals: int) -> str:
    if name not in record.intervals:
        return ""
    lower, upper = (_number_text(name, end, decimals) for end in record.intervals[name])
    return f"{lower} to {upper}"


def _number_text(name: str, value: float | None, decimals: int) -> str:
    if value is None:
        return ""
    return f"{value:,.{DECIMALS if name in WITHOUT_UNIT else decimals}f}"


def _decimals(checkpoint: Checkpoint) -> int:
    """How many decimals the metrics have."""
    error = checkpoint.training.metrics.get("RMSE")
    if not error or not math.isfinite(error):
        return DECIMALS
    return max(0, DIGITS - 1 - math.floor(math.log10(error)))


def _second_class_text(checkpoint: Checkpoint) -> str:
    first, second = map(str, checkpoint.classes)
    rule = checkpoint.training.threshold
    costs = mistake_costs(rule)
    if not isinstance(rule, str):
        reason = ""
    elif not all(map(any, checkpoint.training.confusion)):
        reason = f", because these rows have one class only, so that {rule} has nothing to choose from"
    elif costs is None:
        reason = ", which maximizes F1 on these rows"
    else:
        mistakes = f"{costs[0]:g} × ({first} labeled {second}) + {costs[1]:g} × ({second} labeled {first})"
        reason = f", which minimizes {mistakes} on these rows"
    measured = f"Recall, precision, F1 and average precision are those of {second}."
    if "recall" not in checkpoint.training.metrics:
        measured = f"No row is of {second}, so recall, AUC and average precision cannot be measured."
    return f"{measured}\nThe label is {second} from a probability of {checkpoint.threshold:.4g}{reason}."


def _confusion_text(checkpoint: Checkpoint) -> str:
    counts, names = checkpoint.training.confusion, [_shorten(str(name)) for name in checkpoint.classes]
    if len(names) <= MAX_SHOWN_CLASSES:
        labels = zip(names, *(map("{:,}".format, row) for row in counts), strict=True)
        columns = [[f"{_shorten(checkpoint.target)} ↓ label →", *names], *map(_align_right, map(list, labels))]
        return align_columns([list(row) for row in zip(*columns, strict=True)])
    mistakes = [
        (count, target, label)
        for target, row in enumerate(counts)
        for label, count in enumerate(row)
        if count and label != target
    ]
    if not mistakes:
        return f"No row is labeled with another of the {len(names)} classes."
    shown = sorted(mistakes, key=lambda mistake: -mistake[0])[:MAX_SHOWN_MISTAKES]
    rows = [
        [
            f"{count:,}",
            _shorten(str(checkpoint.classes[target]), MAX_MISTAKEN_CHARACTERS),
            _shorten(str(checkpoint.classes[label]), MAX_MISTAKEN_CHARACTERS),
        ]
        for count, target, label in shown
    ]
    return align_columns([["mistaken rows", checkpoint.target, "label"], *rows])


def _shorten(name: str, max_characters: int = MAX_CLASS_CHARACTERS) -> str:
    return name if len(name) <= max_characters else f"{name[: max_characters - 1]}…"
