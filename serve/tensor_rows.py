"""From the tensors of a request to the rows of a model."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from model.messages import quote
from model.tables.columns import BEYOND_FLOAT32, ColumnSpec, NumericColumn
from model.tables.parsing import parse_json, parse_text
from serve.errors import RequestError, check_rows
from serve.loaded_model import Model
from serve.row_decoder import DecodedRows
from serve.size_limits import row_limit
from serve.tensors import InputTensor, decode_tensor, shape_of

# The name of the tensor that holds all columns.
ALL_COLUMNS = "input"


def decode_rows(
    model: Model, tensors: list[InputTensor], raw_tensors: dict[int, memoryview], max_rows: int
) -> DecodedRows:
    """The rows in the tensors of a request. Their number is checked before any values are decoded.

    Args:
        model: whose rows they are.
        tensors: as the JSON of the request describes them.
        raw_tensors: the bytes of those after the JSON, by their index.
        max_rows: the most rows that a request may have.

    Raises:
        RequestError: if the tensors do not fit the model, or hold too many rows.
    """
    columns, shapes = model.checkpoint.columns, _shapes_of(tensors, model.checkpoint.columns)
    is_matrix = _is_matrix(tensors, shapes, len(columns))
    rows = shapes[0][0] if is_matrix else _count_rows(model, tensors, shapes)
    check_rows(rows, row_limit(model, max_rows))
    arrays = [
        decode_tensor(tensor, shape, raw_tensors.get(index))
        for index, (tensor, shape) in enumerate(zip(tensors, shapes, strict=True))
    ]
    if is_matrix:
        by_column = dict(zip(columns, arrays[0].T, strict=True))
    else:
        by_column = {tensor.name: array.reshape(rows) for tensor, array in zip(tensors, arrays, strict=True)}
    values = np.empty((rows, len(columns)))
    for index, (name, column) in enumerate(zip(columns, model.checkpoint.column_specs, strict=True)):
        values[:, index] = _to_numbers(name, column, by_column[name]) if name in by_column else np.nan
    return DecodedRows(values, lambda row, column: by_column[columns[column]][row])


def _shapes_of(tensors: list[InputTensor], columns: tuple[str, ...]) -> list[list[int]]:
    """The shapes of tensors, each of which has its own name."""
    shapes: dict[str, list[int]] = {}
    for tensor in tensors:
        if tensor.name in shapes:
            raise RequestError(f"tensor {quote(tensor.name)} was expected once, and was found more often")
        shapes[tensor.name] = shape_of(tensor)
        if len(shapes) > len(columns):
            raise RequestError(f"at most {len(columns):,} tensors were expected, and {len(tensors):,} were found")
    return list(shapes.values())


def _is_matrix(tensors: list[InputTensor], shapes: list[list[int]], columns: int) -> bool:
    """Whether a single tensor holds all columns. A single column may have the same name."""
    return len(tensors) == 1 and tensors[0].name == ALL_COLUMNS and len(shapes[0]) == 2 and shapes[0][1] == columns


def _count_rows(model: Model, tensors: list[InputTensor], shapes: list[list[int]]) -> int:
    """The rows that the tensors of columns have."""
    counts: dict[str, int] = {}
    for tensor, shape in zip(tensors, shapes, strict=True):
        name = quote(tensor.name)
        if tensor.name not in model.checkpoint.columns:
            expected = f"{ALL_COLUMNS} of the shape [rows, {len(model.checkpoint.columns)}], or a column's name,"
            raise RequestError(f"{expected} was expected as a tensor, and {name} of {shape} was found")
        if len(shape) != 1 and shape[1:] != [1]:
            raise RequestError(f"tensor {name}: the shape [rows] or [rows, 1] was expected, and {shape} was found")
        counts[tensor.name] = shape[0]
    for name, column in zip(model.checkpoint.columns, model.checkpoint.column_specs, strict=True):
        if name not in counts and not (column.missing and counts):
            expected = f"a tensor {ALL_COLUMNS} of the shape [rows, {len(model.checkpoint.columns)}]"
            raise RequestError(f"{expected}, or a tensor for each column, was expected, and none was found for {name}")
    if len(set(counts.values())) > 1:
        raise RequestError(f"tensors of as many rows each were expected, and {sorted(set(counts.values()))} were found")
    return next(iter(counts.values()))


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
