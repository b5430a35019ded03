"""A column of dates or times, and the inputs that the network sees of it."""

from __future__ import annotations

import msgspec
import numpy as np
from jaxtyping import Float

from model.tables.moments import EDGE_SHARES, distinct_edges, mean_and_deviation, quantiles

SECONDS_PER_DAY = 86_400
# The parts of a date that repeat, and after how many units. Each becomes a sine and a cosine.
PERIODS = {"month": 12, "day": 31, "weekday": 7, "hour": 24}


class DateColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="date"):
    """A column of points in time, in seconds since 1970, or since midnight.

    Attributes:
        style: how they are written: one of STYLES, SHORT_YMD and DIGITS in `date_spelling`.
        mean: of the seconds in training.
        scale: their standard deviation; 0 if they are all the same.
        minimum: the earliest in training; None if there was none.
        maximum: the latest.
        edges: of the bins of the scaled time, as the network sees them: quantiles in ascending order.
        parts: which parts of a date vary in training: year, month, day, weekday and hour.
        missing: whether values were missing. If so, there is a further input, which is 1 for a missing value and 0 for
            others. All other inputs of a missing value are 0.
        absent: texts that stand for a missing value in this column, besides the usual ones.
        is_open: whether a missing value is accepted although `missing` is False. All its inputs are 0.
    """

    style: str
    mean: float = 0.0
    scale: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    edges: tuple[float, ...] = ()
    parts: tuple[str, ...] = ()
    missing: bool = False
    absent: tuple[str, ...] = ()
    is_open: bool = False

    @property
    def input_count(self) -> int:
        """How many inputs the column has."""
        return 1 + sum(2 if part in PERIODS else 1 for part in self.parts) + self.missing

    @property
    def unknown_inputs(self) -> Float[np.ndarray, " inputs"]:
        """The inputs of a missing value if none was missing in training, in float32."""
        return np.zeros(self.input_count, np.float32)


def fit_date(
    seconds: Float[np.ndarray, " rows"], style: str, weights: Float[np.ndarray, " rows"] | None = None
) -> DateColumn:
    """The mean, the scale, the range and the varying parts of a column of dates.

    Args:
        seconds: [rows] float64, NaN where a value is missing.
        style: how they are written.
        weights: [rows], how often each row counts, above 0; by default all count once.

    Returns:
        The column.

    Example:
        >>> column = fit_date(np.array([0.0, 86400.0, np.nan]), "ymd")
        >>> column.parts, column.input_count
        (('day', 'weekday'), 6)
    """
    absent = np.isnan(seconds)
    present = seconds[~absent]
    if not len(present):
        return DateColumn(style, missing=bool(absent.any()))
    values = date_parts(present)
    parts = tuple(name for name, each in values.items() if np.ptp(each) > 0)
    parts = tuple(name for name in parts if name == "hour") if style == "time" else parts
    low, high = float(present.min()), float(present.max())
    counts = None if weights is None else weights[~absent]
    mean, deviation = mean_and_deviation(present, counts) if high > low else (low, 0.0)
    scaled = (quantiles(present, EDGE_SHARES, counts) - mean) / (deviation or 1.0)
    edges = distinct_edges(scaled)
    return DateColumn(style, mean, deviation, low, high, edges, parts, bool(absent.any()))


def date_parts(seconds: Float[np.ndarray, " rows"]) -> dict[str, Float[np.ndarray, " rows"]]:
    """The parts of points in time.

    Args:
        seconds: [rows] since 1970, none missing.

    Returns:
        [rows] float64 for each part: the year, the month, the day of the month, the day of the week and the hour. All
        but the year are counted from 0, where Monday is 0. The hour has a fraction.

    Example:
        >>> [float(part[0]) for part in date_parts(np.array([1.5 * 3600])).values()]
        [1970.0, 0.0, 0.0, 3.0, 1.5]
    """
    days = np.floor(seconds / SECONDS_PER_DAY).astype("datetime64[D]")
    months, years = days.astype("datetime64[M]"), days.astype("datetime64[Y]")
    return {
        "year": years.astype(np.float64) + 1970,
        "month": (months - years.astype("datetime64[M]")).astype(np.float64),
        "day": (days - months.astype("datetime64[D]")).astype(np.float64),
        "weekday": (days.astype(np.int64) + 3) % 7 + 0.0,
        "hour": seconds % SECONDS_PER_DAY / 3600,
    }


def date_inputs(column: DateColumn, seconds: Float[np.ndarray, " rows"]) -> Float[np.ndarray, "rows inputs"]:
    """What the network sees of points in time.

    Args:
        column: of the values.
        seconds: [rows] float64, NaN where a value is missing.

    Returns:
        [rows, inputs] float64: the scaled time, the scaled year, and sines and cosines of the other parts.
    """
    absent = np.isnan(seconds)
    known = np.where(absent, column.mean, seconds)
    inputs = [(known - column.mean) / column.scale if column.scale else np.zeros(len(known))]
    parts = date_parts(known)
    for name in column.parts:
        if name in PERIODS:
            angle = 2 * np.pi * parts[name] / PERIODS[name]
            inputs += [np.sin(angle), np.cos(angle)]
        else:
            mean_year = date_parts(np.array([column.mean]))["year"][0]
            inputs.append((parts[name] - mean_year) / max(1.0, column.scale / (365.25 * SECONDS_PER_DAY)))
    x = np.stack(inputs, axis=1)
    x[absent] = 0.0
    return np.concatenate([x, absent[:, None]], axis=1) if column.missing else x
