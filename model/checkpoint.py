"""Checkpoints: everything that a prediction needs in one safetensors file, written whole or not at all."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from model.atomic_write import atomic_write
from model.checkpoint_format import (
    FORMAT,
    NO_DIGEST,
    FormatError,
    MembersRecord,
    Metadata,
    deserialize,
    serialize,
)
from model.ensembles import Ensemble
from model.evaluation.training_record import TrainingRecord
from model.messages import RefusalError, describe_error, join_names, refusal_sentence
from model.network import Network, Params
from model.tables.columns import IDENTITY, ColumnSpecs, NumericColumn
from model.tables.target_scaling import NO_RESIDUALS, Residuals
from model.tables.targets import Class
from model.tasks import DEFAULT_THRESHOLD

SUFFIX = ".safetensors"
# The checkpoint that is meant if none is named and there are several.
DEFAULT = "xor"
ANOTHER_NAME = f"name another, such as checkpoints/{DEFAULT}{SUFFIX}"

PathLike = str | os.PathLike[str]

__all__ = ["Checkpoint", "CheckpointError", "TrainingRecord", "default_checkpoint", "load", "save"]


class CheckpointError(RefusalError):
    """A file that cannot be used as a checkpoint, or a checkpoint that must not be written.

    The message is one sentence: which file, what was expected, what was found, and what to do.
    """


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


def save(path: PathLike, checkpoint: Checkpoint) -> Checkpoint:
    """Write a checkpoint.

    The file appears whole or not at all, even if the process is killed: it is written next to its place, synced, and
    moved there.

    Args:
        path: the file, whose name ends in .safetensors. Its directory is made if it is not there.
        checkpoint: what to write. Its digest is ignored.

    Returns:
        The checkpoint with its digest.

    Raises:
        CheckpointError: if `load` would refuse the file, or if it cannot be written.

    Example:
        >>> import tempfile
        >>> from model.ensembles import Members
        >>> from model.training.initial_params import init_params
        >>> network = Network((2, 2, 1))
        >>> params = init_params(network, key=jax.random.key(0))
        >>> ensemble = (Members(network, params),)
        >>> record = TrainingRecord(table="xor", epoch=0, loss=0.7, seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saved = save(f"{folder}/xor.safetensors", Checkpoint(ensemble, ("a", "b"), "xor", (0, 1), record))
        ...     loaded = load(f"{folder}/xor.safetensors")
        >>> loaded.version == saved.version, bool((loaded.params[0].weight == params[0].weight).all())
        (True, True)
    """
    place = _resolve(path)
    try:
        data, digest = to_bytes(checkpoint)
    except FormatError as error:
        raise _refusal(path, error.expected, error.found, "nothing was written") from None
    with atomic_write(place, ANOTHER_NAME, CheckpointError) as (file, finish):
        file.write(data)
        finish()
    return replace(checkpoint, digest=digest)


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


def load(path: PathLike) -> Checkpoint:
    """Read a checkpoint that `save` wrote.

    Args:
        path: the file.

    Returns:
        The checkpoint, its networks with JAX's arrays in float32.

    Raises:
        CheckpointError: if there is no such file, if a byte of it was changed, or if its format, shapes or numbers are
            not those of a checkpoint.

    Example:
        >>> load("nowhere.safetensors")
        Traceback (most recent call last):
        model.checkpoint.CheckpointError: nowhere.safetensors: expected a checkpoint, found no file; write one with ...
    """
    checkpoint = parse(path, read(path))
    return replace(checkpoint, ensemble=jax.device_put(checkpoint.ensemble))


def read(path: PathLike) -> bytes:
    """The bytes of a checkpoint's file.

    Args:
        path: the file.

    Returns:
        All its bytes.

    Raises:
        CheckpointError: if there is no such file, or if it cannot be read.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode):  # reading one could wait for ever
            raise OSError("it is no regular file")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise _refusal(path, "a checkpoint", "no file", "write one with `nudge train`") from None
    except (OSError, ValueError) as error:
        raise _refusal(path, "a readable file", describe_error(error), "name another file") from None


def parse(path: PathLike, data: bytes) -> Checkpoint:
    """The checkpoint in the bytes of a file.

    Args:
        path: the file, which is only named in messages.
        data: its bytes.

    Returns:
        The checkpoint, its networks with NumPy arrays, so that no device is needed.

    Raises:
        CheckpointError: as `load` does.
    """
    try:
        return from_bytes(data)
    except FormatError as error:
        raise _refusal(path, error.expected, error.found, f"train it again with `nudge train --out {path}`") from None


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


def default_checkpoint(directory: PathLike, remedy: str = "name the one to use") -> Path:
    """The checkpoint that is meant if none is named: the only one in a directory, or xor if there are several.

    Args:
        directory: the directory with the checkpoints.
        remedy: what to do if there are several checkpoints and none is called xor.

    Returns:
        The path of the checkpoint.

    Raises:
        CheckpointError: if there is none, or if there are several and none is xor.
    """
    places = sorted(Path(directory).glob(f"[!.]*{SUFFIX}"))
    names = [place.stem for place in places]
    if not places:
        raise _refusal(directory, "a checkpoint in it", "none", "write one with `make train` or `nudge train`")
    if len(places) > 1 and DEFAULT not in names:
        raise _refusal(directory, f"one checkpoint, or {DEFAULT} among them", join_names(names), remedy)
    return places[0] if len(places) == 1 else places[names.index(DEFAULT)]


def check_path(path: PathLike) -> None:
    """Check, before training, that `save` can write a file.

    It is tried: a file is made and removed again. A directory that is made for it stays.

    Args:
        path: the file.

    Raises:
        CheckpointError: if `save` could not write it.
    """
    with atomic_write(_resolve(path), ANOTHER_NAME, CheckpointError):
        pass


def _resolve(path: PathLike) -> Path:
    """Where the file goes, with links followed. Raises CheckpointError if the name is not a checkpoint's."""
    try:
        place = Path(os.path.realpath(path))
    except ValueError as error:
        raise _refusal(path, "a name for a file", describe_error(error), ANOTHER_NAME) from None
    if place.suffix != SUFFIX:
        raise _refusal(path, f"a name that ends in {SUFFIX}", repr(place.name), ANOTHER_NAME)
    if os.path.isdir(place):
        raise _refusal(path, "a file", "a directory", ANOTHER_NAME)
    return place


def _refusal(path: PathLike, expected: str, found: str, remedy: str) -> CheckpointError:
    return CheckpointError(refusal_sentence(path, expected, found, remedy))
