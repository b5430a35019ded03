"""Checkpoints: everything that a prediction needs in one safetensors file, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import msgspec
import numpy as np
import safetensors.numpy

from model.network import Layer, Network, Params

FORMAT = 1
SUFFIX = ".safetensors"
DEFAULT = "xor"


class CheckpointError(ValueError):
    """A file that cannot be used, or a checkpoint that must not be written: which, what was expected, what was found,
    and what mends it.
    """


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the parameters came about. table: what they were trained on. loss: the kept restart's, after `epoch` epochs.

    restarts and solved: how many starts there were, and how many of them had every row right.
    """

    table: str
    epoch: int
    epochs: int
    restarts: int
    solved: int
    loss: float
    seed: int
    optimizer: str
    learning_rate: float
    log_every: int


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network and what belongs to it.

    columns: the names of x's columns, in order. target: what is predicted. classes: what a label of 0 and 1 stand
    for. scaling: how columns are scaled before the network; none of a truth table's are. digest: SHA-256 over the file
    with the digest's own 64 characters set to zero; empty until it is saved.
    """

    network: Network
    params: Params
    columns: tuple[str, ...]
    target: str
    classes: tuple[int, ...]
    training: Training
    scaling: None = None
    digest: str = ""

    @property
    def version(self) -> str:
        """The first 12 characters of the digest, by which answers name the checkpoint they come from."""
        return self.digest[:12]


class _Metadata(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON under the key `nudge`, its fields in the order in which they are written."""

    format: int
    network: Network
    columns: tuple[str, ...]
    target: str
    classes: tuple[int, ...]
    scaling: None
    training: Training
    digest: str


# The digest as it stands in the file: JSON within a JSON string, so that its quotes are escaped and no column's name
# can look the same.
_DIGEST = re.compile(rb'\\"digest\\":\\"([0-9a-f]{64})\\"')
_ZEROS = "0" * 64


def save(path: str | os.PathLike[str], checkpoint: Checkpoint) -> Checkpoint:
    """Write the checkpoint and return it with its digest.

    The file appears whole or not at all, also when the process is killed: it is written beside its place, synced, and
    then moved there. Raises CheckpointError where a parameter is not finite or does not fit the network, where the
    name does not end in .safetensors, and where the file cannot be written.

    >>> import jax, tempfile
    >>> from model.network import init_params
    >>> network = Network((2, 2, 1))
    >>> params = init_params(network, key=jax.random.key(0))
    >>> training = Training("xor", 0, 0, 1, 0, 0.7, 0, "sgd", 0.01, 100)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = save(f"{folder}/xor.safetensors", Checkpoint(network, params, ("a", "b"), "xor", (0, 1), training))
    ...     loaded = load(f"{folder}/xor.safetensors")
    >>> loaded.version == saved.version, bool((loaded.params[0].weight == params[0].weight).all())
    (True, True)
    """
    check_path(path)
    place = Path(path).resolve()
    tensors = _tensors(checkpoint.params)
    _check_tensors(place, tensors, checkpoint.network)
    metadata = _Metadata(
        format=FORMAT,
        network=checkpoint.network,
        columns=checkpoint.columns,
        target=checkpoint.target,
        classes=checkpoint.classes,
        scaling=checkpoint.scaling,
        training=checkpoint.training,
        digest=_ZEROS,
    )
    blank = safetensors.numpy.save(tensors, {"nudge": msgspec.json.encode(metadata).decode()})
    digest = hashlib.sha256(blank).hexdigest()
    _replace(place, _with_digest(blank, digest))
    return replace(checkpoint, digest=digest)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint that `save` wrote, its params as float32 arrays.

    Raises CheckpointError where there is no such file, where a single byte of it is not as it was written, and where
    its format, shapes or numbers are not those of a checkpoint.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise _refusal(path, "a checkpoint", "no file", "write one with `nudge train`") from None
    except OSError as error:
        raise _refusal(path, "a readable file", _reason(error), "name another file") from None
    retrain = f"train it again with `nudge train --out {path}`"
    try:
        header_size = int.from_bytes(data[:8], "little")
        header = msgspec.json.decode(data[8 : 8 + header_size], type=dict[str, Any])
        text = header["__metadata__"]["nudge"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, OverflowError):
        raise _refusal(path, "a safetensors file with nudge's metadata", f"{len(data)} other bytes", retrain) from None
    _check_digest(path, data, retrain)
    try:
        metadata = msgspec.json.decode(text, type=_Metadata)
        tensors = safetensors.numpy.load(data)
    except (msgspec.DecodeError, ValueError, safetensors.SafetensorError) as error:
        raise _refusal(path, f"a checkpoint of format {FORMAT}", str(error), retrain) from None
    if metadata.format != FORMAT:
        raise _refusal(path, f"format {FORMAT}", f"format {metadata.format}", retrain)
    _check_tensors(path, tensors, metadata.network)
    if len(metadata.columns) != metadata.network.sizes[0]:
        raise _refusal(path, f"{metadata.network.sizes[0]} columns", str(len(metadata.columns)), retrain)
    return Checkpoint(
        network=metadata.network,
        params=_params(tensors, metadata.network),
        columns=metadata.columns,
        target=metadata.target,
        classes=metadata.classes,
        training=metadata.training,
        scaling=metadata.scaling,
        digest=metadata.digest,
    )


def default_checkpoint(directory: str | os.PathLike[str]) -> Path:
    """The checkpoint that is meant where none is named: the only one in the directory, or xor among several.

    Raises CheckpointError where there is none, or several without xor.
    """
    places = sorted(Path(directory).glob(f"[!.]*{SUFFIX}"))
    names = [place.stem for place in places]
    if not places:
        raise _refusal(directory, "a checkpoint in it", "none", "write one with `make train` or `nudge train`")
    if len(places) > 1 and DEFAULT not in names:
        raise _refusal(directory, f"one checkpoint, or {DEFAULT} among them", ", ".join(names), "name the one to use")
    return places[0] if len(places) == 1 else places[names.index(DEFAULT)]


def check_path(path: str | os.PathLike[str]) -> None:
    """Raise CheckpointError where `save` could not put a file, so that this is known before training."""
    place = Path(path).resolve()
    if place.suffix != SUFFIX or place.stem == "":
        raise _refusal(path, f"a name that ends in {SUFFIX}", repr(place.name), "name it so")
    if place.is_dir():
        raise _refusal(path, "a file", "a directory", "name a file in it")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(path, "a directory to write to", _reason(error), "name another place") from None
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise _refusal(path, "a directory to write to", "no permission", "name another place")


def _check_digest(path: str | os.PathLike[str], data: bytes, retrain: str) -> None:
    stored = _DIGEST.search(data)
    if stored is None:
        raise _refusal(path, "a digest of 64 hexadecimal characters", "none", retrain)
    expected, found = stored[1].decode(), hashlib.sha256(_with_digest(data, _ZEROS)).hexdigest()
    if found != expected:
        raise _refusal(path, f"the digest {expected[:12]}", f"{found[:12]}: it was changed or cut off", retrain)


def _with_digest(data: bytes, digest: str) -> bytes:
    return _DIGEST.sub(rb'\\"digest\\":\\"' + digest.encode() + rb'\\"', data, count=1)


def _replace(place: Path, data: bytes) -> None:
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, place)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        directory = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise _refusal(place, "a place to write to", _reason(error), "name another with --out") from None


def _tensors(params: Params) -> dict[str, np.ndarray]:
    return {
        f"params.{index}.{name}": np.ascontiguousarray(value, np.float32)
        for index, layer in enumerate(params)
        for name, value in layer._asdict().items()
    }


def _params(tensors: dict[str, np.ndarray], network: Network) -> Params:
    layers = range(len(network.sizes) - 1)
    return [Layer(*(jnp.asarray(tensors[f"params.{i}.{name}"]) for name in Layer._fields)) for i in layers]


def _check_tensors(path: str | os.PathLike[str], tensors: dict[str, np.ndarray], network: Network) -> None:
    expected: dict[str, tuple[int, ...]] = {}
    for index, (inputs, outputs) in enumerate(pairwise(network.sizes)):
        expected |= {f"params.{index}.weight": (inputs, outputs), f"params.{index}.bias": (outputs,)}
    found = {name: value.shape for name, value in tensors.items()}
    if found != expected:
        raise _refusal(path, f"the tensors {expected}", f"{found}", "train it again")
    for name, value in tensors.items():
        if value.dtype != np.float32:
            raise _refusal(path, f"{name} in float32", str(value.dtype), "train it again")
        if not np.isfinite(value).all():
            raise _refusal(path, f"finite numbers in {name}", f"{value[~np.isfinite(value)][0]}", "train it again")


def _refusal(path: str | os.PathLike[str], expected: str, found: str, remedy: str) -> CheckpointError:
    return CheckpointError(f"{os.fspath(path)}: expected {expected}, found {found}; {remedy}")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
