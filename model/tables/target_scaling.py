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
# Rows, folds and the share of the variance that is added in the ridge regression that chooses a scale.
_RIDGE_ROWS, _RIDGE_FOLDS, _RIDGE_PENALTY = 1000, 4, 0.01
# Residuals are represented by the middles of so many equal parts, so that a few outliers do not count.
_RESIDUAL_PARTS = 64
# The share of the intervals that hold the target.
COVERAGE = 0.9


class Residuals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the errors on rows that were not learned from tell about predictions, with the target as it is scaled.

    Attributes:
        cosh: the mean of cosh(error / knee); 1 without a knee.
        sinh: the mean of sinh(error / knee); 0 without a knee.
        margin: nine errors of ten are within ± margin; 0 if no rows were held out.
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


def choose_target_scaling(
    x: Float[np.ndarray, "rows inputs"],
    values: Float[np.ndarray, " rows"],
    scaling: NumericColumn,
    weights: Float[np.ndarray, " rows"] | None = None,
) -> NumericColumn:
    """The scale on which a ridge regression predicts held-out rows better: as it is, or drawn together.

    A target with a heavy tail is drawn together by asinh, which is like a logarithm for large values. Only a target
    with a skewness above 1 or below -1 is tried. The squared errors are those of the target in its own unit.

    Args:
        x: [rows, inputs], as the network sees them. Of more than 1,000 rows, as many at equal distances count.
        values: [rows] finite numbers, the target.
        scaling: of the target without a knee, as `fit_target_scaling` makes it.
        weights: [rows], how often each row counts, above 0; by default all count once.

    Returns:
        The given scaling, or one with a knee.

    Example:
        >>> x = np.linspace(-3, 3, 200, dtype=np.float32)[:, None]
        >>> [choose_target_scaling(x, y, fit_target_scaling(y)).knee > 0 for y in (np.exp(2 * x[:, 0]), 2.0 * x[:, 0])]
        [True, False]
    """
    if not scaling.scale or abs(_skewness(values, scaling, weights)) <= LARGE_SKEWNESS:
        return scaling
    drawn_together = _with_knee(values, scaling, weights)
    rows = np.linspace(0, len(values) - 1, min(len(values), _RIDGE_ROWS)).round().astype(int)
    y, counts = values[rows], None if weights is None else weights[rows]
    candidates = (scaling, drawn_together)
    targets = np.stack([each.scaled(y) for each in candidates], axis=1)
    predictions = _ridge_out_of_fold(x[rows].astype(np.float64), targets)
    losses = []
    for each, predicted, target in zip(candidates, predictions.T, targets.T, strict=True):
        expected = expected_values(each, predicted, fit_residuals(each, target - predicted))
        losses.append(np.average((expected - y) ** 2, weights=counts))
    return candidates[int(np.argmin(losses))]


def _skewness(values: np.ndarray, scaling: NumericColumn, weights: np.ndarray | None) -> float:
    return float(np.average(scaling.scaled(values) ** 3, weights=weights))


def _with_knee(values: np.ndarray, scaling: NumericColumn, weights: np.ndarray | None) -> NumericColumn:
    """Draw the long tail together: the knee is where half of the values lie nearer to the short end."""
    end = 0.01 if _skewness(values, scaling, weights) > 0 else 0.99
    center = float(quantiles(values, np.array([end]), weights)[0])
    half = float(quantiles(np.abs(values - center), np.array([0.5]), weights)[0]) or scaling.scale
    deviation = mean_and_deviation(np.arcsinh((values - center) / half), weights)[1]
    return msgspec.structs.replace(scaling, center=center, scale=half * deviation, knee=1 / deviation)


def _ridge_out_of_fold(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[rows, targets], the predictions of ridge regressions that have not seen the row (Hastie et al., ESL, 3.4.1)."""
    x = x - x.mean(axis=0)
    deviations = x.std(axis=0)
    x = x[:, deviations > 0] / deviations[deviations > 0]
    products = x @ x.T / max(x.shape[1], 1)
    penalty = _RIDGE_PENALTY * len(x) / max(x.shape[1], 1)
    folds, predictions = np.arange(len(x)) % _RIDGE_FOLDS, np.empty_like(y)
    for fold in range(_RIDGE_FOLDS):
        learn, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        mean = y[learn].mean(axis=0)
        kernel = products[np.ix_(learn, learn)] + penalty * np.eye(len(learn))
        weights = np.linalg.solve(kernel, y[learn] - mean)
        predictions[held_out] = products[np.ix_(held_out, learn)] @ weights + mean
    return predictions


def fit_residuals(scaling: NumericColumn, errors: Float[np.ndarray, " rows"]) -> Residuals:
    """What errors tell about other predictions.

    The margin is that of split conformal prediction (Angelopoulos and Bates, 2023, 1.1): the ⌈0.9 (rows + 1)⌉-th
    smallest absolute error.

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
    rank = min(math.ceil(COVERAGE * (len(errors) + 1)), len(errors))
    margin = float(np.partition(np.abs(errors), rank - 1)[rank - 1])
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
    u = _within_training(scaling, scaled) / scaling.knee
    mean = residuals.cosh * np.sinh(u) + residuals.sinh * np.cosh(u)
    return scaling.center + scaling.scale * scaling.knee * mean


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
    center = _within_training(scaling, scaled) if scaling.knee else np.asarray(scaled, np.float64)
    return scaling.unscale(np.stack([center - residuals.margin, center + residuals.margin], axis=-1))


def _within_training(scaling: NumericColumn, scaled: np.ndarray) -> np.ndarray:
    ends = scaling.scaled(np.array([scaling.minimum or 0.0, scaling.maximum or 0.0]))
    within: np.ndarray = np.clip(np.asarray(scaled, np.float64), *ends)
    return within
