"""A checkpoint on disk -> a model that answers: loaded, checked, and compiled for every shape it will be asked in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from model.checkpoint import SUFFIX, Checkpoint, CheckpointError, default_checkpoint, load
from model.network import predict
from model.text import shown

# Rows are padded to the next of these, and more than the last go in pieces of it, so that nothing compiles later.
BATCHES = (1, 16, 256, 4096)

Compiled = Callable[[np.ndarray], jax.Array]


@dataclass(frozen=True)
class Model:
    """A checkpoint that is ready. name: the file's, without its ending. programs: one for each of BATCHES."""

    name: str
    checkpoint: Checkpoint
    programs: dict[int, Compiled]

    def predict(self, x: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, " rows"]:
        """The prediction for each row; no shape of x compiles anything."""
        largest = BATCHES[-1]
        parts = [self._predict_part(x[start : start + largest]) for start in range(0, len(x), largest)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _predict_part(self, x: np.ndarray) -> np.ndarray:
        batch = next(size for size in BATCHES if size >= len(x))
        padded = np.zeros((batch, x.shape[1]), np.float32)
        padded[: len(x)] = x
        return np.asarray(self.programs[batch](padded))[: len(x)]


def load_model(directory: str | Path, name: str | None = None) -> Model:
    """Load and compile the checkpoint of that name, or the directory's default.

    Raises CheckpointError where there is none, or it cannot be used, or the name is a path out of the directory.
    """
    if name and "/" in name:
        raise CheckpointError(
            f"NUDGE_MODEL: expected the name of a checkpoint in {directory}, found {shown(name)}; "
            "set NUDGE_CHECKPOINTS to its directory"
        )
    path = Path(directory) / f"{name}{SUFFIX}" if name else default_checkpoint(directory)
    checkpoint = load(path)
    return Model(path.stem, checkpoint, {batch: _compile(checkpoint, batch) for batch in BATCHES})


def _compile(checkpoint: Checkpoint, rows: int) -> Compiled:
    x = np.zeros((rows, len(checkpoint.columns)), np.float32)
    program = jax.jit(predict).lower(checkpoint.params, x, checkpoint.network).compile()

    def run(x: np.ndarray) -> jax.Array:
        result: jax.Array = program(checkpoint.params, x, checkpoint.network)
        return result

    run(x)
    return run
