"""Checkpoints: everything that a prediction needs in one safetensors file, written whole or not at all."""

from __future__ import annotations

import hashlib
import math
import os
import re
import stat
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np
import safetensors.numpy

from model.atomic_write import beside
from model.hyperparameters import Hyperparameters
from model.messages import reason, refused, shown
from model.metrics import Metrics
from model.network import Layer, Network, Params
from model.tables.columns import PLAIN, Number, Scaling, width
from model.tables.targets import Class

FORMAT = 2
SUFFIX = ".safetensors"
STATE = "state."
DEFAULT = "xor"
ELSEWHERE = f"name another, such as checkpoints/{DEFAULT}{SUFFIX}"
UNWRITTEN = "nothing was written"


class CheckpointError(ValueError):
    """A file that cannot be used, or a checkpoint that must not be written: which, what was expected, what was found,
    and what mends it.
    """


class Training(Hyperparameters, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the parameters came about: the hyperparameters, and what they led to.

    table: what they were trained on. epoch: how many were done. loss: the best restart's, of validation where rows were
    held out. solved: how many restarts had every row of a truth table right. seed: of the random key.

    rows, held_out, dropped: how many the table had, those held out among them, and those without a target besides.
    table_digest: its SHA-256. metrics, baseline: how right the predictions are, and those of a guess that knows the
    targets alone, on the rows held out, or on at most 10,000 others.
    """

    table: str
    epoch: int
    loss: float
    seed: int
    solved: int = 0
    rows: int = 0
    held_out: int = 0
    dropped: int = 0
    table_digest: str = ""
    metrics: Metrics = msgspec.field(default_factory=dict)
    baseline: Metrics = msgspec.field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network and what belongs to it.

    params: one network's, or those of an ensemble on a leading axis of every leaf. columns: their names, in order.
    target: what is predicted. classes: what a label of 0, 1, … stands for; none in a regression. scaling: how each
    column becomes inputs, by default as it is. unit: of a regression's target. temperature: by which logits are
    divided. state: where every restart stands, to resume from; its leaves. digest: SHA-256 over the file with the
    digest's own 64 characters set to zero; empty until it is saved.
    """

    network: Network
    params: Params
    columns: tuple[str, ...]
    target: str
    classes: tuple[Class, ...]
    training: Training
    scaling: Scaling = ()
    unit: Number = PLAIN
    temperature: float = 1.0
    state: tuple[np.ndarray, ...] = ()
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.scaling:
            object.__setattr__(self, "scaling", (PLAIN,) * len(self.columns))

    @property
    def version(self) -> str:
        """The first 12 characters of the digest, by which answers name the checkpoint they come from."""
        return self.digest[:12]

    @property
    def members(self) -> int:
        """How many networks it holds."""
        bias = self.params[0].bias
        return int(bias.shape[0]) if bias.ndim > 1 else 1


class _Metadata(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON under the key `nudge`, its fields in the order in which they are written."""

    format: int
    network: Network
    columns: tuple[str, ...]
    target: str
    classes: tuple[Class, ...]
    scaling: Scaling
    unit: Number
    temperature: float
    members: int
    training: Training
    digest: str


# The digest as it stands in the file: JSON within a JSON string, so that its quotes are escaped and no column's name
# can look the same.
_DIGEST = re.compile(rb'\\"digest\\":\\"([0-9a-f]{64})\\"')
_ZEROS = "0" * 64


def save(path: str | os.PathLike[str], checkpoint: Checkpoint) -> Checkpoint:
    """Write the checkpoint and return it with its digest.

    The file appears whole or not at all, also when the process is killed: it is written beside its place, synced, and
    then moved there. Raises CheckpointError for all that `load` would refuse, where the name does not end in
    .safetensors, and where the file cannot be written.

    >>> import jax, tempfile
    >>> from model.network import init_params
    >>> network = Network((2, 2, 1))
    >>> params = init_params(network, key=jax.random.key(0))
    >>> training = Training(table="xor", epoch=0, loss=0.7, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = save(f"{folder}/xor.safetensors", Checkpoint(network, params, ("a", "b"), "xor", (0, 1), training))
    ...     loaded = load(f"{folder}/xor.safetensors")
    >>> loaded.version == saved.version, bool((loaded.params[0].weight == params[0].weight).all())
    (True, True)
    """
    place = _place(path)
    metadata = _Metadata(
        format=FORMAT,
        network=checkpoint.network,
        columns=checkpoint.columns,
        target=checkpoint.target,
        classes=checkpoint.classes,
        scaling=checkpoint.scaling,
        unit=checkpoint.unit,
        temperature=checkpoint.temperature,
        members=checkpoint.members,
        training=checkpoint.training,
        digest=_ZEROS,
    )
    try:
        text = msgspec.json.encode(metadata, enc_hook=_plain).decode()
    except (TypeError, ValueError, OverflowError) as error:
        raise _refusal(path, "a checkpoint that JSON can hold", str(error), UNWRITTEN) from None
    blank = safetensors.numpy.save(_tensors(checkpoint), {"nudge": text})
    digest = hashlib.sha256(blank).hexdigest()
    data = _with_digest(blank, digest)
    _parse(path, data, UNWRITTEN)
    with beside(place, ELSEWHERE, CheckpointError) as (file, finish):
        file.write(data)
        finish()
    return replace(checkpoint, digest=digest)


def _plain(value: Any) -> Any:
    """The number in a scalar of NumPy or JAX, for JSON."""
    if getattr(value, "shape", None) == ():
        return value.item()
    raise TypeError(f"a value of the type {type(value).__name__}")


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint that `save` wrote, its params as float32 arrays.

    Raises CheckpointError where there is no such file, where a single byte of it is not as it was written, and where
    its format, shapes or numbers are not those of a checkpoint.
    """
    checkpoint = parse(path, read(path))
    return replace(checkpoint, params=jax.device_put(checkpoint.params))


def read(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a checkpoint's file. Raises CheckpointError where there is none, or it cannot be read."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode):  # which could be waited for in vain
            raise OSError("it is no regular file")
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise _refusal(path, "a checkpoint", "no file", "write one with `nudge train`") from None
    except (OSError, ValueError) as error:
        raise _refusal(path, "a readable file", reason(error), "name another file") from None


def parse(path: str | os.PathLike[str], data: bytes) -> Checkpoint:
    """The checkpoint in the bytes of a file, which path only names, its params as NumPy arrays: none needs a device.

    Raises CheckpointError as `load` does.
    """
    metadata, tensors = _parse(path, data, f"train it again with `nudge train --out {path}`")
    return Checkpoint(
        network=metadata.network,
        params=_params(tensors, metadata.network),
        state=tuple(tensors[name] for name in sorted(tensors) if name.startswith(STATE)),
        columns=metadata.columns,
        target=metadata.target,
        classes=metadata.classes,
        training=metadata.training,
        scaling=metadata.scaling,
        unit=metadata.unit,
        temperature=metadata.temperature,
        digest=metadata.digest,
    )


def _parse(path: str | os.PathLike[str], data: bytes, remedy: str) -> tuple[_Metadata, dict[str, np.ndarray]]:
    """What the bytes of a file hold. Raises CheckpointError where it is not a whole and sound checkpoint."""
    try:
        header_size = int.from_bytes(data[:8], "little")
        header = msgspec.json.decode(data[8 : 8 + header_size], type=dict[str, Any])
        text = header["__metadata__"]["nudge"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, OverflowError):
        raise _refusal(path, "a safetensors file with nudge's metadata", f"{len(data)} other bytes", remedy) from None
    _check_digest(path, data, remedy)
    try:
        metadata = msgspec.json.decode(text, type=_Metadata)
        tensors = safetensors.numpy.load(data)
    except (msgspec.DecodeError, ValueError, safetensors.SafetensorError) as error:
        raise _refusal(path, f"a checkpoint of format {FORMAT}", str(error), remedy) from None
    if metadata.format != FORMAT:
        raise _refusal(path, f"format {FORMAT}", f"format {metadata.format}", remedy)
    _check_tensors(path, tensors, metadata, remedy)
    network, columns, classes = metadata.network, metadata.columns, metadata.classes
    outputs = {"binary": 2, "multiclass": network.sizes[-1], "regression": 0}[network.task]
    for name, values, count in (("columns", columns, len(metadata.scaling)), ("classes", classes, outputs)):
        if not len(values) == len(set(values)) == count:
            raise _refusal(path, f"{count} different {name}", shown(", ".join(map(str, values))), remedy)
    if width(metadata.scaling) != network.sizes[0]:
        raise _refusal(path, f"columns of {network.sizes[0]} inputs", f"{width(metadata.scaling)}", remedy)
    if not 0 < metadata.temperature < math.inf:
        raise _refusal(path, "a temperature above 0", f"{metadata.temperature}", remedy)
    return metadata, tensors


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
    """Raise CheckpointError where `save` could not put a file, so that this is known before training.

    It is tried: a file is made there and removed again, and the directory stays.
    """
    with beside(_place(path), ELSEWHERE, CheckpointError):
        pass


def _place(path: str | os.PathLike[str]) -> Path:
    """Where the file goes, links followed. Raises CheckpointError where the name is not a checkpoint's."""
    try:
        place = Path(os.path.realpath(path))
    except ValueError as error:
        raise _refusal(path, "a name for a file", reason(error), ELSEWHERE) from None
    if place.suffix != SUFFIX:
        raise _refusal(path, f"a name that ends in {SUFFIX}", repr(place.name), ELSEWHERE)
    if os.path.isdir(place):
        raise _refusal(path, "a file", "a directory", ELSEWHERE)
    return place


def _check_digest(path: str | os.PathLike[str], data: bytes, remedy: str) -> None:
    stored = _DIGEST.search(data)
    if stored is None:
        raise _refusal(path, "a digest of 64 hexadecimal characters", "none", remedy)
    expected, found = stored[1].decode(), hashlib.sha256(_with_digest(data, _ZEROS)).hexdigest()
    if found != expected:
        raise _refusal(path, f"the digest {expected[:12]}", f"{found[:12]}: it was changed or cut off", remedy)


def _with_digest(data: bytes, digest: str) -> bytes:
    return _DIGEST.sub(rb'\\"digest\\":\\"' + digest.encode() + rb'\\"', data, count=1)


def _tensors(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    params = {
        f"params.{index}.{name}": np.ascontiguousarray(value, np.float32)
        for index, layer in enumerate(checkpoint.params)
        for name, value in layer._asdict().items()
    }
    return params | {f"{STATE}{index:04d}": np.ascontiguousarray(leaf) for index, leaf in enumerate(checkpoint.state)}


def _params(tensors: dict[str, np.ndarray], network: Network) -> Params:
    layers = range(len(network.sizes) - 1)
    return [Layer(*(tensors[f"params.{i}.{name}"] for name in Layer._fields)) for i in layers]


def _check_tensors(
    path: str | os.PathLike[str], tensors: dict[str, np.ndarray], metadata: _Metadata, remedy: str
) -> None:
    members = () if metadata.members == 1 else (metadata.members,)
    expected: dict[str, tuple[int, ...]] = {}
    for index, (inputs, outputs) in enumerate(pairwise(metadata.network.sizes)):
        expected |= {f"params.{index}.weight": (*members, inputs, outputs), f"params.{index}.bias": (*members, outputs)}
    params = {name: value for name, value in tensors.items() if not name.startswith(STATE)}
    found = {name: value.shape for name, value in params.items()}
    if found != expected:
        raise _refusal(path, f"the tensors {expected}", f"{found}", remedy)
    for name, value in params.items():
        if value.dtype != np.float32:
            raise _refusal(path, f"{name} in float32", str(value.dtype), remedy)
        if not np.isfinite(value).all():
            raise _refusal(path, f"finite numbers in {name}", f"{value[~np.isfinite(value)][0]}", remedy)


def _refusal(path: str | os.PathLike[str], expected: str, found: str, remedy: str) -> CheckpointError:
    return CheckpointError(refused(path, expected, found, remedy))
