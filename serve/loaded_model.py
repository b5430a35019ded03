"""A checkpoint that is loaded, ready to answer requests."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from model.checkpoint import Checkpoint, CheckpointError, parse, read
from model.inference import Predictor
from model.messages import refusal_sentence
from model.tables.unseen import closed
from serve.row_decoder import RowDecoder
from serve.settings import Settings

# Rows in a batch of a compiled program. One size is one program for each shape, which keeps a model small.
BATCH_SIZES = (256,)


@dataclass(frozen=True)
class Model:
    """A checkpoint that is ready.

    Attributes:
        name: the name of the file, without its ending.
        predictor: predicts any number of rows.
        rows: decodes the rows of requests.
        loaded_at: when it was loaded, in seconds since 1970.
        load_seconds: how long loading took.
    """

    name: str
    predictor: Predictor
    rows: RowDecoder
    loaded_at: float
    load_seconds: float

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint."""
        return self.predictor.checkpoint

    @property
    def version(self) -> str:
        """The beginning of the checkpoint's digest. Every answer contains it."""
        return self.checkpoint.version


def load_model(path: Path, settings: Settings) -> tuple[Model, bytes]:
    """Load a checkpoint, and return it with the bytes of its file.

    It can answer at once. No program is compiled: until that is done, NumPy predicts.

    Raises CheckpointError if there is no such file, if it cannot be used, or if its version may not be served.
    """
    started = time.perf_counter()
    data = read(path)
    checkpoint = replace(parse(path, data), state=())  # the state of training is larger than the params
    if settings.allowed_versions and not checkpoint.digest.startswith(settings.allowed_versions):
        remedy = "add it there, or put an allowed version in its place"
        raise CheckpointError(refusal_sentence(path, "a version in NUDGE_ALLOWED_VERSIONS", checkpoint.version, remedy))
    if settings.is_strict:
        checkpoint = replace(checkpoint, column_specs=closed(checkpoint.column_specs))
    predictor = Predictor(checkpoint, batch_sizes=BATCH_SIZES, is_lazy=False)
    rows = RowDecoder(checkpoint.columns, checkpoint.column_specs)
    return Model(path.stem, predictor, rows, time.time(), time.perf_counter() - started), data
