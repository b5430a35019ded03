"""Tensors of the Open Inference Protocol: from JSON or raw bytes to NumPy arrays, and back.

The protocol: REST, version 2, with Triton's binary tensor extension.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from model.messages import quote
from serve.errors import RequestError

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
# No tensor that fits into memory has so many values. NumPy counts no further than 2**63.
MAX_TENSOR_VALUES = 2**40
DATATYPES = (*NUMERIC, "BYTES")


class InputTensor(msgspec.Struct):
    """A tensor of a request. Its data are JSON, unless its bytes follow the JSON of the request."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class OutputTensor(msgspec.Struct, omit_defaults=True):
    """A tensor of an answer. Its data are flat, row by row, unless its bytes follow the JSON of the answer."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] = {}
    data: list[Any] | msgspec.UnsetType = msgspec.UNSET


def decode_tensor(tensor: InputTensor, raw: memoryview | None) -> np.ndarray:
    """Decode a tensor of a request.

    Args:
        tensor: the tensor as the JSON of the request describes it.
        raw: the tensor's bytes after the JSON of the request; None if its data are in the JSON.

    Returns:
        The array in the tensor's shape and datatype. For BYTES it is an array of objects, each a text. A null in JSON
        becomes NaN among floats, and None among texts. Numbers in raw bytes are not copied.

    Raises:
        RequestError: if shape, datatype and data do not agree.
    """
    name, shape = quote(tensor.name), tensor.shape
    if tensor.datatype not in DATATYPES:
        found = quote(tensor.datatype)
        raise RequestError(f"tensor {name}: one of {', '.join(DATATYPES)} was expected as the datatype, not {found}")
    if len(shape) > 8 or any(size < 0 for size in shape):
        raise RequestError(
            f"tensor {name}: up to 8 sizes of at least 0 were expected as its shape, and others were found"
        )
    count = math.prod(shape)
    if math.prod(max(size, 1) for size in shape) > MAX_TENSOR_VALUES:
        raise RequestError(
            f"tensor {name}: a shape of at most {MAX_TENSOR_VALUES:,} values was expected, and a larger one was found"
        )
    if raw is not None:
        if tensor.data is not msgspec.UNSET:
            raise RequestError(f"tensor {name}: data or binary_data_size was expected, and both were found")
        array = (
            _decode_texts(name, raw)
            if tensor.datatype == "BYTES"
            else _decode_numbers(name, raw, tensor.datatype, count)
        )
    elif tensor.data is msgspec.UNSET:
        raise RequestError(f"tensor {name}: data or binary_data_size was expected, and neither was found")
    else:
        array = _decode_json(name, tensor.data, tensor.datatype, shape)
    if len(array) != count:
        raise RequestError(f"tensor {name}: {count:,} values were expected in the shape {shape}, not {len(array):,}")
    return array.reshape(shape)


def _decode_numbers(name: str, raw: memoryview, datatype: str, count: int) -> np.ndarray:
    dtype = NUMERIC[datatype]
    if len(raw) != count * dtype.itemsize:
        expected = f"{count * dtype.itemsize:,} bytes were expected for {count:,} values of {datatype}"
        raise RequestError(f"tensor {name}: {expected}, and {len(raw):,} were found")
    if datatype == "BOOL":
        booleans: np.ndarray = np.frombuffer(raw, np.uint8) != 0
        return booleans
    return np.frombuffer(raw, dtype)


def _decode_texts(name: str, raw: memoryview) -> np.ndarray:
    """Decode texts. Each is its length in 4 bytes, and that many bytes."""
    texts: list[Any] = []
    start = 0
    while start < len(raw):
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


def _decode_json(name: str, data: msgspec.Raw, datatype: str, shape: list[int]) -> np.ndarray:
    """Decode values in JSON, flat or nested as the shape is."""
    kind = NUMERIC[datatype].kind if datatype in NUMERIC else "O"
    for nullable in (False, True) if kind in "fO" else (False,):
        for depth in dict.fromkeys((1, len(shape))):
            decoder = _DECODERS.get((kind, depth, nullable))
            if decoder is None:
                continue
            try:
                values = decoder.decode(data)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            for size in shape[1:] if depth > 1 else ():
                if any(len(inner) != size for inner in values):
                    raise RequestError(f"tensor {name}: data nested as the shape {shape} was expected, and other found")
                values = list(chain.from_iterable(values))
            return _to_array(name, values, datatype)
    raise RequestError(f"tensor {name}: data of {datatype} was expected, flat or as {shape}, and something else found")


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


def encode_tensor(array: np.ndarray) -> bytes:
    """The bytes of an array in the binary tensor extension: little-endian numbers, or texts, each after its length."""
    if array.dtype == object:
        texts = [str(text).encode() for text in array.ravel()]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def datatype_of(array: np.ndarray) -> str:
    """The protocol's datatype of an array.

    >>> datatype_of(np.zeros(1, np.float32)), datatype_of(np.array(["a"], object))
    ('FP32', 'BYTES')
    """
    return _DATATYPE_OF[array.dtype]


_DATATYPE_OF: dict[np.dtype[Any], str] = {dtype: name for name, dtype in NUMERIC.items()} | {np.dtype(object): "BYTES"}
