"""The Open Inference Protocol, REST, version 2, without HTTP: the bytes of a request -> those of an answer."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from model.messages import quote
from model.tables.columns import BEYOND_FLOAT32, ColumnSpec, NumericColumn
from model.tables.parsing import parse_json, parse_text
from serve.errors import RequestError, check_rows
from serve.metrics import count_rows
from serve.registry import Model
from serve.tensors import InputTensor, OutputTensor, datatype_of, decoded, raw_bytes

# The header that says where the JSON of a message ends and its raw tensors begin.
JSON_LENGTH = "Inference-Header-Content-Length"
WHOLE = "input"


class RequestedOutput(msgspec.Struct):
    """An output that a request asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct):
    """The JSON of a request for predictions."""

    inputs: list[InputTensor]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[RequestedOutput] | None = None


class InferResponse(msgspec.Struct, omit_defaults=True):
    """The JSON of an answer."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None


_DECODER = msgspec.json.Decoder(InferRequest)


def infer(model: Model, body: bytes, json_length: str | None, max_rows: int) -> tuple[bytes, int | None]:
    """The answer to a request for predictions, and where raw tensors follow its JSON, the length of that.

    json_length: the request's own header of that, if it has one. Raises RequestError where the request does not fit.
    """
    asked, raws = _asked(body, json_length)
    values = _values(model, asked.inputs, raws, max_rows)
    answer = _answer(model, asked, _predicted(model, values))
    count_rows(model.name, len(values))
    return answer


def metadata_of(model: Model) -> dict[str, Any]:
    """The metadata of a model. One tensor of all columns where they are all numbers, else one for each."""
    checkpoint = model.checkpoint
    columns = dict(zip(checkpoint.columns, checkpoint.column_specs, strict=True))
    if all(isinstance(column, NumericColumn) for column in columns.values()):
        inputs = [{"name": WHOLE, "datatype": "FP32", "shape": [-1, len(columns)]}]
    else:
        inputs = [
            {"name": name, "datatype": "FP32" if isinstance(column, NumericColumn) else "BYTES", "shape": [-1]}
            for name, column in columns.items()
        ]
    outputs = [
        {"name": name, "datatype": datatype_of(array), "shape": [-1, *array.shape[1:]]}
        for name, array in _predicted(model, np.zeros((0, len(columns)))).items()
    ]
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": "nudge_jax",
        "inputs": inputs,
        "outputs": outputs,
    }


def _asked(body: bytes, text: str | None) -> tuple[InferRequest, dict[int, memoryview]]:
    """The request, and the raw bytes of its tensors by their place."""
    if text is None:
        length = len(body)
    elif text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= len(body):
        length = int(text)
    else:
        expected = f"{JSON_LENGTH}: a number of bytes up to the body's {len(body):,} was expected"
        raise RequestError(f"{expected}, and {quote(text)} was found")
    asked: InferRequest = decode(_DECODER, body[:length] if length < len(body) else body)
    raws, start = {}, length
    for place, tensor in enumerate(asked.inputs):
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            continue
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(body) - start:
            left = f"a binary_data_size up to the {len(body) - start:,} bytes that are left was expected"
            raise RequestError(f"tensor {quote(tensor.name)}: {left}, and {quote(size)} was found")
        raws[place] = memoryview(body)[start : start + size]
        start += size
    if start != len(body):
        raise RequestError(f"a body of {start:,} bytes was expected by its JSON, and {len(body):,} were found")
    return asked, raws


def decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """What a body's JSON says. Raises RequestError where it is not what the decoder knows."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        said = str(error)
        raise RequestError(f"a request of the Open Inference Protocol was expected, and found was: {said}") from None


def _values(model: Model, tensors: list[InputTensor], raws: dict[int, memoryview], max_rows: int) -> np.ndarray:
    """The rows [rows, columns] that the tensors hold, NaN where a value is missing."""
    columns = model.checkpoint.columns
    arrays: dict[str, np.ndarray] = {}
    for place, tensor in enumerate(tensors):
        if tensor.name in arrays:
            raise RequestError(f"tensor {quote(tensor.name)} was expected once, and was found more often")
        arrays[tensor.name] = decoded(tensor, raws.get(place))
    whole = arrays.get(WHOLE)
    if len(arrays) == 1 and whole is not None and whole.ndim == 2 and whole.shape[1] == len(columns):
        by_column = dict(zip(columns, whole.T, strict=True))
    else:
        by_column = {name: _column(name, array, columns) for name, array in arrays.items()}
    counts = {len(array) for array in by_column.values()}
    if len(counts) > 1:
        raise RequestError(f"tensors of as many rows each were expected, and {sorted(counts)} were found")
    rows = counts.pop() if counts else 0
    check_rows(rows, max_rows)
    values = np.empty((rows, len(columns)))
    for place, (name, column) in enumerate(zip(columns, model.checkpoint.column_specs, strict=True)):
        if name in by_column:
            values[:, place] = _numbers(name, column, by_column[name])
        elif column.missing and by_column:
            values[:, place] = np.nan
        else:
            expected = f"a tensor {WHOLE} of the shape [rows, {len(columns)}], or a tensor for each column"
            raise RequestError(f"{expected}, was expected, and none was found for {name}")
    return values


def _column(name: str, array: np.ndarray, columns: tuple[str, ...]) -> np.ndarray:
    if name not in columns:
        whole = f"{WHOLE} of the shape [rows, {len(columns)}], or a column's name,"
        raise RequestError(f"{whole} was expected as a tensor, and {quote(name)} of {list(array.shape)} was found")
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        shape = list(array.shape)
        raise RequestError(f"tensor {quote(name)}: the shape [rows] or [rows, 1] was expected, and {shape} was found")
    return array


def _numbers(name: str, column: ColumnSpec, array: np.ndarray) -> np.ndarray:
    """What a column's values of any datatype mean, as from_json and from_text say it value by value."""
    if isinstance(column, NumericColumn) and array.dtype.kind in "fiu":
        values = array.astype(np.float64)
        right = np.abs(values) < BEYOND_FLOAT32
        wrong = ~(right | np.isnan(values)) if column.missing else ~right
        if np.count_nonzero(wrong):
            row = int(wrong.argmax())
            expected = f"column {name}: a finite number within ±3.4e38 was expected"
            raise RequestError(f"{expected}, and {values[row]:g} was found in row {row}")
        return values
    known = lru_cache(maxsize=4096)(lambda value: _value(column, value))
    values = np.empty(len(array))
    for row, value in enumerate(array.tolist()):
        try:
            values[row] = known(value)
        except ValueError as error:
            raise RequestError(f"column {name}: {error} in row {row}") from None
    return values


def _value(column: ColumnSpec, value: Any) -> float:
    if isinstance(value, str):
        return parse_text(column, value)
    return parse_json(column, float(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def _predicted(model: Model, values: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs by name: prediction, label but in a regression, and spread of an ensemble."""
    try:
        mean, spread = model.predictor.predict(values)
    except ValueError as error:
        raise RequestError(str(error)) from None
    outputs = {"prediction": np.asarray(mean)}
    if model.checkpoint.classes:
        outputs["label"] = _labels(model, np.asarray(mean))
    if model.checkpoint.members > 1:
        outputs["spread"] = np.asarray(spread)
    return outputs


def _labels(model: Model, mean: np.ndarray) -> np.ndarray:
    classes: tuple[Any, ...] = model.checkpoint.classes
    kinds = {type(each) for each in classes}
    kind = {bool: np.bool_, int: np.int64, float: np.float64}.get(*kinds) if len(kinds) == 1 else None
    named = np.array(classes, kind) if kind else np.array([str(each) for each in classes], object)
    labels: np.ndarray = named[model.predictor.class_indices(mean)]
    return labels


def _answer(model: Model, asked: InferRequest, arrays: dict[str, np.ndarray]) -> tuple[bytes, int | None]:
    asked_for = [RequestedOutput(name) for name in arrays] if asked.outputs is None else asked.outputs
    wanted = {output.name: output for output in asked_for}.values()  # each once, however often it is asked for
    raw_by_default = asked.parameters.get("binary_data_output", False)
    outputs, raws = [], []
    for output in wanted:
        if output.name not in arrays:
            expected = ", ".join(arrays)
            raise RequestError(f"one of {expected} was expected as an output, and {quote(output.name)} was found")
        array = arrays[output.name]
        tensor = OutputTensor(output.name, datatype_of(array), list(array.shape))
        raw = output.parameters.get("binary_data", raw_by_default)
        if not isinstance(raw, bool):
            raise RequestError(f"true or false was expected as binary_data, and {quote(raw)} was found")
        if raw:
            raws.append(raw_bytes(array))
            tensor.parameters = {"binary_data_size": len(raws[-1])}
        else:
            tensor.data = array.ravel().tolist()
        outputs.append(tensor)
    message = msgspec.json.encode(InferResponse(model.name, model.version, outputs, asked.id))
    return (b"".join([message, *raws]), len(message)) if raws else (message, None)
