"""From rows of columns to answers: scoring, asking and serving all predict with this module."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from model.arrays import shape_of
from model.checkpoint import Checkpoint
from model.ensembles import Prediction, predict_ensemble, to_numpy
from model.evaluation.batches import concatenate, padded_batches
from model.network import MAX_FUSED_UNITS
from model.tables.columns import count_inputs
from model.tables.encoding import Encoder
from model.tables.target_scaling import expected_slopes, expected_values, interval_of
from model.tasks import TASKS

Answer = dict[str, Any]


class Estimate(NamedTuple):
    """A prediction for each row, in the target's own unit.

    Attributes:
        mean: [rows] or [rows, classes], as in a Prediction.
        spread: [rows], as in a Prediction.
        interval: [rows, 2], a lower and an upper end, between which the targets of nine rows of ten are; None unless it
            is a regression for which rows were held out.
    """

    mean: np.ndarray
    spread: np.ndarray
    interval: np.ndarray | None = None


# NumPy predicts up to so many rows × units faster than JAX. If all layers have few units, it always does.
NUMPY_VALUES = 8192
# Rows in a batch of a compiled program.
BATCH_SIZES = (256, 1024, 4096)


class OverflowingRowError(ValueError):
    """A row has values that are too large for the network.

    Args:
        row: its values.
    """

    def __init__(self, row: list[float]) -> None:
        super().__init__(f"values within the network's range were expected, and {row} overflows in it")
        self.row = row


class Predictor:
    """A checkpoint that predicts.

    NumPy predicts few rows. For more, JAX compiles a program for each batch size when it is first needed, or all of
    them in `compile`.

    Args:
        checkpoint: what predicts.
        numpy_values: up to so many rows × units NumPy predicts.
        batch_sizes: the rows of the compiled programs' batches, in ascending order.

    Example:
        >>> from model.checkpoint import TrainingRecord
        >>> from model.ensembles import Members
        >>> from model.network import Layer, Network
        >>> record = TrainingRecord(table="a gate", epoch=0, loss=0.0, seed=0)
        >>> params = [Layer(np.array([[2.0]], np.float32), np.zeros(1, np.float32))]
        >>> ensemble = (Members(Network((1, 1)), params),)
        >>> predictor = Predictor(Checkpoint(ensemble, ("a",), "b", (0, 1), record))
        >>> predictor.answers(np.array([[0.0]]))
        [{'prediction': 0.5, 'label': 1}]
    """

    def __init__(
        self, checkpoint: Checkpoint, numpy_values: int = NUMPY_VALUES, batch_sizes: Sequence[int] = BATCH_SIZES
    ) -> None:
        self.checkpoint = checkpoint
        self.batch_sizes = batch_sizes
        self._encoder = Encoder(checkpoint.column_specs)
        self._ensemble = to_numpy(checkpoint.ensemble)
        sizes = [members.network.sizes for members in checkpoint.ensemble]
        units = sum(members.size * sum(members.network.sizes[1:]) for members in checkpoint.ensemble)
        are_small = max(map(max, sizes)) <= MAX_FUSED_UNITS
        self._numpy_rows = batch_sizes[-1] if are_small else numpy_values // units
        # The parameters go to a device only if it computes: starting JAX's takes 30 MB.
        self._device_ensemble = jax.device_put(checkpoint.ensemble) if self._compiles else None
        self._class_names = [str(name) for name in checkpoint.classes]

    @property
    def _compiles(self) -> bool:
        return self._numpy_rows < self.batch_sizes[-1]

    @cached_property
    def row_work(self) -> int:
        """How much work the answer to a single row is, in units of about a tenth of a nanosecond.

        A product is one unit. A column costs 10,000 to decode, a layer 20,000, and an input or a class 1,000: NumPy and
        Python take longer to begin an operation than to compute it.
        """
        checkpoint = self.checkpoint
        products = sum(np.size(leaf) for leaf in jax.tree.leaves(self._ensemble))
        layers = sum(len(members.params) for members in checkpoint.ensemble)
        inputs = count_inputs(checkpoint.column_specs)
        steps = 10 * len(checkpoint.columns) + 20 * layers + inputs + len(checkpoint.classes)
        return products * (1 if self._numpy_rows else self.batch_sizes[0]) + 1000 * steps

    def compile(self) -> None:
        """Compile and run every program, so that no later prediction compiles anything."""
        for size in self.batch_sizes if self._compiles else ():
            self._predict_inputs(np.zeros((size, count_inputs(self.checkpoint.column_specs)), np.float32))

    def predict(self, values: Float[np.ndarray, "rows columns"]) -> Estimate:
        """The prediction for rows of values, as `parse_text` and `parse_series` give them.

        Args:
            values: [rows, columns] float64, NaN where a value is missing.

        Returns:
            The estimate: probabilities in float32, or numbers in float64.

        Raises:
            ValueError: if values has other columns; OverflowingRowError if a row overflows float32.
        """
        checkpoint = self.checkpoint
        if len(shape_of("values", values)) != 2 or values.shape[1] != len(checkpoint.columns):
            raise ValueError(f"values must have {len(checkpoint.columns)} columns, not {list(values.shape)}")
        largest = self.batch_sizes[-1]
        parts = [
            self._predict_batch(values[start : start + largest]) for start in range(0, max(len(values), 1), largest)
        ]
        mean, spread = parts[0] if len(parts) == 1 else concatenate(parts)
        if TASKS[checkpoint.task].has_classes:
            return Estimate(np.asarray(mean), np.asarray(spread))
        scaling, residuals = checkpoint.target_scaling, checkpoint.residuals
        scaled = np.asarray(mean, np.float64)
        return Estimate(
            expected_values(scaling, scaled, residuals),
            np.asarray(spread, np.float64) * expected_slopes(scaling, scaled, residuals),
            interval_of(scaling, scaled, residuals) if residuals.margin else None,
        )

    def class_indices(self, mean: Float[np.ndarray, "rows *classes"]) -> Int[np.ndarray, " rows"]:
        """The index of each row's label among `checkpoint.classes`."""
        return TASKS[self.checkpoint.task].class_indices(mean, self.checkpoint.threshold)

    def labels(self, mean: Float[np.ndarray, "rows *classes"]) -> list[Any]:
        """The label of each row: of two classes the second from the threshold on, of several the likeliest; no labels
        at all in a regression.
        """
        classes = self.checkpoint.classes
        return [classes[index] for index in self.class_indices(mean)] if classes else []

    def answers(self, values: Float[np.ndarray, "rows columns"]) -> list[Answer]:
        """An answer for each row, as the service sends it.

        Args:
            values: as in `predict`.

        Returns:
            For each row `prediction`, a number or a dict with the probability of each class; unless it is a regression,
            `label`, see `labels`; and of an ensemble, `spread`.

        Raises:
            ValueError: as `predict` does.
        """
        mean, spread, interval = self.predict(values)
        classes, predictions = self.checkpoint.classes, np.asarray(mean).tolist()
        answers: list[Answer]
        if not classes:
            answers = [{"prediction": number} for number in predictions]
        else:
            if mean.ndim > 1:
                predictions = [dict(zip(self._class_names, each, strict=True)) for each in predictions]
            labels = self.labels(np.asarray(mean))
            answers = [{"prediction": each, "label": label} for each, label in zip(predictions, labels, strict=True)]
        if self.checkpoint.member_count > 1:
            for answer, deviation in zip(answers, np.asarray(spread).tolist(), strict=True):
                answer["spread"] = deviation
        if interval is not None:
            for answer, ends in zip(answers, interval.tolist(), strict=True):
                answer["interval"] = ends
        return answers

    def _predict_batch(self, values: np.ndarray) -> Prediction:
        """The prediction for at most a batch of rows. Raises OverflowingRowError."""
        x = self._encoder.encode(values)
        mean, spread = self._predict_inputs(x)
        if not (np.isfinite(x).all() and np.isfinite(mean).all()):
            finite = np.isfinite(x).all(axis=1) & np.isfinite(mean).all(axis=tuple(range(1, mean.ndim)))
            raise OverflowingRowError(values[int(np.argmin(finite))].tolist())
        return Prediction(mean, spread)

    def _predict_inputs(self, x: np.ndarray) -> Prediction:
        """The prediction for at most a batch of the network's inputs."""
        checkpoint = self.checkpoint
        if len(x) <= self._numpy_rows:
            return predict_ensemble(self._ensemble, x, checkpoint.temperature)
        ((batch, count),) = padded_batches(x, self.batch_sizes)
        mean, spread = jax.device_get(_compiled_predict_ensemble(self._device_ensemble, batch, checkpoint.temperature))
        return Prediction(mean[:count], spread[:count])


# Compiled once for all ensembles of the same networks.
_compiled_predict_ensemble = jax.jit(predict_ensemble)
