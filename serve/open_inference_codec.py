"""The Open Inference Protocol, REST, version 2, without HTTP: from the bytes of a request to those of its answer."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from model.messages import join_rows, quote
from model.tables.columns import BEYOND_FLOAT32, ColumnSpec, NumericColumn
from model.tables.parsing import parse_json, parse_text
from serve.errors import RequestError, check_rows
from serve.loaded_model import Model
from serve.metrics import note_rows
from serve.row_decoder import DecodedRows
from serve.tensors import InputTensor, OutputTensor, datatype_of, decode_tensor, encode_tensor

# The header with the length of a message's JSON, after which its raw tensors begin.
JSON_LENGTH = "Inference-Header-Content-Length"
# The name of the tensor that holds all columns.
ALL_COLUMNS = "input"
# The most notes in one answer.
MAX_NOTES = 100


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
    parameters: dict[str, Any] = {}


_DECODER = msgspec.json.Decoder(InferRequest)


def predict_tensors(model: Model, body: bytes, json_length: str | None, max_rows: int) -> tuple[bytes, int | None]:
    """Answer a request for predictions of the rows in its tensors.

    Args:
        model: the model that predicts.
        body: the body of the request.
        json_length: the request's header Inference-Header-Content-Length; None if it has none.
        max_rows: the largest number of rows that the request may have.

    Returns:
        The body of the answer, and the length of its JSON. The length is None if no raw tensors follow the JSON.

    Raises:
        RequestError: if the request does not fit the protocol or the model.
    """
    request, raw_tensors = _split(body, json_length)
    rows = _decode_rows(model, request.inputs, raw_tensors, max_rows)
    answer = _encode_answer(model, request, _predict(model, rows.values), rows)
    note_rows(model.name, len(rows.values), rows.unseen.counts)
    return answer


def metadata_of(model: Model) -> dict[str, Any]:
    """The metadata of a model. It has one input tensor if all columns are numeric, and otherwise one per column."""
    checkpoint = model.checkpoint
    columns = dict(zip(checkpoint.columns, checkpoint.column_specs, strict=True))
    if all(isinstance(column, NumericColumn) for column in columns.values()):
        inputs = [{"name": ALL_COLUMNS, "datatype": "FP32", "shape": [-1, len(columns)]}]
    else:
        inputs = [
            {"name": name, "datatype": "FP32" if isinstance(column, NumericColumn) else "BYTES", "shape": [-1]}
            for name, column in columns.items()
        ]
    outputs = [
        {"name": name, "datatype": datatype_of(array), "shape": [-1, *array.shape[1:]]}
        for name, array in _predict(model, np.zeros((0, len(columns)))).items()
    ]
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": "nudge_jax",
        "inputs": inputs,
        "outputs": outputs,
    }


def _split(body: bytes, json_length: str | None) -> tuple[InferRequest, dict[int, memoryview]]:
    """The JSON of a request, and the bytes of its raw tensors by their index."""
    if json_length is None:
        length = len(body)
    elif json_length.isascii() and json_length.isdigit() and len(json_length) < 16 and int(json_length) <= len(body):
        length = int(json_length)
    else:
        expected = f"{JSON_LENGTH}: a number of bytes up to the body's {len(body):,} was expected"
        raise RequestError(f"{expected}, and {quote(json_length)} was found")
    request: InferRequest = decode_request(_DECODER, body[:length] if length < len(body) else body)
    raw_tensors, start = {}, length
    for index, tensor in enumerate(request.inputs):
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            continue
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(body) - start:
            left = f"a binary_data_size up to the {len(body) - start:,} bytes that are left was expected"
            raise RequestError(f"tensor {quote(tensor.name)}: {left}, and {quote(size)} was found")
        raw_tensors[index] = memoryview(body)[start : start + size]
        start += size
    if start != len(body):
        raise RequestError(f"a body of {start:,} bytes was expected by its JSON, and {len(body):,} were found")
    return request, raw_tensors


def decode_request(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Decode a body's JSON. Raises RequestError if the decoder refuses it."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        expected = "a request of the Open Inference Protocol was expected"
        raise RequestError(f"{expected}, and found was: {error}") from None


def _decode_rows(
    model: Model, tensors: list[InputTensor], raw_tensors: dict[int, memoryview], max_rows: int
) -> DecodedRows:
    """The rows in the tensors."""
    columns = model.checkpoint.columns
    by_column = _decode_columns(tensors, raw_tensors, columns)
    counts = {len(array) for array in by_column.values()}
    if len(counts) > 1:
        raise RequestError(f"tensors of as many rows each were expected, and {sorted(counts)} were found")
    rows = counts.pop() if counts else 0
    check_rows(rows, max_rows)
    values = np.empty((rows, len(columns)))
    for index, (name, column) in enumerate(zip(columns, model.checkpoint.column_specs, strict=True)):
        if name in by_column:
            values[:, index] = _to_numbers(name, column, by_column[name])
        elif column.missing and by_column:
            values[:, index] = np.nan
        else:
            expected = f"a tensor {ALL_COLUMNS} of the shape [rows, {len(columns)}], or a tensor for each column"
            raise RequestError(f"{expected}, was expected, and none was found for {name}")
    unseen = model.rows.unseen.find(values, lambda row, column: by_column[columns[column]][row])
    return DecodedRows(values, unseen)


def _decode_columns(
    tensors: list[InputTensor], raw_tensors: dict[int, memoryview], columns: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """The values [rows] of each column that the tensors hold."""
    arrays: dict[str, np.ndarray] = {}
    for index, tensor in enumerate(tensors):
        if tensor.name in arrays:
            raise RequestError(f"tensor {quote(tensor.name)} was expected once, and was found more often")
        arrays[tensor.name] = decode_tensor(tensor, raw_tensors.get(index))
    matrix = arrays.get(ALL_COLUMNS)
    if len(arrays) == 1 and matrix is not None and matrix.ndim == 2 and matrix.shape[1] == len(columns):
        return dict(zip(columns, matrix.T, strict=True))
    return {name: _check_column(name, array, columns) for name, array in arrays.items()}


def _check_column(name: str, array: np.ndarray, columns: tuple[str, ...]) -> np.ndarray:
    if name not in columns:
        expected = f"{ALL_COLUMNS} of the shape [rows, {len(columns)}], or a column's name,"
        raise RequestError(f"{expected} was expected as a tensor, and {quote(name)} of {list(array.shape)} was found")
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        shape = list(array.shape)
        raise RequestError(f"tensor {quote(name)}: the shape [rows] or [rows, 1] was expected, and {shape} was found")
    return array


def _to_numbers(name: str, column: ColumnSpec, array: np.ndarray) -> np.ndarray:
    """The numbers of a column's values, the same as `parse_json` and `parse_text` give for each value."""
    if isinstance(column, NumericColumn) and array.dtype.kind in "fiu":
        values = column.without_sentinels(array.astype(np.float64))
        is_right = np.abs(values) < BEYOND_FLOAT32
        takes_missing = column.missing or column.is_open
        is_wrong = ~(is_right | np.isnan(values)) if takes_missing else ~is_right
        if np.count_nonzero(is_wrong):
            row = int(is_wrong.argmax())
            expected = f"column {name}: a finite number within ±3.4e38 was expected"
            raise RequestError(f"{expected}, and {values[row]:g} was found in row {row}")
        return values
    parse = lru_cache(maxsize=4096)(lambda value: _to_number(column, value))
    values = np.empty(len(array))
    for row, value in enumerate(array.tolist()):
        try:
            values[row] = parse(value)
        except ValueError as error:
            raise RequestError(f"column {name}: {error} in row {row}") from None
    return values


def _to_number(column: ColumnSpec, value: Any) -> float:
    if isinstance(value, str):
        return parse_text(column, value)
    return parse_json(column, float(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def _notes(rows: DecodedRows) -> list[str]:
    """Each note once, with the rows it is about if the request has several rows."""
    places: dict[str, list[int]] = {}
    for row, notes in rows.unseen.notes.items():
        for note in notes:
            places.setdefault(note, []).append(row)
    is_single = len(rows.values) == 1
    texts = [note if is_single else f"{note}, in row {join_rows(found)}" for note, found in places.items()]
    return texts[:MAX_NOTES] + ([f"{len(texts) - MAX_NOTES:,} more notes"] if len(texts) > MAX_NOTES else [])


def _predict(model: Model, values: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs by name: prediction; label, except in a regression; spread, if the model is an ensemble; interval."""
    try:
        mean, spread, interval = model.predictor.predict(values)
    except ValueError as error:
        raise RequestError(str(error)) from None
    outputs = {"prediction": np.asarray(mean)}
    if model.checkpoint.classes:
        outputs["label"] = _labels(model, np.asarray(mean))
    if model.checkpoint.member_count > 1:
        outputs["spread"] = np.asarray(spread)
    if interval is not None:
        outputs["interval"] = interval
    return outputs


def _labels(model: Model, mean: np.ndarray) -> np.ndarray:
    classes: tuple[Any, ...] = model.checkpoint.classes
    types = {type(label) for label in classes}
    dtype = {bool: np.bool_, int: np.int64, float: np.float64}.get(*types) if len(types) == 1 else None
    array = np.array(classes, dtype) if dtype else np.array([str(label) for label in classes], object)
    labels: np.ndarray = array[model.predictor.class_indices(mean)]
    return labels


def _encode_answer(
    model: Model, request: InferRequest, arrays: dict[str, np.ndarray], rows: DecodedRows
) -> tuple[bytes, int | None]:
    requested = [RequestedOutput(name) for name in arrays] if request.outputs is None else request.outputs
    is_raw_by_default = request.parameters.get("binary_data_output", False)
    outputs, raw_tensors = [], []
    for output in {output.name: output for output in requested}.values():  # each once
        if output.name not in arrays:
            expected = ", ".join(arrays)
            raise RequestError(f"one of {expected} was expected as an output, and {quote(output.name)} was found")
        array = arrays[output.name]
        tensor = OutputTensor(output.name, datatype_of(array), list(array.shape))
        is_raw = output.parameters.get("binary_data", is_raw_by_default)
        if not isinstance(is_raw, bool):
            raise RequestError(f"true or false was expected as binary_data, and {quote(is_raw)} was found")
        if is_raw:
            raw_tensors.append(encode_tensor(array))
            tensor.parameters = {"binary_data_size": len(raw_tensors[-1])}
        else:
            tensor.data = array.ravel().tolist()
        outputs.append(tensor)
    parameters = {"notes": "; ".join(_notes(rows))} if rows.unseen.notes else {}
    message = msgspec.json.encode(InferResponse(model.name, model.version, outputs, request.id, parameters))
    return (b"".join([message, *raw_tensors]), len(message)) if raw_tensors else (message, None)
