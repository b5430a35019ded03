"""A checkpoint on disk -> a model that answers: loaded, checked, and compiled for every shape it will be asked in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.checkpoint import SUFFIX, Checkpoint, CheckpointError, default_checkpoint, load
from model.inference import Predictor
from model.text import shown


@dataclass(frozen=True)
class Model:
    """A checkpoint that is ready. name: the file's, without its ending. predictor: compiled for any number of rows."""

    name: str
    checkpoint: Checkpoint
    predictor: Predictor


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
    predictor = Predictor(checkpoint)
    predictor.compile()
    return Model(path.stem, checkpoint, predictor)
