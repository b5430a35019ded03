"""Tensors of the Open Inference Protocol: from JSON or raw bytes to NumPy arrays, and back.

The protocol: REST, version 2, with Triton's binary tensor extension.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np

from model.messages import quote
from serve.errors import RequestError
from serve.json_bytes import UNCOUNTED_BYTES, count_mark

# NumPy's type of each datatype of the protocol. BYTES holds texts of any length, and has none.
NUMERIC: dict[str, np.dtype[Any]] = {
    name: np.dtype(dtype)
    for name, dtype in {
        "BOOL": "?",
        "UINT8": "u1",
        "UINT16": "<u2",
        "UINT32": "<u4",
        "UINT64": "<u8",
        "INT8": "i1",
        "INT16": "<i2",
        "INT32": "<i4",
        "INT64": "<i8",
        "FP16": "<f2",
        "FP32": "<f4",
        "FP64": "<f8",
    }.items()
}
# The largest size in a shape, and the longest JSON of one with up to 8 of them.
MAX_SIZE, MAX_SHAPE_BYTES = 2**40, 1000
_SHAPE = msgspec.json.Decoder(Annotated[list[int], msgspec.Meta(max_length=8)])
# Values that are encoded at a time. Other threads can run in between.
BLOCK_VALUES = 2**16
DATATYPES = (*NUMERIC, "BYTES")


class InputParameters(msgspec.Struct, gc=False):
    """What is read of a tensor's parameters. msgspec skips the others."""

    binary_data_size: int | None = None


class InputTensor(msgspec.Struct, gc=False):
    """A tensor of a request. Its data are JSON, unless its bytes follow the JSON of the request."""

    name: str
    shape: msgspec.Raw
    datatype: str
    parameters: InputParameters | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class OutputParameters(msgspec.Struct):
    """The parameters of a tensor of an answer."""

    binary_data_size: int


class OutputTensor(msgspec.Struct, omit_defaults=True):
    """A tensor of an answer. Its data are flat, row by row, unless its bytes follow the JSON of the answer."""

    name: str
    datatype: str
    shape: list[int]
    parameters: OutputParameters | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def shape_of(tensor: InputTensor) -> list[int]:
    """The shape of a tensor. Raises RequestError if it is none, or if the datatype is unknown."""
    name = quote(tensor.name)
    if tensor.datatype not in DATATYPES:
        found = quote(tensor.datatype)
        raise RequestError(f"tensor {name}: one of {', '.join(DATATYPES)} was expected as the datatype, not {found}")
    shape: list[int] | None
    try:
        shape = _SHAPE.decode(tensor.shape) if len(bytes(tensor.shape)) <= MAX_SHAPE_BYTES else None
    except ValueError:
        shape = None
    if shape is None or not all(0 <= size <= MAX_SIZE for size in shape):
        expected = f"a list of up to 8 sizes from 0 to {MAX_SIZE:,} was expected as its shape"
        raise RequestError(f"tensor {name}: {expected}, and something else was found")
    return list(shape)


def decode_tensor(tensor: InputTensor, shape: list[int], raw: memoryview | None) -> np.ndarray:
    """Decode a tensor of a request.

    Args:
        tensor: the tensor as the JSON of the request describes it.
        shape: its shape.
        raw: the tensor's bytes after the JSON of the request; None if its data are in the JSON.

    Returns:
        The array in the tensor's shape and datatype. For BYTES it is an array of objects, each a text. A null in JSON
        becomes NaN among floats, and None among texts. Numbers in raw bytes are not copied.

    Raises:
        RequestError: if shape, datatype and data do not agree.
    """
    name = quote(tensor.name)
    count = math.prod(shape)
    if raw is not None:
        if tensor.data is not msgspec.UNSET:
            raise RequestError(f"tensor {name}: data or binary_data_size was expected, and both were found")
        array = (
            _decode_texts(name, raw, count)
            if tensor.datatype == "BYTES"
            else _decode_numbers(name, raw, tensor.datatype, count)
        )
    elif tensor.data is msgspec.UNSET:
        raise RequestError(f"tensor {name}: data or binary_data_size was expected, and neither was found")
    else:
        array = _decode_json(name, bytes(tensor.data), tensor.datatype, shape)
    if len(array) != count:
        raise _wrong_count(name, shape, len(array))
    return array.reshape(shape)


def _wrong_count(name: str, shape: list[int], found: int) -> RequestError:
    expected = f"{math.prod(shape):,} values were expected in the shape {shape}"
    return RequestError(f"tensor {name}: {expected}, not {found:,}")


def _decode_numbers(name: str, raw: memoryview, datatype: str, count: int) -> np.ndarray:
    dtype = NUMERIC[datatype]
    if len(raw) != count * dtype.itemsize:
        expected = f"{count * dtype.itemsize:,} bytes were expected for {count:,} values of {datatype}"
        raise RequestError(f"tensor {name}: {expected}, and {len(raw):,} were found")
    if datatype == "BOOL":
        booleans: np.ndarray = np.frombuffer(raw, np.uint8) != 0
        return booleans
    return np.frombuffer(raw, dtype)


def _decode_texts(name: str, raw: memoryview, count: int) -> np.ndarray:
    """Decode texts, at most one more than `count`. Each is its length in 4 bytes, and that many bytes."""
    texts: list[Any] = []
    start = 0
    while start < len(raw) and len(texts) <= count:
        first = start + 4
        end = first + int.from_bytes(raw[start:first], "little")
        if first > len(raw) or end > len(raw):
            raise RequestError(f"tensor {name}: texts that end with their bytes were expected, and one goes beyond")
        try:
            texts.append(str(raw[first:end], "utf-8"))
        except UnicodeDecodeError:
            raise RequestError(f"tensor {name}: texts in UTF-8 were expected, and other bytes were found") from None
        start = end
    return _object_array(texts)


def _object_array(values: Sequence[Any]) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


# The type in JSON of the values of each kind of array.
_JSON_TYPES: dict[str, Any] = {"f": float, "i": int, "u": int, "b": bool, "O": str}
_DECODERS = {
    (kind, depth, nullable): msgspec.json.Decoder(shape[depth])
    for kind, item in _JSON_TYPES.items()
    for nullable, value in ((False, item), (True, item | None))
    for shape in [{1: list[value], 2: list[list[value]], 3: list[list[list[value]]]}]  # type: ignore[valid-type]
    for depth in shape
}


def _decode_json(name: str, data: bytes, datatype: str, shape: list[int]) -> np.ndarray:
    """Decode values in JSON, flat or nested as the shape is."""
    if len(data) > UNCOUNTED_BYTES:
        _check_counts(name, data, shape)
    kind = NUMERIC[datatype].kind if datatype in NUMERIC else "O"
    for nullable in (False, True) if kind in "fO" else (False,):
        for depth in dict.fromkeys((1, len(shape))):
            decoder = _DECODERS.get((kind, depth, nullable))
            if decoder is None:
                continue
            try:
                values = decoder.decode(data)
            except (ValueError, RecursionError):
                continue
            for size in shape[1:] if depth > 1 else ():
                if not set(map(len, values)) <= {size}:
                    raise _wrong_nesting(name, shape)
                values = list(chain.from_iterable(values))
            return _to_array(name, values, datatype)
    raise RequestError(f"tensor {name}: data of {datatype} was expected, flat or as {shape}, and something else found")


def _check_counts(name: str, data: bytes, shape: list[int]) -> None:
    """Raise RequestError if there are more values or lists in JSON than a shape has."""
    commas = count_mark(data, b",", limit=math.prod(shape))
    if commas > math.prod(shape):
        raise _wrong_count(name, shape, commas + 1)
    lists = 1 + sum(math.prod(shape[:depth]) for depth in range(1, len(shape)))
    if count_mark(data, b"[", limit=lists) > lists:
        raise _wrong_nesting(name, shape)


def _wrong_nesting(name: str, shape: list[int]) -> RequestError:
    return RequestError(f"tensor {name}: data nested as the shape {shape} was expected, and other found")


def _to_array(name: str, values: list[Any], datatype: str) -> np.ndarray:
    if datatype == "BYTES":
        return _object_array(values)
    dtype = NUMERIC[datatype]
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, dtype)
    except (OverflowError, ValueError):
        raise RequestError(f"tensor {name}: whole numbers of {datatype} were expected, and others were found") from None
    if dtype.kind == "f" and np.count_nonzero(np.isinf(array)):
        raise RequestError(f"tensor {name}: finite numbers of {datatype} were expected, and larger ones were found")
    return array


def encode_raw(array: np.ndarray) -> bytes:
    """The bytes of an array in the binary tensor extension: little-endian numbers, or texts, each after its length."""
    if array.dtype == object:
        texts = [str(text).encode() for text in array.ravel()]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def encode_json(array: np.ndarray) -> msgspec.Raw:
    """The values of an array in JSON, flat, row by row."""
    values = array.ravel()
    if len(values) <= BLOCK_VALUES:
        return msgspec.Raw(msgspec.json.encode(values.tolist()))
    blocks = (values[start : start + BLOCK_VALUES] for start in range(0, len(values), BLOCK_VALUES))
    return msgspec.Raw(b"[" + b",".join([msgspec.json.encode(block.tolist())[1:-1] for block in blocks]) + b"]")


def datatype_of(array: np.ndarray) -> str:
    """The protocol's datatype of an array.

    >>> datatype_of(np.zeros(1, np.float32)), datatype_of(np.array(["a"], object))
    ('FP32', 'BYTES')
    """
    return _DATATYPE_OF[array.dtype]


_DATATYPE_OF: dict[np.dtype[Any], str] = {dtype: name for name, dtype in NUMERIC.items()} | {np.dtype(object): "BYTES"}
