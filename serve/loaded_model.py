"""A checkpoint that is loaded and compiled, ready to answer requests."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from model.checkpoint import Checkpoint, parse, read
from model.inference import Predictor
from model.tables.unseen import closed
from serve.row_decoder import RowDecoder


@dataclass(frozen=True)
class Model:
    """A checkpoint that is ready.

    Attributes:
        name: the name of the file, without its ending.
        checkpoint: the checkpoint.
        predictor: predicts any number of rows, and is already compiled.
        rows: decodes the rows of requests.
        loaded_at: when it was loaded, in seconds since 1970.
        load_seconds: how long loading took.
    """

    name: str
    checkpoint: Checkpoint
    predictor: Predictor
    rows: RowDecoder
    loaded_at: float
    load_seconds: float

    @property
    def version(self) -> str:
        """The beginning of the checkpoint's digest. Every answer contains it."""
        return self.checkpoint.version


def load_model(path: Path, is_strict: bool = False) -> tuple[Model, bytes]:
    """Load and compile a checkpoint, and return it with the bytes of its file.

    If `is_strict` is true, values of a kind that training never saw are refused.

    Raises CheckpointError if there is no such file, or if it cannot be used.
    """
    started = time.perf_counter()
    data = read(path)
    checkpoint = parse(path, data)
    if is_strict:
        checkpoint = replace(checkpoint, column_specs=closed(checkpoint.column_specs))
    predictor = Predictor(checkpoint)
    predictor.compile()
    rows = RowDecoder(checkpoint.columns, checkpoint.column_specs)
    return Model(path.stem, checkpoint, predictor, rows, time.time(), time.perf_counter() - started), data
