"""From rows of columns to answers: scoring, asking and serving all predict with this module."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import jax
import numpy as np
from jaxtyping import Float, Int

from model.arrays import shape_of
from model.checkpoint import Checkpoint
from model.ensembles import Ensemble, Prediction, predict_ensemble, to_numpy
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
# Rows that NumPy computes at a time if all layers have few units.
NUMPY_ROWS = 4096


class OverflowingRowError(ValueError):
    """A row has values that are too large for the network.

    Args:
        row: its values.
    """

    def __init__(self, row: list[float]) -> None:
        super().__init__(f"values within the network's range were expected, and {row} overflows in it")
        self.row = row


def keep_programs(fallback: Path | None = None) -> None:
    """Let JAX keep compiled programs on disk, so that a process that starts later need not compile them.

    JAX's own setting names the directory, which may be a URL; without it, it is in the user's cache directory. If that
    cannot be written, the fallback is taken; without one, no programs are kept.

    Args:
        fallback: a directory that can be written.
    """
    setting = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    is_url = bool(setting) and "://" in str(setting)
    cache = setting if is_url else _first_writable(Path(setting) if setting else _user_cache(), fallback)
    settings = {
        "jax_compilation_cache_dir": cache,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": 0,
    }
    for name, value in settings.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]
    # A full disk or a damaged file costs a compilation, and is no reason to say so for every program.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")


def _user_cache() -> Path | None:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "nudge"
    except RuntimeError:  # this user has no home
        return None


def _first_writable(*directories: Path | None) -> str | None:
    for directory in directories:
        try:
            if directory:
                directory.mkdir(parents=True, exist_ok=True)
                if os.access(directory, os.W_OK | os.X_OK):
                    return str(directory)
        except OSError:
            continue
    return None


class _Program:
    """`predict_ensemble` compiled for the shapes of an ensemble and for one number of rows."""

    def __init__(self, ensemble: Ensemble, x: np.ndarray) -> None:
        # JAX keeps what it has traced as long as the function is there. This one goes at once.
        traced = jax.jit(lambda *arguments: predict_ensemble(*arguments)).lower(ensemble, x, 1.0)
        self.call = traced.compile()
        self.call(ensemble, x, 1.0)  # what only the first call does is done too


# The programs that a predictor still uses. Ensembles of the same networks share theirs.
_programs: WeakValueDictionary[Any, _Program] = WeakValueDictionary()


def _program_for(ensemble: Ensemble, x: np.ndarray) -> _Program:
    leaves, structure = jax.tree.flatten((ensemble, x))
    key = structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
    program = _programs.get(key)
    if program is None:
        program = _programs[key] = _Program(ensemble, x)
    return program


class Predictor:
    """A checkpoint that predicts.

    NumPy predicts few rows. For more, JAX compiles a program for each batch size, when it is first needed or in
    `compile`.

    Args:
        checkpoint: what predicts.
        numpy_values: up to so many rows × units NumPy predicts.
        batch_sizes: the rows of the compiled programs' batches, in ascending order.
        is_lazy: whether a program is compiled when it is first needed. If not, no prediction waits for a compilation:
            before `compile` has been called NumPy predicts any number of rows.

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
        self,
        checkpoint: Checkpoint,
        numpy_values: int = NUMPY_VALUES,
        batch_sizes: Sequence[int] = BATCH_SIZES,
        *,
        is_lazy: bool = True,
    ) -> None:
        self.checkpoint = checkpoint
        self.batch_sizes = batch_sizes
        self._is_lazy = is_lazy
        self._encoder = Encoder(checkpoint.column_specs)
        self._ensemble = to_numpy(checkpoint.ensemble)
        sizes = [members.network.sizes for members in checkpoint.ensemble]
        units = sum(members.size * sum(members.network.sizes[1:]) for members in checkpoint.ensemble)
        self._compiles = max(map(max, sizes)) > MAX_FUSED_UNITS
        self._numpy_rows = numpy_values // units if self._compiles else NUMPY_ROWS
        self._block_rows = batch_sizes[-1] if self._compiles else NUMPY_ROWS
        # The networks on the device, and a program for each batch size that is compiled.
        self._device_ensemble: Ensemble | None = None
        self._compiled: dict[int, _Program] = {}
        self._class_names = [str(name) for name in checkpoint.classes]

    @cached_property
    def row_products(self) -> int:
        """How many products the networks compute for a row."""
        return sum(np.size(leaf) for leaf in jax.tree.leaves(self._ensemble))

    @cached_property
    def row_work(self) -> int:
        """How much work the answer to a single row is, in units of about a tenth of a nanosecond.

        A product is one unit. A column costs 10,000 to decode, a layer 20,000, and an input or a class 1,000: NumPy and
        Python take longer to begin an operation than to compute it.
        """
        layers = sum(len(members.params) for members in self.checkpoint.ensemble)
        inputs = count_inputs(self.checkpoint.column_specs) + len(self.checkpoint.classes)
        steps = 10 * len(self.checkpoint.columns) + 20 * layers + inputs
        return self.row_products * (1 if self._numpy_rows else self.batch_sizes[0]) + 1000 * steps

    def compile(self) -> None:
        """Compile and run every program, so that no later prediction compiles anything."""
        for size in self.batch_sizes if self._compiles and self._numpy_rows < self._block_rows else ():
            self._program(np.zeros((size, count_inputs(self.checkpoint.column_specs)), np.float32))

    def _program(self, batch: np.ndarray) -> _Program:
        """The program for a batch, which is compiled if it is not there."""
        if self._device_ensemble is None:  # starting JAX's device takes 30 MB, so it waits until one computes
            self._device_ensemble = jax.device_put(self._ensemble)
            # On a CPU these are the same bytes, so that the params are in memory once.
            self._ensemble = to_numpy(self._device_ensemble)
            self.checkpoint = replace(self.checkpoint, ensemble=self._ensemble)
        program = self._compiled.get(len(batch))
        if program is None:
            program = self._compiled[len(batch)] = _program_for(self._device_ensemble, batch)
        return program

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
        rows = self._block_rows
        parts = [self._predict_batch(values[start : start + rows]) for start in range(0, max(len(values), 1), rows)]
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
        """The prediction for at most a block of the network's inputs."""
        temperature = float(self.checkpoint.temperature)
        if len(x) > self._numpy_rows:
            ((batch, count),) = padded_batches(x, self.batch_sizes)
            if self._is_lazy or len(batch) in self._compiled:
                mean, spread = jax.device_get(self._program(batch).call(self._device_ensemble, batch, temperature))
                return Prediction(mean[:count], spread[:count])
        return predict_ensemble(self._ensemble, x, temperature)
