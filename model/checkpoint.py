"""Checkpoints: everything that a prediction needs in one safetensors file, written whole or not at all."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import jax

from model.atomic_write import atomic_write
from model.checkpoint_contents import Checkpoint, from_bytes, to_bytes
from model.checkpoint_format import FormatError
from model.evaluation.training_record import TrainingRecord
from model.messages import RefusalError, describe_error, join_names, refusal_sentence

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
        >>> from model.network import Network
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


def remove_checkpoints(directory: PathLike) -> None:
    """Remove the numbered checkpoints of a directory, such as 3.safetensors, and it if nothing is left in it.

    Args:
        directory: which may be missing.

    Raises:
        CheckpointError: if they cannot be removed.
    """
    place = Path(directory)
    try:
        for file in place.glob(f"[0-9]*{SUFFIX}"):
            if file.stem.isdecimal():
                file.unlink(missing_ok=True)
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
    except OSError as error:
        raise _refusal(directory, "files that can be removed", describe_error(error), "remove them") from None


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
