"""The bytes of a checkpoint: its metadata as JSON, its tensors, and the digest over both.

A checkpoint is one safetensors file. Its metadata has the key `nudge`, whose value is the JSON of `Metadata`.
"""

from __future__ import annotations

import hashlib
import math
import re
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import safetensors.numpy

from model.ensembles import Ensemble, Members
from model.evaluation.training_record import TrainingRecord
from model.messages import quote
from model.network import Layer, Network, Params
from model.tables.bins import make_bins
from model.tables.columns import CategoricalColumn, ColumnSpecs, NumericColumn, count_inputs
from model.tables.target_scaling import Residuals
from model.tables.targets import Class
from model.tasks import TASKS

FORMAT = 4
# Names of tensors begin with one of these.
PARAMS, STATE = "params.", "state."

Tensors = dict[str, np.ndarray]


class FormatError(ValueError):
    """The bytes are not a whole and sound checkpoint.

    Args:
        expected: what they should hold.
        found: what they hold instead.
    """

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected, self.found = expected, found


class _Version(msgspec.Struct):
    """The part of the metadata that every version of the format has."""

    format: int


class MembersRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Networks of one description.

    Attributes:
        network: the description of each.
        count: how many they are, from 1.
        sees_bins: whether they see the bins of the columns.
    """

    network: Network
    count: int
    sees_bins: bool


class Metadata(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON of a checkpoint, with its fields in the order in which they are written.

    Attributes:
        format: the version of this format.
        ensemble: the networks.
        columns: the names of the columns.
        target: the name of what is predicted.
        classes: what class 0, 1, … stands for; empty in a regression.
        column_specs: how each column becomes inputs; `scaling` in the JSON.
        target_scaling: how the target of a regression was scaled.
        residuals: what the errors on rows that were not learned from tell about predictions.
        temperature: the logits are divided by it.
        threshold: the probability from which a label is the second of two classes.
        training: how the parameters came about.
        digest: SHA-256 over the whole file with the digest's own 64 characters set to zero.
    """

    format: int
    ensemble: tuple[MembersRecord, ...]
    columns: tuple[str, ...]
    target: str
    classes: tuple[Class, ...]
    column_specs: ColumnSpecs = msgspec.field(name="scaling")
    target_scaling: NumericColumn
    residuals: Residuals
    temperature: float
    threshold: float
    training: TrainingRecord
    digest: str


# The digest as it stands in the file: JSON in a string of JSON. Its quotes are escaped, so that no column's name can
# look the same.
_DIGEST = re.compile(rb'\\"digest\\":\\"([0-9a-f]{64})\\"')
NO_DIGEST = "0" * 64


def serialize(metadata: Metadata, ensemble: Ensemble, state: tuple[np.ndarray, ...]) -> tuple[bytes, str]:
    """The bytes of a checkpoint, and its digest.

    Args:
        metadata: with NO_DIGEST as its digest.
        ensemble: the networks.
        state: the leaves of the state of training, to resume from.

    Returns:
        The bytes, with the digest in them, and the digest: 64 hexadecimal characters.

    Raises:
        FormatError: if the metadata has a value that JSON cannot hold.
    """
    try:
        text = msgspec.json.encode(metadata, enc_hook=_scalar).decode()
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError("a checkpoint that JSON can hold", str(error)) from None
    tensors = {
        _tensor_name(place, index, name): np.ascontiguousarray(value, np.float32)
        for place, members in enumerate(ensemble)
        for index, layer in enumerate(members.params)
        for name, value in layer._asdict().items()
    }
    tensors |= {f"{STATE}{index:04d}": np.ascontiguousarray(leaf) for index, leaf in enumerate(state)}
    blank = safetensors.numpy.save(tensors, {"nudge": text})
    digest = hashlib.sha256(blank).hexdigest()
    return _with_digest(blank, digest), digest


def _tensor_name(place: int, layer: int, name: str) -> str:
    """The name of a layer's weight or bias. place: of the members in the ensemble."""
    return f"{PARAMS}{layer}.{name}" if place == 0 else f"{PARAMS[:-1]}{place + 1}.{layer}.{name}"


def _scalar(value: Any) -> Any:
    """The number in a scalar of NumPy or JAX, for JSON."""
    if getattr(value, "shape", None) == ():
        return value.item()
    raise TypeError(f"a value of the type {type(value).__name__}")


def deserialize(data: bytes) -> tuple[Metadata, Ensemble, tuple[np.ndarray, ...]]:
    """What the bytes of a checkpoint hold.

    Args:
        data: the whole file.

    Returns:
        The metadata, the networks with NumPy arrays in float32, and the leaves of the state of training.

    Raises:
        FormatError: if a byte was changed, or if the contents are not those of a checkpoint.
    """
    text = _metadata_text(data)
    _check_digest(data)
    try:
        found = msgspec.json.decode(text, type=_Version).format
        if found != FORMAT:
            raise FormatError(f"format {FORMAT}", f"format {found}")
        metadata = msgspec.json.decode(text, type=Metadata)
        tensors = safetensors.numpy.load(data)
    except (msgspec.DecodeError, ValueError, safetensors.SafetensorError) as error:
        raise FormatError(f"a checkpoint of format {FORMAT}", str(error)) from None
    _check_metadata(metadata)
    _check_tensors(tensors, metadata)
    bins = make_bins(metadata.column_specs)
    ensemble = tuple(
        Members(members.network, _params(tensors, place, members.network), bins if members.sees_bins else None)
        for place, members in enumerate(metadata.ensemble)
    )
    return metadata, ensemble, tuple(tensors[name] for name in sorted(tensors) if name.startswith(STATE))


def _params(tensors: Tensors, place: int, network: Network) -> Params:
    layers = range(len(network.sizes) - 1)
    return [Layer(*(tensors[_tensor_name(place, index, name)] for name in Layer._fields)) for index in layers]


def _metadata_text(data: bytes) -> str:
    try:
        header_size = int.from_bytes(data[:8], "little")
        header = msgspec.json.decode(data[8 : 8 + header_size], type=dict[str, Any])
        text: str = header["__metadata__"]["nudge"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, OverflowError):
        raise FormatError("a safetensors file with nudge's metadata", f"{len(data)} other bytes") from None
    return text


def _check_digest(data: bytes) -> None:
    stored = _DIGEST.search(data)
    if stored is None:
        raise FormatError("a digest of 64 hexadecimal characters", "none")
    expected, found = stored[1].decode(), hashlib.sha256(_with_digest(data, NO_DIGEST)).hexdigest()
    if found != expected:
        raise FormatError(f"the digest {expected[:12]}", f"{found[:12]}: it was changed or cut off")


def _with_digest(data: bytes, digest: str) -> bytes:
    return _DIGEST.sub(rb'\\"digest\\":\\"' + digest.encode() + rb'\\"', data, count=1)


def _check_metadata(metadata: Metadata) -> None:
    if not metadata.ensemble or any(members.count < 1 for members in metadata.ensemble):
        raise FormatError("at least one network", "none")
    network = metadata.ensemble[0].network
    class_count = TASKS[network.task].class_count(network.sizes[-1])
    for name, values, count in (
        ("columns", metadata.columns, len(metadata.column_specs)),
        ("classes", metadata.classes, class_count),
    ):
        if not len(values) == len(set(values)) == count:
            raise FormatError(f"{count} different {name}", quote(", ".join(map(str, values))))
    _check_networks(metadata)
    for name, column in zip(metadata.columns, metadata.column_specs, strict=True):
        if isinstance(column, CategoricalColumn) and len(column.frequencies) not in (0, column.input_count):
            raise FormatError(f"{column.input_count} frequencies of {name}", str(len(column.frequencies)))
    if not 0 < metadata.temperature < math.inf:
        raise FormatError("a temperature above 0", str(metadata.temperature))
    if not 0 <= metadata.threshold <= 1:
        raise FormatError("a threshold from 0 to 1", str(metadata.threshold))


def _check_networks(metadata: Metadata) -> None:
    first = metadata.ensemble[0].network
    bins = make_bins(metadata.column_specs)
    for network, _, sees_bins in map(msgspec.structs.astuple, metadata.ensemble):
        inputs = len(bins.source) if bins and sees_bins else count_inputs(metadata.column_specs)
        if inputs != network.sizes[0]:
            raise FormatError(f"columns of {network.sizes[0]} inputs", str(inputs))
        if (network.task, network.sizes[-1]) != (first.task, first.sizes[-1]):
            raise FormatError(f"networks that all predict like {first}", str(network))


def _check_tensors(tensors: Tensors, metadata: Metadata) -> None:
    expected: dict[str, tuple[int, ...]] = {}
    for place, (network, count, _) in enumerate(map(msgspec.structs.astuple, metadata.ensemble)):
        leading = () if count == 1 else (count,)
        for index, (inputs, outputs) in enumerate(pairwise(network.sizes)):
            expected[_tensor_name(place, index, "weight")] = (*leading, inputs, outputs)
            expected[_tensor_name(place, index, "bias")] = (*leading, outputs)
    params = {name: value for name, value in tensors.items() if not name.startswith(STATE)}
    found = {name: value.shape for name, value in params.items()}
    if found != expected:
        raise FormatError(f"the tensors {expected}", str(found))
    for name, value in params.items():
        if value.dtype != np.float32:
            raise FormatError(f"{name} in float32", str(value.dtype))
        if not np.isfinite(value).all():
            raise FormatError(f"finite numbers in {name}", str(value[~np.isfinite(value)][0]))
