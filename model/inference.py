"""From rows of columns to answers: the one way in which scoring, asking and serving predict."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from model.checkpoint import Checkpoint
from model.columns import encode
from model.ensembles import Prediction, of_numpy, predict_ensemble

Answer = dict[str, Any]

# Up to so many rows NumPy is done before JAX is called.
FEW_ROWS = 16
# More are filled up to the next of these, or go in pieces of the last, so that few programs compile.
BATCHES = (256, 4096)


class Predictor:
    """A checkpoint that predicts. Each of BATCHES is compiled when it is first needed, or all by `compile`."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._params = of_numpy(checkpoint.params)
        self._programs: dict[int, Any] = {}

    def compile(self) -> None:
        """Compile and run every program, after which no number of rows compiles anything."""
        for batch in BATCHES:
            self._predict_part(np.zeros((batch, self.checkpoint.network.sizes[0]), np.float32))

    def predict(self, values: Float[np.ndarray, "rows columns"]) -> Prediction:
        """The prediction for rows of values as `from_text` and `from_series` give them; a number's in its own unit.

        values: of at least one row. mean [rows] or [rows, classes], and spread [rows]; float64 for a
        regression and else float32. Raises ValueError where a row overflows float32, and for other columns.
        """
        checkpoint = self.checkpoint
        if values.ndim != 2 or not len(values) or values.shape[1] != len(checkpoint.columns):
            raise ValueError(f"values must have a row and {len(checkpoint.columns)} columns, not {list(values.shape)}")
        x = encode(checkpoint.scaling, list(values.T))
        starts = range(0, len(x), BATCHES[-1])
        parts = [self._predict_part(x[start : start + BATCHES[-1]]) for start in starts]
        mean, spread = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        finite = np.isfinite(x).all(axis=1) & np.isfinite(mean).reshape(len(x), -1).all(axis=1)
        if not finite.all():
            row = values[int(np.argmin(finite))].tolist()
            raise ValueError(f"values within the network's range were expected, and {row} overflows in it")
        if checkpoint.network.task == "regression":
            scale = checkpoint.unit.scale
            return Prediction(checkpoint.unit.restored(mean), np.asarray(spread, np.float64) * scale)
        return Prediction(mean, spread)

    def labels(self, mean: np.ndarray) -> list[Any]:
        """The class of each row that is likeliest, none in a regression."""
        classes = self.checkpoint.classes
        if not classes:
            return []
        places = (mean >= 0.5).astype(int) if mean.ndim == 1 else mean.argmax(axis=1)
        return [classes[place] for place in places]

    def answers(self, values: Float[np.ndarray, "rows columns"]) -> list[Answer]:
        """A row's prediction, a number or a dict of the classes' probabilities; its label, but in a regression; and of
        an ensemble, its spread. Raises ValueError as `predict` does.
        """
        if not len(values):
            return []
        mean, spread = self.predict(values)
        names = [str(name) for name in self.checkpoint.classes]
        answers: list[Answer] = [
            {"prediction": dict(zip(names, each, strict=True)) if isinstance(each, list) else each}
            for each in np.asarray(mean).tolist()
        ]
        for answer, label in zip(answers, self.labels(np.asarray(mean)), strict=False):
            answer["label"] = label
        if self.checkpoint.members > 1:
            for answer, apart in zip(answers, np.asarray(spread).tolist(), strict=True):
                answer["spread"] = apart
        return answers

    def _predict_part(self, x: np.ndarray) -> Prediction:
        checkpoint = self.checkpoint
        network, temperature = checkpoint.network, checkpoint.temperature
        if len(x) <= FEW_ROWS:
            return predict_ensemble(self._params, x, network, temperature)
        batch = next(size for size in BATCHES if size >= len(x))
        filled = np.zeros((batch, x.shape[1]), np.float32)
        filled[: len(x)] = x
        if batch not in self._programs:
            lowered = jax.jit(predict_ensemble).lower(checkpoint.params, filled, network, temperature)
            self._programs[batch] = lowered.compile()
        mean, spread = self._programs[batch](checkpoint.params, filled, network, temperature)
        return Prediction(np.asarray(mean)[: len(x)], np.asarray(spread)[: len(x)])
