"""How right predictions are, next to the simplest guess."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Num

from model.tasks import TASKS

# Intervals of confidence for the calibration error.
CALIBRATION_BINS = 15
# The smallest probability that counts in the log loss: float32 cannot tell apart probabilities that are nearer to 1.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps / 2)

Metrics = dict[str, float]


def metrics(task: str, predictions: Float[np.ndarray, "rows *classes"], y: Num[np.ndarray, " rows"]) -> Metrics:
    """The metrics of a task, in the order in which they are shown.

    With classes: accuracy, the share of rows whose likeliest class is the target; log loss, in nats; AUC, for two
    classes that both occur; Brier score, the mean squared distance between the probabilities and 1 for the row's class
    and 0 for the others, halved for two classes (Brier, 1950, 2); calibration error, see `calibration_error`.
    Without classes: R² (unless all targets are equal), RMSE and MAE, the last two in the target's unit.

    Args:
        task: binary, multiclass or regression.
        predictions: [rows] or [rows, classes], as `predict` returns them.
        y: [rows], as `loss` takes it.

    Returns:
        Each metric by its name.

    Example:
        >>> metrics("binary", np.array([0.9, 0.2, 0.6]), np.array([1.0, 0.0, 0.0]))["accuracy"]
        0.6666666666666666
    """
    predictions = np.asarray(predictions, np.float64)
    return _class_metrics(task, predictions, y) if TASKS[task].has_classes else _number_metrics(predictions, y)


def _class_metrics(task: str, predictions: np.ndarray, y: np.ndarray) -> Metrics:
    probabilities = TASKS[task].class_probabilities(predictions)
    classes = y.astype(int)
    correct = TASKS[task].class_indices(predictions) == classes
    found = {
        "accuracy": float(correct.mean()),
        "log loss": float(negative_log_likelihood(predictions, y).mean()),
    }
    if predictions.ndim == 1 and 0 < y.sum() < len(y):
        found["AUC"] = auc(predictions, y)
    squares = (probabilities - np.eye(probabilities.shape[1])[classes]) ** 2
    found["Brier score"] = float(squares.sum(axis=1).mean()) / (2 if predictions.ndim == 1 else 1)
    found["calibration error"] = calibration_error(probabilities.max(axis=1), correct)
    return found


def _number_metrics(predictions: np.ndarray, y: np.ndarray) -> Metrics:
    errors = predictions - y
    variance = float(np.var(y))
    mean_square = float(np.mean(errors**2))
    found = {"R²": 1 - mean_square / variance} if variance else {}
    return found | {"RMSE": mean_square**0.5, "MAE": float(np.abs(errors).mean())}


def negative_log_likelihood(
    predictions: Float[np.ndarray, "rows *classes"], y: Num[np.ndarray, " rows"]
) -> Float[np.ndarray, " rows"]:
    """-log p of each row, where p is the probability that was given to the row's class.

    Args:
        predictions: [rows], the probability of class 1, or [rows, classes].
        y: [rows], the index of each row's class.

    Returns:
        [rows] nats, at most -log of half of float32's epsilon, about 16.6.

    Example:
        >>> negative_log_likelihood(np.array([0.25, 0.5]), np.array([1.0, 0.0])).round(4).tolist()
        [1.3863, 0.6931]
    """
    if predictions.ndim == 1:
        probability = np.where(y > 0.5, predictions, 1 - predictions)
    else:
        probability = predictions[np.arange(len(y)), y.astype(int)]
    return -np.log(np.maximum(probability, SMALLEST_PROBABILITY))


def auc(scores: Float[np.ndarray, " rows"], y: Num[np.ndarray, " rows"]) -> float:
    """The area under the ROC curve: the probability that a row of class 1 scores above one of class 0.

    Ties count half (Hanley and McNeil, Radiology 143, 1982).

    Args:
        scores: [rows], any numbers; larger ones speak for class 1.
        y: [rows] of 0 and 1, with at least one of each.

    Returns:
        The area, from 0 to 1.

    Example:
        >>> auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0, 0, 1, 1]))
        0.875
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = y > 0.5
    ones, zeros = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def calibration_error(confidence: Float[np.ndarray, " rows"], correct: Bool[np.ndarray, " rows"]) -> float:
    """The expected calibration error: the mean over rows of |confidence - accuracy| (Guo et al., ICML 2017, 3).

    Both are means over the rows of an interval of confidence; there are 15 intervals of equal width.

    Args:
        confidence: [rows], from 0 to 1: the probability of the class that was predicted.
        correct: [rows], whether that class is the target.

    Returns:
        The error, from 0 to 1.

    Example:
        >>> round(calibration_error(np.array([0.75, 0.75, 1.0]), np.array([True, False, True])), 4)
        0.1667
    """
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def baseline_metrics(
    task: str, learned: Num[np.ndarray, " learned"], y: Num[np.ndarray, " rows"], class_count: int
) -> Metrics:
    """The metrics of a guess that knows only the targets that were learned from: their mean, or each class's share.

    Args:
        task: binary, multiclass or regression.
        learned: [learned], the targets of training, at least one.
        y: [rows], the targets to be guessed.
        class_count: how many classes there are; 0 in a regression.

    Returns:
        Each metric by its name, as `metrics` returns them.

    Example:
        >>> baseline_metrics("binary", np.array([1.0, 1.0, 0.0]), np.array([1.0, 0.0]), class_count=2)["accuracy"]
        0.5
    """
    if not TASKS[task].has_classes:
        return metrics(task, np.full(len(y), learned.mean(dtype=np.float64)), y)
    shares = np.bincount(learned.astype(int), minlength=class_count) / len(learned)
    guess = np.tile(shares, (len(y), 1)) if TASKS[task].output_per_class else np.full(len(y), shares[1])
    return metrics(task, guess, y)
