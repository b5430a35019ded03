"""Metrics: how right predictions are, beside those of the simplest guess."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

# Predictions are sorted into so many intervals of confidence for the calibration error.
BINS = 15
# The smallest probability that the log loss knows: float32 cannot tell smaller ones below 1 apart.
SMALLEST = float(np.finfo(np.float32).eps / 2)

Metrics = dict[str, float]


def metrics(task: str, predictions: Float[np.ndarray, "rows *classes"], y: Num[np.ndarray, " rows"]) -> Metrics:
    """The metrics of a task, by name, in the order in which they are shown.

    predictions: as of `predict`. y: as of `loss`. For binary and multiclass: accuracy, the share of rows whose
    likeliest class is theirs; log loss in nats; AUC (binary, with both classes there); Brier score, the mean squared
    distance of the probabilities from 1 for the row's class and 0 for the others (over two in binary, where it is that
    of one class; Brier, 1950, 2); calibration error, the mean distance over 15 intervals of confidence between that
    confidence and the accuracy in it (Guo et al., ICML 2017, 3). For regression: R², RMSE and MAE.

    >>> metrics("binary", np.array([0.9, 0.2, 0.6]), np.array([1.0, 0.0, 0.0]))["accuracy"]
    0.6666666666666666
    """
    p = np.asarray(predictions, np.float64)
    if task == "regression":
        return _of_numbers(p, y)
    chances = np.stack([1 - p, p], axis=1) if task == "binary" else p
    classes = y.astype(int)
    right = chances.argmax(axis=1) == classes
    if task == "binary":
        right = (p >= 0.5) == (y > 0.5)
    found = {"accuracy": float(right.mean()), "log loss": float(surprise(p, y).mean())}
    if task == "binary" and 0 < y.sum() < len(y):
        found["AUC"] = auc(p, y)
    squares = (chances - np.eye(chances.shape[1])[classes]) ** 2
    found["Brier score"] = float(squares.sum(axis=1).mean()) / (2 if task == "binary" else 1)
    found["calibration error"] = calibration_error(chances.max(axis=1), right)
    return found


def _of_numbers(p: np.ndarray, y: np.ndarray) -> Metrics:
    errors = p - y
    variance = float(np.var(y))
    mean_square = float(np.mean(errors**2))
    found = {"R²": 1 - mean_square / variance} if variance else {}
    return found | {"RMSE": mean_square**0.5, "MAE": float(np.abs(errors).mean())}


def surprise(mean: Float[np.ndarray, "rows *classes"], y: Num[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """-log of the probability that each row's class was given, at most -log of half of float32's epsilon.

    >>> surprise(np.array([0.25, 0.5]), np.array([1.0, 0.0])).round(4).tolist()
    [1.3863, 0.6931]
    """
    chance = np.where(y > 0.5, mean, 1 - mean) if mean.ndim == 1 else mean[np.arange(len(y)), y.astype(int)]
    return -np.log(np.maximum(chance, SMALLEST))


def auc(scores: Float[np.ndarray, " rows"], y: Num[np.ndarray, " rows"]) -> float:
    """The chance that a row of class 1 has a higher score than one of class 0, ties half (Hanley and McNeil, 1982).

    >>> auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0, 0, 1, 1]))
    0.875
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = y > 0.5
    ones, zeros = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def calibration_error(confidence: Float[np.ndarray, " rows"], right: np.ndarray) -> float:
    """The expected calibration error: confidence, from 0 to 1, less accuracy, over intervals of confidence.

    >>> round(calibration_error(np.array([0.75, 0.75, 1.0]), np.array([True, False, True])), 4)
    0.1667
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def baseline(task: str, learnt: Num[np.ndarray, " learnt"], y: Num[np.ndarray, " rows"], classes: int) -> Metrics:
    """The metrics on y of a guess that knows nothing but the learnt targets: their classes' shares, or their mean.

    >>> baseline("binary", np.array([1.0, 1.0, 0.0]), np.array([1.0, 0.0]), classes=2)["accuracy"]
    0.5
    """
    if task == "regression":
        return metrics(task, np.full(len(y), learnt.mean(dtype=np.float64)), y)
    shares = np.bincount(learnt.astype(int), minlength=classes) / len(learnt)
    guess = np.full(len(y), shares[1]) if task == "binary" else np.tile(shares, (len(y), 1))
    return metrics(task, guess, y)
