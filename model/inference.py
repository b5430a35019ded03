"""From rows of columns to answers: the one way in which scoring, asking and serving predict."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from model.checkpoint import Checkpoint
from model.ensembles import Prediction, of_numpy, predict_ensemble
from model.network import FEW
from model.tables.columns import encode

Answer = dict[str, Any]

# Rows times units up to which NumPy is done before JAX is; for networks whose layers all have few units it always is.
FEW_VALUES = 8192
# More rows are filled up to the next of these, or go in pieces of the last, so that few programs compile.
BATCHES = (256, 1024, 4096)


class Predictor:
    """A checkpoint that predicts. Programs are compiled when they are first needed, or all by `compile`."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._params = of_numpy(checkpoint.params)
        sizes = checkpoint.network.sizes
        units = sum(sizes[1:]) * checkpoint.members
        self._few = BATCHES[-1] if max(sizes) <= FEW else FEW_VALUES // units
        # On the device only where it computes: starting JAX's takes 30 MB.
        self._on_device = jax.device_put(checkpoint.params) if self._few < BATCHES[-1] else None
        self._names = [str(name) for name in checkpoint.classes]

    def compile(self) -> None:
        """Compile and run every program, after which no number of rows compiles anything."""
        for batch in BATCHES if self._few < BATCHES[-1] else ():
            self._predict_part(np.zeros((batch, self.checkpoint.network.sizes[0]), np.float32))

    def predict(self, values: Float[np.ndarray, "rows columns"]) -> Prediction:
        """The prediction for rows of values as `from_text` and `from_series` give them; a number's in its own unit.

        mean [rows] or [rows, classes], and spread [rows]; float64 for a regression and else float32. Raises ValueError
        where a row overflows float32, and for other columns.
        """
        checkpoint = self.checkpoint
        if values.ndim != 2 or values.shape[1] != len(checkpoint.columns):
            raise ValueError(f"values must have {len(checkpoint.columns)} columns, not {list(values.shape)}")
        x = encode(checkpoint.scaling, list(values.T))
        if len(x) <= BATCHES[-1]:
            mean, spread = self._predict_part(x)
        else:
            starts = range(0, len(x), BATCHES[-1])
            parts = [self._predict_part(x[start : start + BATCHES[-1]]) for start in starts]
            mean, spread = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        if not (np.isfinite(x).all() and np.isfinite(mean).all()):
            finite = np.isfinite(x).all(axis=1) & np.isfinite(mean).all(axis=tuple(range(1, mean.ndim)))
            row = values[int(np.argmin(finite))].tolist()
            raise ValueError(f"values within the network's range were expected, and {row} overflows in it")
        if checkpoint.network.task == "regression":
            scale = checkpoint.unit.scale
            return Prediction(checkpoint.unit.restored(np.asarray(mean)), np.asarray(spread, np.float64) * scale)
        return Prediction(mean, spread)

    def places(self, mean: np.ndarray) -> np.ndarray:
        """The place among the classes of each row's likeliest."""
        return (mean >= 0.5).astype(int) if mean.ndim == 1 else mean.argmax(axis=1)

    def labels(self, mean: np.ndarray) -> list[Any]:
        """The class of each row that is likeliest, none in a regression."""
        classes = self.checkpoint.classes
        return [classes[place] for place in self.places(mean)] if classes else []

    def answers(self, values: Float[np.ndarray, "rows columns"]) -> list[Answer]:
        """A row's prediction, a number or a dict of the classes' probabilities; its label, but in a regression; and of
        an ensemble, its spread. Raises ValueError as `predict` does.
        """
        mean, spread = self.predict(values)
        classes, of_rows = self.checkpoint.classes, np.asarray(mean).tolist()
        answers: list[Answer]
        if not classes:
            answers = [{"prediction": number} for number in of_rows]
        elif mean.ndim == 1:
            answers = [{"prediction": chance, "label": classes[chance >= 0.5]} for chance in of_rows]
        else:
            named = [dict(zip(self._names, chances, strict=True)) for chances in of_rows]
            labels = self.labels(np.asarray(mean))
            answers = [{"prediction": each, "label": label} for each, label in zip(named, labels, strict=True)]
        if self.checkpoint.members > 1:
            for answer, apart in zip(answers, np.asarray(spread).tolist(), strict=True):
                answer["spread"] = apart
        return answers

    def _predict_part(self, x: np.ndarray) -> Prediction:
        checkpoint = self.checkpoint
        network, temperature = checkpoint.network, checkpoint.temperature
        if len(x) <= self._few:
            return predict_ensemble(self._params, x, network, temperature)
        batch = next(size for size in BATCHES if size >= len(x))
        filled = np.zeros((batch, x.shape[1]), np.float32)
        filled[: len(x)] = x
        mean, spread = jax.device_get(_predict_ensemble(self._on_device, filled, network, temperature))
        return Prediction(mean[: len(x)], spread[: len(x)])


# Compiled once for all checkpoints of one network.
_predict_ensemble = jax.jit(predict_ensemble)
