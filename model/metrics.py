"""How right predictions are, next to the simplest guess."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Num

from model.evaluation.labels import count_labels, label_metrics, sums_by_index
from model.evaluation.ranking import ranking_areas
from model.tasks import DEFAULT_THRESHOLD, TASKS

# Intervals of confidence for the calibration error.
CALIBRATION_BINS = 15
# The smallest probability that counts in the log loss: float32 cannot tell apart probabilities that are nearer to 1.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps / 2)
# The shares of rows whose absolute errors are at most the metric.
ERROR_SHARES = {"median absolute error": 0.5, "90 % absolute error": 0.9, "largest absolute error": 1.0}
# Sums that differ by less than this share are equal.
ROUNDING = 1e-12
# What a constant guess of one of two classes has no use for.
LABEL_METRICS = ("recall", "precision", "F1")

Metrics = dict[str, float]


def metrics(
    task: str,
    predictions: Float[np.ndarray, "rows *classes"],
    y: Num[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"] | None = None,
    threshold: float = DEFAULT_THRESHOLD,
) -> Metrics:
    """The metrics of a task, in the order in which they are shown.

    With classes: accuracy, the share of rows whose label is the target; recall, precision and F1 of the second of two
    classes, or the macro means over several, see `label_metrics`; AUC and average precision of the second class, if
    both occur, see `ranking_areas`; log loss, in nats; Brier score, the mean squared distance between the probabilities
    and 1 for the row's class and 0 for the others, halved for two classes (Brier, 1950, 2); calibration error, see
    `calibration_error`. Without classes: R² (unless all targets are equal), RMSE, MAE, and the absolute errors that
    half, 90 % and all of the rows do not exceed; all but R² in the target's unit.

    Args:
        task: binary, multiclass or regression.
        predictions: [rows] or [rows, classes], as `predict` returns them.
        y: [rows], as `loss` takes it.
        weights: [rows], how much each row counts, above 0; by default all count the same.
        threshold: the probability from which the label is the second of two classes.

    Returns:
        Each metric by its name. A metric that would divide by 0 is left out.

    Example:
        >>> metrics("binary", np.array([0.9, 0.2, 0.6]), np.array([1.0, 0.0, 0.0]))["accuracy"]
        0.6666666666666666
    """
    weights = np.ones(len(y)) if weights is None else np.asarray(weights, np.float64)
    found = metrics_by_weights(task, predictions, y, weights[None], threshold)
    return {name: value.item() for name, value in found.items() if not np.isnan(value.item())}


def metrics_by_weights(
    task: str,
    predictions: Float[np.ndarray, "rows *classes"],
    y: Num[np.ndarray, " rows"],
    weights: Float[np.ndarray, "resamples rows"],
    threshold: float = DEFAULT_THRESHOLD,
    with_ranking: bool = True,
) -> dict[str, np.ndarray]:
    """`metrics` for many sets of weights at once.

    Args:
        task: binary, multiclass or regression.
        predictions: [rows] or [rows, classes], as `predict` returns them.
        y: [rows], as `loss` takes it.
        weights: [resamples, rows], how much each row counts, from 0.
        threshold: as in `metrics`.
        with_ranking: whether AUC and average precision are computed, which take most of the time.

    Returns:
        Each metric by its name, [resamples]; NaN where it would divide by 0.

    Example:
        >>> weights = np.array([[1.0, 1.0], [2.0, 0.0]])
        >>> metrics_by_weights("regression", np.array([1.0, 5.0]), np.array([1.0, 2.0]), weights)["MAE"].tolist()
        [1.5, 0.0]
    """
    predictions = np.asarray(predictions, np.float64)
    if TASKS[task].has_classes:
        return _class_metrics(task, predictions, y, weights, threshold, with_ranking)
    return _number_metrics(predictions, np.asarray(y, np.float64), weights)


def _class_metrics(
    task: str, predictions: np.ndarray, y: np.ndarray, weights: np.ndarray, threshold: float, with_ranking: bool
) -> dict[str, np.ndarray]:
    probabilities = TASKS[task].class_probabilities(predictions)
    classes, class_count, total = y.astype(int), probabilities.shape[1], weights.sum(axis=-1)
    labels = TASKS[task].class_indices(predictions, threshold)
    found = {"accuracy": weights @ (labels == classes) / total}
    found |= label_metrics(count_labels(labels, classes, class_count, weights))
    if predictions.ndim == 1 and with_ranking:
        found["AUC"], found["average precision"] = ranking_areas(predictions, y, weights)
    found["log loss"] = weights @ negative_log_likelihood(predictions, y) / total
    squares = (probabilities - np.eye(class_count)[classes]) ** 2
    found["Brier score"] = weights @ squares.sum(axis=1) / total / (2 if predictions.ndim == 1 else 1)
    likeliest = TASKS[task].class_indices(predictions)
    found["calibration error"] = _calibration_errors(probabilities.max(axis=1), likeliest == classes, weights)
    return found


def _number_metrics(predictions: np.ndarray, y: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    errors, total = np.abs(predictions - y), weights.sum(axis=-1)
    mean_square = weights @ errors**2 / total
    centered = y - y.mean()
    variance = weights @ centered**2 / total - (weights @ centered / total) ** 2
    varies = np.ptp(y) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = np.where(varies & (variance > 0), 1 - mean_square / variance, np.nan)
    order = np.argsort(errors)
    cumulative = weights[..., order].cumsum(axis=-1)
    reached = {
        name: (cumulative >= share * cumulative[..., -1:] * (1 - ROUNDING)).argmax(axis=-1)
        for name, share in ERROR_SHARES.items()
    }
    quantiles = {name: errors[order][index] for name, index in reached.items()}
    return {"R²": r2, "RMSE": mean_square**0.5, "MAE": weights @ errors / total} | quantiles


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


def auc(
    scores: Float[np.ndarray, " rows"], y: Num[np.ndarray, " rows"], weights: Float[np.ndarray, " rows"] | None = None
) -> float:
    """The area under the ROC curve: the probability that a row of class 1 scores above one of class 0.

    Ties count half (Hanley and McNeil, Radiology 143, 1982).

    Args:
        scores: [rows], any numbers; larger ones speak for class 1.
        y: [rows] of 0 and 1, with at least one of each.
        weights: [rows], how much each row counts, above 0; by default all count the same.

    Returns:
        The area, from 0 to 1.

    Example:
        >>> auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0, 0, 1, 1]))
        0.875
    """
    return float(ranking_areas(scores, y, np.ones((1, len(y))) if weights is None else weights[None]).auc[0])


def calibration_error(confidence: Float[np.ndarray, " rows"], correct: Bool[np.ndarray, " rows"]) -> float:
    """The expected calibration error: the mean over rows of |confidence - accuracy| (Guo et al., ICML 2017, 3).

    Both are means over the rows of an interval of confidence; there are 15 intervals of equal width.

    Args:
        confidence: [rows], from 0 to 1: the probability of the likeliest class.
        correct: [rows], whether that class is the target.

    Returns:
        The error, from 0 to 1.

    Example:
        >>> round(calibration_error(np.array([0.75, 0.75, 1.0]), np.array([True, False, True])), 4)
        0.1667
    """
    return float(_calibration_errors(confidence, correct, np.ones((1, len(confidence))))[0])


def _calibration_errors(confidence: np.ndarray, correct: np.ndarray, weights: np.ndarray) -> np.ndarray:
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = sums_by_index(bins, confidence - correct, CALIBRATION_BINS, weights)
    errors: np.ndarray = np.abs(gaps).sum(axis=-1) / weights.sum(axis=-1)
    return errors


def baseline_metrics(
    task: str,
    learned: Num[np.ndarray, " learned"],
    y: Num[np.ndarray, " rows"],
    class_count: int,
    learned_weights: Float[np.ndarray, " learned"] | None = None,
    weights: Float[np.ndarray, " rows"] | None = None,
) -> Metrics:
    """The metrics of a guess that knows only the targets that were learned from: their mean, or each class's share.

    Its label is the class with the largest share, whatever the threshold of a network. Recall, precision and F1 of the
    second of two classes are left out: they are 0, or those of a label that all rows have.

    Args:
        task: binary, multiclass or regression.
        learned: [learned], the targets of training, at least one.
        y: [rows], the targets to be guessed.
        class_count: how many classes there are; 0 in a regression.
        learned_weights: [learned], how much each target of training counts, above 0; by default all count the same.
        weights: [rows], likewise of the targets to be guessed.

    Returns:
        Each metric by its name, as `metrics` returns them.

    Example:
        >>> baseline_metrics("binary", np.array([1.0, 1.0, 0.0]), np.array([1.0, 0.0]), class_count=2)["accuracy"]
        0.5
    """
    if not TASKS[task].has_classes:
        guess = np.full(len(y), np.average(learned.astype(np.float64), weights=learned_weights))
        return metrics(task, guess, y, weights)
    counts = np.bincount(learned.astype(int), learned_weights, minlength=class_count)
    shares = counts / counts.sum()
    guess = np.tile(shares, (len(y), 1)) if TASKS[task].output_per_class else np.full(len(y), shares[1])
    found = metrics(task, guess, y, weights)
    return {name: value for name, value in found.items() if name not in LABEL_METRICS}
