"""The drawings of a report, as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from model.evaluation.reliability import Bin, Pair
from model.evaluation.training_record import LossPoint
from model.reporting.axes import Axis, Picture, axis_around, histogram, legend
from model.reporting.elements import Node
from model.reporting.number_text import fixed_text, number_text
from model.reporting.partial_dependence import Dependence
from model.tables.columns import ColumnSpec
from model.tables.date_columns import SECONDS_PER_DAY, DateColumn
from model.tables.date_spelling import describe_date

# The histogram below a curve takes this share of its height.
RESIDUAL_BINS, HISTOGRAM_SHARE = 25, 0.2
# Dates over so many days are written without a time.
DAYS_WITHOUT_TIME = 5
# The smallest and the largest radius of a dot that stands for several rows.
SMALLEST_DOT, LARGEST_DOT = 2.5, 7.0


def reliability_chart(bins: Sequence[Bin], predicted: str, observed: str) -> Node:
    """A reliability diagram (Murphy and Winkler, Applied Statistics 26, 1977).

    Args:
        bins: rows with similar probabilities, at least one.
        predicted: what the probability is of.
        observed: what the share is of.

    Returns:
        The figure.

    Example:
        >>> from xml.etree.ElementTree import Element
        >>> made = reliability_chart([Bin(8, 0.2, 0.25, 0.1, 0.5)], "probability of yes", "share of yes")
        >>> isinstance(made, Element) and len(made.findall(".//circle"))
        1
    """
    picture = Picture(Axis(0.0, 1.0, predicted), Axis(0.0, 1.0, observed))
    most = max(each.rows for each in bins)
    marks = [picture.line("diagonal", 0, 0, 1, 1)]
    for each in bins:
        radius = SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * math.sqrt(each.rows / most)
        marks.append(picture.line("whisker", each.predicted, each.lower, each.predicted, each.upper))
        marks.append(picture.dot("fill-0", each.predicted, each.observed, radius))
    description = (
        "Each dot is the rows with similar probabilities; a larger one is more rows. On the dashed line, predicted "
        "probabilities and observed shares are the same. Lines through dots are 90 % intervals."
    )
    return picture.drawn("Are the probabilities right?", description, marks)


def pair_chart(pairs: Sequence[Pair], bins: Sequence[Bin], target: str, rows: int) -> Node:
    """Predictions of numbers against what was true.

    Args:
        pairs: of predictions and targets; without them, bins are drawn.
        bins: rows with similar predictions, at least one.
        target: the name of the target.
        rows: how many rows the pairs were drawn from.

    Returns:
        The figure.

    Example:
        >>> from xml.etree.ElementTree import Element
        >>> made = pair_chart([(1.0, 1.5), (2.0, 2.5)], [Bin(2, 1.5, 2.0, 1.5, 2.5)], "price", 2)
        >>> isinstance(made, Element) and len(made.findall(".//circle"))
        3
    """
    ends = [number for pair in pairs for number in pair]
    ends += [number for each in bins for number in (each.predicted, each.lower, each.upper)]
    both = axis_around(ends, "")
    low, high = both.low, both.high
    picture = Picture(Axis(low, high, f"predicted {target}"), Axis(low, high, f"actual {target}"))
    marks = [picture.line("diagonal", low, low, high, high)]
    marks += [picture.dot("faint fill-0", predicted, actual) for predicted, actual in pairs]
    for each in bins:
        marks.append(picture.line("whisker", each.predicted, each.lower, each.predicted, each.upper))
        marks.append(picture.dot("fill-1", each.predicted, each.observed, 4.0))
    shown = f"Each small dot is a row, {len(pairs):,} of {rows:,}. " if pairs else ""
    description = (
        f"{shown}Each large dot is the mean of about a tenth of the rows, and the line through it holds 90 % of their "
        "actual numbers. On the dashed line, predicted and actual numbers are the same."
    )
    return picture.drawn("Predicted and actual numbers", description, marks)


def residual_chart(pairs: Sequence[Pair], target: str) -> Node:
    """How the errors of numbers are distributed.

    Args:
        pairs: of predictions and targets, at least one.
        target: the name of the target.

    Returns:
        The figure.

    Example:
        >>> from xml.etree.ElementTree import Element
        >>> made = residual_chart([(1.0, 1.5), (2.0, 2.5)], "price")
        >>> isinstance(made, Element) and len(made.findall(".//rect"))
        1
    """
    errors = [actual - predicted for predicted, actual in pairs]
    across = axis_around(errors, f"actual − predicted {target}", from_zero=True)
    counted = histogram(errors, across.low, across.high, RESIDUAL_BINS)
    picture = Picture(across, Axis(0.0, 1.05 * max(count for *_, count in counted), "rows", whole=True))
    marks = [picture.column("bar fill-0", left, right, 0, count) for left, right, count in counted if count]
    marks.append(picture.line("diagonal", 0, picture.y.low, 0, picture.y.high))
    above = sum(error > 0 for error in errors)
    description = (
        f"The residuals of {len(errors):,} rows, from {number_text(min(errors))} to {number_text(max(errors))}. The "
        f"actual number is above the predicted one in {above:,} of them."
    )
    return picture.drawn("How far predictions are off", description, marks)


def dependence_chart(dependence: Dependence, spec: ColumnSpec, label: str, is_probability: bool) -> Node:
    """The partial dependence on a column of numbers or dates, above a histogram of its values.

    Args:
        dependence: on the column.
        spec: of the column.
        label: what the curves are of.
        is_probability: whether they are of probabilities.

    Returns:
        The figure.

    Example:
        >>> import numpy as np
        >>> from xml.etree.ElementTree import Element
        >>> from model.tables.columns import NumericColumn
        >>> curve = Dependence("age", np.array([1.0, 2.0]), (), ("yes",), np.array([[0.2], [0.4]]), np.array([3, 1]))
        >>> made = dependence_chart(curve, NumericColumn(), "probability of yes", True)
        >>> isinstance(made, Element) and len(made.findall(".//polyline"))
        1
    """
    points = dependence.points.tolist()
    text_of = point_text(spec, points[-1] - points[0])
    across = Axis(points[0], points[-1], dependence.name, text_of if isinstance(spec, DateColumn) else None)
    up = axis_around(dependence.means.ravel().tolist(), label)
    if is_probability:
        up = Axis(max(up.low, 0.0), min(up.high, 1.0), label)
    floor = up.low - HISTOGRAM_SHARE * (up.high - up.low)
    picture = Picture(across, Axis(floor, up.high, label, first_tick=up.low))
    marks = _columns_below(picture, dependence.counts.tolist(), up.low)
    marks += [picture.curve(f"series-{index}", points, each.tolist()) for index, each in enumerate(dependence.means.T)]
    words = dependence_text(dependence, [text_of(point) for point in points], is_probability)
    gray = "The gray columns at the bottom show how many rows have which value."
    title = f"How predictions change with {dependence.name}"
    if len(dependence.outputs) == 1:
        return picture.drawn(title, f"{words} {gray}", marks)
    return picture.drawn(title, f"{words} {gray}", marks, [legend(dependence.outputs)], caption=gray)


def _columns_below(picture: Picture, counts: Sequence[int], top: float) -> list[Node]:
    """A histogram between the bottom of a picture and a number of its vertical axis."""
    low, floor, most = picture.x.low, picture.y.low, max(*counts, 1)
    width, height = (picture.x.high - low) / len(counts), 0.9 * (top - floor)
    return [
        picture.column(
            "histogram", low + index * width, low + (index + 1) * width, floor, floor + height * count / most
        )
        for index, count in enumerate(counts)
    ]


def point_text(spec: ColumnSpec, span: float) -> Callable[[float], str]:
    """How the values of a column of numbers or dates are written.

    Args:
        spec: of the column.
        span: between the first and the last of the values; of dates in seconds.

    Returns:
        A function from a value to its text. In a span of several days, dates have no time.

    Example:
        >>> point_text(DateColumn("ymd"), 1e7)(90000.0), point_text(DateColumn("ymd"), 1e4)(90000.0)
        ('1970-01-02', '1970-01-02 01:00')
    """
    if not isinstance(spec, DateColumn):
        return number_text
    unit = SECONDS_PER_DAY if span >= DAYS_WITHOUT_TIME * SECONDS_PER_DAY else 60
    return lambda seconds: describe_date(seconds // unit * unit, spec.style)


def dependence_text(dependence: Dependence, points: Sequence[str], is_probability: bool) -> str:
    """A partial dependence in words.

    Args:
        dependence: on a column.
        points: the text of each point.
        is_probability: whether the means are probabilities.

    Returns:
        For each curve where it is lowest and highest.

    Example:
        >>> import numpy as np
        >>> curve = Dependence("age", np.array([1.0, 2.0]), (), ("yes",), np.array([[0.2], [0.4]]), np.array([3, 1]))
        >>> dependence_text(curve, ["1", "2"], True)
        'Mean prediction of yes: lowest, 0.200, at 1; highest, 0.400, at 2.'
    """
    sentences = []
    for name, curve in zip(dependence.outputs, dependence.means.T, strict=True):
        low, high = int(curve.argmin()), int(curve.argmax())
        ends = [mean_text(curve[index], is_probability) for index in (low, high)]
        sentences.append(
            f"Mean prediction of {name}: lowest, {ends[0]}, at {points[low]}; highest, {ends[1]}, at {points[high]}."
        )
    return " ".join(sentences)


def mean_text(mean: float, is_probability: bool) -> str:
    """A mean prediction.

    Args:
        mean: any number.
        is_probability: whether it is a probability.

    Returns:
        A probability with three decimals, or a number with three digits.

    Example:
        >>> mean_text(0.01234, True), mean_text(0.01234, False)
        ('0.012', '0.0123')
    """
    return fixed_text(mean, 3) if is_probability else number_text(mean)


def loss_chart(losses: Sequence[LossPoint]) -> Node:
    """The losses of training by epoch.

    Args:
        losses: at least two.

    Returns:
        The figure.

    Example:
        >>> from xml.etree.ElementTree import Element
        >>> made = loss_chart([LossPoint(10, 0.5, 0.6), LossPoint(20, 0.3, 0.5)])
        >>> isinstance(made, Element) and len(made.findall(".//polyline"))
        2
    """
    held_out = [(float(each.epoch), each.validation) for each in losses if each.validation is not None]
    training = [(float(each.epoch), each.training) for each in losses]
    curves = [training, held_out] if held_out else [training]
    up = axis_around([loss for curve in curves for _, loss in curve], "loss", from_zero=True)
    picture = Picture(Axis(training[0][0], training[-1][0], "epoch", whole=True), up)
    names = ["rows that are learned from", "rows held out"][: len(curves)]
    marks = [picture.curve(f"series-{index}", *zip(*curve, strict=True)) for index, curve in enumerate(curves)]
    ends = ", ".join(
        f"from {number_text(curve[0][1])} to {number_text(curve[-1][1])} on {name}"
        for name, curve in zip(names, curves, strict=True)
    )
    description = f"The loss of the best start went {ends}."
    return picture.drawn("How the loss fell", description, marks, [legend(names)])
