"""What a checkpoint holds, and the bytes of its file: pure, with no file touched."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from model.checkpoint_format import FORMAT, NO_DIGEST, MembersRecord, Metadata, deserialize, serialize
from model.ensembles import Ensemble
from model.evaluation.training_record import TrainingRecord
from model.network import Network, Params
from model.tables.columns import IDENTITY, ColumnSpecs, NumericColumn
from model.tables.target_scaling import NO_RESIDUALS, Residuals
from model.tables.targets import Class
from model.tasks import DEFAULT_THRESHOLD


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network, and everything that a prediction needs besides.

    Attributes:
        ensemble: the networks, at least one.
        columns: the names of the columns, in the order in which they are encoded.
        target: the name of what is predicted.
        classes: what class 0, 1, … stands for; empty in a regression.
        training: how the parameters came about.
        column_specs: how each column becomes inputs; by default as it is.
        target_scaling: how the target of a regression was scaled.
        residuals: what the errors on rows that were not learned from tell about the predictions of a regression.
        temperature: the logits are divided by it.
        threshold: the probability from which a label is the second of two classes.
        state: the leaves of the state of training, to resume from.
        digest: SHA-256 over the file with the digest's own 64 characters set to zero; empty until it is saved.
    """

    ensemble: Ensemble
    columns: tuple[str, ...]
    target: str
    classes: tuple[Class, ...]
    training: TrainingRecord
    column_specs: ColumnSpecs = ()
    target_scaling: NumericColumn = IDENTITY
    residuals: Residuals = NO_RESIDUALS
    temperature: float = 1.0
    threshold: float = DEFAULT_THRESHOLD
    state: tuple[np.ndarray, ...] = ()
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.column_specs:
            object.__setattr__(self, "column_specs", (IDENTITY,) * len(self.columns))

    @property
    def version(self) -> str:
        """The first 12 characters of the digest; every answer names the checkpoint that it comes from by them."""
        return self.digest[:12]

    @property
    def task(self) -> str:
        """What the networks predict: binary, multiclass or regression."""
        return self.ensemble[0].network.task

    @property
    def member_count(self) -> int:
        """How many networks it holds."""
        return sum(members.size for members in self.ensemble)

    @property
    def network(self) -> Network:
        """The description of the first networks."""
        return self.ensemble[0].network

    @property
    def params(self) -> Params:
        """The params of the first networks: of one, or of several on a leading axis of every leaf."""
        return self.ensemble[0].params


# What a checkpoint and its metadata share.
_SHARED = tuple(
    field.name
    for field in fields(Checkpoint)
    if field.name in Metadata.__struct_fields__ and field.name not in ("ensemble", "digest")
)


def to_bytes(checkpoint: Checkpoint) -> tuple[bytes, str]:
    """The bytes of the file that `save` writes.

    Args:
        checkpoint: what they hold. Its digest is ignored.

    Returns:
        The bytes, and the digest in them.

    Raises:
        FormatError: if `load` would refuse them.
    """
    shared: dict[str, Any] = {name: getattr(checkpoint, name) for name in _SHARED}
    described = tuple(
        MembersRecord(members.network, members.size, members.bins is not None) for members in checkpoint.ensemble
    )
    metadata = Metadata(format=FORMAT, ensemble=described, digest=NO_DIGEST, **shared)
    data, digest = serialize(metadata, checkpoint.ensemble, checkpoint.state)
    deserialize(data)
    return data, digest


def from_bytes(data: bytes) -> Checkpoint:
    """The checkpoint in some bytes, wherever they come from.

    Args:
        data: what `to_bytes` makes.

    Returns:
        The checkpoint, its networks with NumPy arrays.

    Raises:
        FormatError: if a byte was changed, or if the contents are not those of a checkpoint.
    """
    metadata, ensemble, state = deserialize(data)
    shared: dict[str, Any] = {name: getattr(metadata, name) for name in _SHARED}
    return Checkpoint(ensemble=ensemble, state=state, digest=metadata.digest, **shared)
