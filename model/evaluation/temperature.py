"""The temperature of logits: by how much probabilities must be drawn together or apart to be likeliest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from model.ensembles import predict_from_logits
from model.metrics import negative_log_likelihood
from model.tasks import TASKS

# The prior: log T is normal with this standard deviation, and within ± the limit.
LOG_TEMPERATURE_DEVIATION, LOG_TEMPERATURE_LIMIT = 0.2, 2.5
# The search ends when log T is known to so much.
TOLERANCE = 1e-4
GOLDEN_SHARE = (5**0.5 - 1) / 2


def fit_temperature(
    z: Sequence[np.ndarray], y: Sequence[np.ndarray], task: str, weights: Sequence[np.ndarray] | None = None
) -> float:
    """The temperature for which rows that training has not seen are likeliest (Guo et al., ICML 2017, 4.2).

    It minimizes the sum of the rows' negative log-likelihoods plus (log T)² / 2σ², with σ = 0.2: a prior that keeps T
    near 1 if there are few rows.

    Args:
        z: the logits of members that have not seen the rows, [members, rows] or [members, rows, outputs], for one or
            several sets of rows.
        y: [rows] of each set, as `loss` takes it.
        task: binary, multiclass or regression.
        weights: [rows] of each set, a factor for the negative log-likelihood of each row; by default 1.

    Returns:
        A temperature from e^-2.5 to e^2.5; 1 for a regression.

    Example:
        >>> fit_temperature([np.array([[9.0, -9.0, -9.0]])], [np.array([1.0, 0.0, 1.0])], "binary") > 1
        True
    """
    if not TASKS[task].has_classes:
        return 1.0
    z = [np.asarray(each, np.float64) for each in z]

    def objective(log_temperature: float) -> float:
        total = log_temperature**2 / (2 * LOG_TEMPERATURE_DEVIATION**2)
        for index, each in enumerate(z):
            mean = np.asarray(predict_from_logits(each, task, np.exp(log_temperature)).mean)
            by_row = negative_log_likelihood(mean, y[index])
            total += float((by_row if weights is None else by_row * weights[index]).sum())
        return total

    return float(np.exp(_minimum(objective, -LOG_TEMPERATURE_LIMIT, LOG_TEMPERATURE_LIMIT)))


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one minimum is smallest, by golden section search (Press et al., Numerical Recipes, 10.2).

    It takes the place of `scipy.optimize`, whose import takes longer than to train on some hundred rows.
    """
    left, right = (high - GOLDEN_SHARE * (high - low), low + GOLDEN_SHARE * (high - low))
    at_left, at_right = function(left), function(right)
    while high - low > TOLERANCE:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN_SHARE * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN_SHARE * (high - low)
            at_right = function(right)
    return (low + high) / 2
