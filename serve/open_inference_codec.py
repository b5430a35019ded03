"""Predictions of tensors, without HTTP: from the bytes of a request of the Open Inference Protocol to its answer."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any

import msgspec
import numpy as np

from model.inference import OverflowingRowError
from model.messages import join_rows, quote
from serve.errors import RequestError
from serve.loaded_model import Model
from serve.metrics import note_rows
from serve.open_inference_messages import (
    InferRequest,
    InferResponse,
    RequestedOutput,
    ResponseParameters,
    split_body,
)
from serve.row_decoder import DecodedRows
from serve.size_limits import blocks_of
from serve.statistics import INPUT, OUTPUT, PREDICTION, Watch
from serve.tensor_rows import decode_rows
from serve.tensors import OutputParameters, OutputTensor, datatype_of, encode_json, encode_raw

# The most notes in one answer.
MAX_NOTES = 100


def predict_tensors(
    model: Model, body: bytes, json_length: str | None, max_rows: int, watch: Watch
) -> tuple[bytes, int | None]:
    """Answer a request for predictions of the rows in its tensors.

    Args:
        model: the model that predicts.
        body: the body of the request.
        json_length: the request's header Inference-Header-Content-Length; None if it has none.
        max_rows: the largest number of rows that the request may have.
        watch: measures the parts of the request.

    Returns:
        The body of the answer, and the length of its JSON. The length is None if no raw tensors follow the JSON.

    Raises:
        RequestError: if the request does not fit the protocol or the model.
    """
    request, raw_tensors = split_body(body, json_length)
    rows = decode_rows(model, request.inputs, raw_tensors, max_rows)
    watch.end(INPUT)
    outputs = predict_outputs(model, rows.values)
    watch.end(PREDICTION)
    notes, unseen_counts = _notes(model, rows)
    answer = _encode_answer(model, request, outputs, notes)
    watch.end(OUTPUT)
    watch.rows = len(rows.values)
    note_rows(model.name, watch.rows, unseen_counts)
    return answer


def predict_outputs(model: Model, values: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs for rows by their names.

    Args:
        model: the model that predicts.
        values: [rows, columns], as for a `Predictor`.

    Returns:
        prediction; label, except in a regression; spread, if the model is an ensemble; interval.

    Raises:
        RequestError: if a row overflows in the network.
    """
    try:
        mean, spread, interval = model.predictor.predict(values)
    except OverflowingRowError as error:
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


def _notes(model: Model, rows: DecodedRows) -> tuple[list[str], Counter[str]]:
    """Notes on values that training never saw, each once with its rows, and the number of such values by column."""
    counts: Counter[str] = Counter()
    places: dict[str, array[int]] = {}
    if not model.rows.unseen.any_open:
        return [], counts
    others = 0
    for block in blocks_of(model, len(rows.values)):
        unseen = model.rows.unseen.find(*rows.of(block))
        counts.update(unseen.counts)
        for row, notes in unseen.notes.items():
            for note in notes:
                if note in places or len(places) < MAX_NOTES:
                    places.setdefault(note, array("q")).append(block.start + row)
                else:
                    others += 1
    is_single = len(rows.values) == 1
    texts = [note if is_single else f"{note}, in row {join_rows(found)}" for note, found in places.items()]
    return texts + ([f"{others:,} more notes"] if others else []), counts


def _encode_answer(
    model: Model, request: InferRequest, arrays: dict[str, np.ndarray], notes: list[str]
) -> tuple[bytes, int | None]:
    requested = [RequestedOutput(name) for name in arrays] if request.outputs is None else request.outputs
    is_raw_by_default = bool(request.parameters and request.parameters.binary_data_output)
    tensors, raw_tensors = dict[str, OutputTensor](), []
    for output in requested:
        if output.name not in arrays:
            expected = ", ".join(arrays)
            raise RequestError(f"one of {expected} was expected as an output, and {quote(output.name)} was found")
        if output.parameters and output.parameters.classification:
            raise RequestError(f"no classification was expected of {output.name}, and one was found; ask for label")
    for name, output in {output.name: output for output in requested}.items():  # each once
        values = arrays[name]
        is_raw = output.parameters.binary_data if output.parameters else None
        tensors[name] = OutputTensor(name, datatype_of(values), list(values.shape))
        if is_raw_by_default if is_raw is None else is_raw:
            raw_tensors.append(encode_raw(values))
            tensors[name].parameters = OutputParameters(len(raw_tensors[-1]))
        else:
            tensors[name].data = encode_json(values)
    parameters = ResponseParameters("; ".join(notes)) if notes else None
    response = InferResponse(model.name, model.version, list(tensors.values()), request.id, parameters)
    message = msgspec.json.encode(response)
    return (b"".join([message, *raw_tensors]), len(message)) if raw_tensors else (message, None)
