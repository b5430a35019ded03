"""How the target of a regression is scaled, which numbers its predictions stand for, and how sure they are."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from jaxtyping import Float

from model.tables.columns import NumericColumn
from model.tables.moments import mean_and_deviation, quantiles
from model.tables.numeric_scaling import present_values

# A target whose skewness is larger may be drawn together.
LARGE_SKEWNESS = 1.0
# Residuals are represented by the middles of so many equal parts, so that a few outliers do not count.
_RESIDUAL_PARTS = 64
# The share of the intervals that hold the target.
COVERAGE = 0.9


class Residuals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the errors on rows that were not learned from tell about predictions, with the target as it is scaled.

    Attributes:
        cosh: the mean of cosh(error / knee); 1 without a knee.
        sinh: the mean of sinh(error / knee); 0 without a knee.
        margin: nine errors of ten are within ± margin; 0 if fewer than nine rows were held out.
    """

    cosh: float = 1.0
    sinh: float = 0.0
    margin: float = 0.0


NO_RESIDUALS = Residuals()


def fit_target_scaling(
    values: Float[np.ndarray, " rows"], weights: Float[np.ndarray, " rows"] | None = None
) -> NumericColumn:
    """The mean, the standard deviation and the range of numbers to predict.

    Args:
        values: [rows] float64, NaN where a value is missing.
        weights: [rows], how often each row counts, above 0; by default all count once.

    Returns:
        A column without a knee and without bins.

    Raises:
        ValueError: if float32 cannot hold one of the values.

    Example:
        >>> column = fit_target_scaling(np.array([1.0, 3.0]))
        >>> column.center, column.scale
        (2.0, 1.0)
    """
    present, counts, column = present_values(values, weights)
    if not column.scale:
        return column
    mean, deviation = mean_and_deviation(present, counts)
    return msgspec.structs.replace(column, center=mean, scale=deviation)


def has_long_tail(scaling: NumericColumn, scaled: Float[np.ndarray, " rows"]) -> bool:
    """Whether a target is so skewed that another scale may be better.

    Args:
        scaling: of the target, without a knee.
        scaled: [rows], the target as it is scaled.

    Returns:
        True if the skewness is above 1 or below -1.

    Example:
        >>> [
        ...     has_long_tail(fit_target_scaling(y), y)
        ...     for y in (np.array([-1.0, 1.0]), np.array([-0.5, -0.5, -0.5, 3.0]))
        ... ]
        [False, True]
    """
    return bool(scaling.scale) and abs(float(np.mean(scaled.astype(np.float64) ** 3))) > LARGE_SKEWNESS


def draw_together(
    values: Float[np.ndarray, " rows"], scaling: NumericColumn, weights: Float[np.ndarray, " rows"] | None = None
) -> NumericColumn:
    """A scale on which the long tail of a target is drawn together by asinh, which is a logarithm for large values.

    Args:
        values: [rows] finite numbers, not all the same.
        scaling: of the target, without a knee.
        weights: [rows], how often each row counts, above 0; by default all count once.

    Returns:
        The scaling with a knee where half of the values are nearer to the short end. The center is at that end: the
        quantile of 1 %, or of 99 % if the long tail is on the left. The scaled values have a standard deviation of 1.

    Example:
        >>> column = draw_together(np.exp(np.linspace(0, 8, 99)), NumericColumn(center=400.0, scale=700.0))
        >>> column.center, round(column.scale * column.knee), column.scaled(np.array([1e3, 1e6])).round(1).tolist()
        (1.0, 54, [2.4, 7.0])
    """
    end = 0.01 if np.average((values - scaling.center) ** 3, weights=weights) > 0 else 0.99
    center = float(quantiles(values, np.array([end]), weights)[0])
    half = float(quantiles(np.abs(values - center), np.array([0.5]), weights)[0]) or scaling.scale
    deviation = mean_and_deviation(np.arcsinh((values - center) / half), weights)[1]
    return msgspec.structs.replace(scaling, center=center, scale=half * deviation, knee=1 / deviation)


def fit_residuals(scaling: NumericColumn, errors: Float[np.ndarray, " rows"]) -> Residuals:
    """What errors tell about other predictions.

    The margin is that of split conformal prediction (Angelopoulos and Bates, 2023, 1.1): the ⌈0.9 (rows + 1)⌉-th
    smallest absolute error. Fewer than nine errors have no such one.

    Args:
        scaling: of the target.
        errors: [rows], target minus prediction, both as they are scaled, on rows that were not learned from.

    Returns:
        The residuals; without errors, those that change nothing.

    Example:
        >>> fit_residuals(NumericColumn(), np.array([-1.0, 0.0, 0.5, 0.1, 0.2, 0.3, 0.4, 0.6, -0.7])).margin
        1.0
    """
    if not len(errors):
        return NO_RESIDUALS
    rank = math.ceil(COVERAGE * (len(errors) + 1))
    margin = float(np.partition(np.abs(errors), rank - 1)[rank - 1]) if rank <= len(errors) else 0.0
    if not scaling.knee:
        return Residuals(margin=margin)
    middles = (np.arange(_RESIDUAL_PARTS) + 0.5) / _RESIDUAL_PARTS
    typical = np.quantile(errors, middles) / scaling.knee
    return Residuals(float(np.cosh(typical).mean()), float(np.sinh(typical).mean()), margin)


def expected_values(
    scaling: NumericColumn, scaled: Float[np.ndarray, "*shape"], residuals: Residuals
) -> Float[np.ndarray, "*shape"]:
    """The numbers that predictions stand for, in the target's own unit.

    With a knee, this is the mean over the residuals (Duan, JASA 78, 1983, 2): the mean of sinh(u + error) is sinh u
    times the mean of cosh(error) plus cosh u times the mean of sinh(error). Predictions beyond the targets of training
    count as the nearest of these, because sinh would make them huge.

    Args:
        scaling: of the target.
        scaled: the predictions as the target is scaled.
        residuals: as `fit_residuals` makes them.

    Returns:
        Of the same shape, in float64.

    Example:
        >>> expected_values(NumericColumn(center=5.0, scale=2.0), np.array([1.0]), NO_RESIDUALS).tolist()
        [7.0]
    """
    if not scaling.knee:
        return scaling.unscale(scaled)
    u = within_training(scaling, scaled) / scaling.knee
    mean = residuals.cosh * np.sinh(u) + residuals.sinh * np.cosh(u)
    return scaling.center + scaling.scale * scaling.knee * mean


def expected_slopes(
    scaling: NumericColumn, scaled: Float[np.ndarray, "*shape"], residuals: Residuals
) -> Float[np.ndarray, "*shape"]:
    """By how much `expected_values` grows with a prediction, of which those beyond the targets of training count alike.

    Args:
        scaling: of the target.
        scaled: the predictions as the target is scaled.
        residuals: as `fit_residuals` makes them.

    Returns:
        Of the same shape, in float64.

    Example:
        >>> expected_slopes(NumericColumn(center=5.0, scale=2.0), np.array([1.0]), NO_RESIDUALS).tolist()
        [2.0]
    """
    if not scaling.knee:
        return np.full(np.shape(scaled), scaling.scale)
    u = within_training(scaling, scaled) / scaling.knee
    slopes: np.ndarray = scaling.scale * (residuals.cosh * np.cosh(u) + residuals.sinh * np.sinh(u))
    return slopes


def interval_of(
    scaling: NumericColumn, scaled: Float[np.ndarray, " rows"], residuals: Residuals
) -> Float[np.ndarray, "rows ends"]:
    """Intervals that hold the target in nine rows of ten.

    Args:
        scaling: of the target.
        scaled: [rows], the predictions as the target is scaled.
        residuals: as `fit_residuals` makes them.

    Returns:
        [rows, 2], the lower and the upper end in the target's own unit.

    Example:
        >>> interval_of(NumericColumn(scale=2.0), np.array([1.0]), Residuals(margin=0.5)).tolist()
        [[1.0, 3.0]]
    """
    center = within_training(scaling, scaled) if scaling.knee else np.asarray(scaled, np.float64)
    return scaling.unscale(np.stack([center - residuals.margin, center + residuals.margin], axis=-1))


def within_training(scaling: NumericColumn, scaled: np.ndarray) -> np.ndarray:
    """Predictions within the targets of training.

    Args:
        scaling: of the target.
        scaled: the predictions as the target is scaled.

    Returns:
        Of the same shape, in float64.

    Example:
        >>> within_training(NumericColumn(minimum=0.0, maximum=2.0), np.array([-1.0, 1.0, 9.0])).tolist()
        [0.0, 1.0, 2.0]
    """
    ends = scaling.scaled(np.array([scaling.minimum or 0.0, scaling.maximum or 0.0]))
    within: np.ndarray = np.clip(np.asarray(scaled, np.float64), *ends)
    return within
