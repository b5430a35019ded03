"""Rows of values, from a query or from JSON, as the numbers that a model's columns make of them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import msgspec
import numpy as np

from model.messages import join_names, quote
from model.tables.columns import CategoricalColumn, ColumnSpec, ColumnSpecs, NumericColumn, fits_float32
from model.tables.parsing import describe_json, parse_json, parse_text
from serve.errors import RequestError

Row = list[float]
Reader = Callable[[ColumnSpec, Any], float]


class RowsDecoder:
    """What turns requests to one model into values [rows, columns], NaN where one is missing."""

    def __init__(self, columns: Sequence[str], scaling: ColumnSpecs) -> None:
        self.columns, self.column_specs = tuple(columns), scaling
        self._row_type = _row_type(self.columns, scaling)
        self._decoder = msgspec.json.Decoder(list[self._row_type] | self._row_type) if self._row_type else None  # type: ignore[name-defined]
        self._fields = attrgetter(*(f"c{index}" for index in range(len(columns))))

    def of_query(self, text: str) -> Row:
        """The row of a query such as a=1&b=0.

        Raises RequestError or ValueError where it is not one plain row: `of_pairs` says what is wrong with it.
        """
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
        values = dict(pairs)
        if len(values) < len(pairs):
            raise ValueError(text)
        return self.of_pairs(values, parse_text)

    def of_pairs(self, values: Any, read: Reader, where: str = "") -> Row:
        """The columns' values in the model's order. where: names the row in messages, when there are several.

        Raises RequestError with the column, what was expected and what was found.
        """
        expected = join_names(self.columns)
        if not isinstance(values, Mapping):
            raise RequestError(f"an object with {expected} was expected{where}, and {describe_json(values)} was found")
        for name in values:
            if name not in self.columns:
                raise RequestError(f"the columns {expected} were expected{where}, and {quote(name)} was found")
        row = []
        for name, column in zip(self.columns, self.column_specs, strict=True):
            if name not in values and not column.missing:
                found = join_names(list(values)) or "nothing"
                message = f"the columns {expected} were expected{where}, and {found} was found: {name} is missing"
                raise RequestError(message)
            try:
                row.append(read(column, values[name]) if name in values else math.nan)
            except ValueError as error:
                raise RequestError(f"column {name}: {error}{where}") from None
        return row

    def of_json(self, body: bytes) -> tuple[np.ndarray, bool]:
        """The rows of a JSON object, or of an array of such, and whether it was a single object.

        Raises RequestError with what was expected and what was found, and where.
        """
        try:
            return self._of_typed_json(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            return self._of_any_json(body)

    def _of_typed_json(self, body: bytes) -> tuple[np.ndarray, bool]:
        if self._decoder is None:
            raise ValueError(self.columns)
        decoded = self._decoder.decode(body)
        single = not isinstance(decoded, list)
        rows = [decoded] if single else decoded
        found = [self._fields(row) for row in rows] if len(self.columns) > 1 else [(self._fields(row),) for row in rows]
        given = sum(len(row) - row.count(msgspec.UNSET) for row in found)
        # As many colons as values: none was given twice, of which msgspec would take the last without a word.
        if body.count(b":") != given:
            raise ValueError(given)
        if given < len(found) * len(self.columns):
            found = [tuple(None if value is msgspec.UNSET else value for value in row) for row in found]
        values = np.empty((len(found), len(self.columns)))
        for index, (column, of_column) in enumerate(zip(self.column_specs, zip(*found, strict=True), strict=False)):
            if isinstance(column, CategoricalColumn):
                values[:, index] = [parse_json(column, value) for value in of_column]
            else:
                values[:, index] = of_column  # None becomes NaN
        numbers = [index for index, column in enumerate(self.column_specs) if isinstance(column, NumericColumn)]
        if not (fits_float32(values[:, numbers]) | np.isnan(values[:, numbers])).all():
            raise ValueError(body[:10])
        return values, single

    def _of_any_json(self, body: bytes) -> tuple[np.ndarray, bool]:
        decoded = _json(body)
        if isinstance(decoded, list):
            rows = [self.of_pairs(item, parse_json, f" in row {index}") for index, item in enumerate(decoded)]
            return np.array(rows, np.float64).reshape(len(rows), len(self.columns)), False
        return np.array([self.of_pairs(decoded, parse_json)]), True


def _row_type(columns: tuple[str, ...], scaling: ColumnSpecs) -> Any:
    """The type of a row's JSON object, or None where msgspec cannot spell a column's name."""
    fields: list[Any] = []
    for index, column in enumerate(scaling):
        kind_of_value: Any = float
        if isinstance(column, CategoricalColumn):
            kind_of_value = str | bool if column.boolean else str
        if column.missing:
            fields.append((f"c{index}", kind_of_value | None | msgspec.UnsetType, msgspec.UNSET))
        else:
            fields.append((f"c{index}", kind_of_value))
    names = {f"c{index}": name for index, name in enumerate(columns)}
    try:
        return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)
    except ValueError:
        return None


def _json(data: bytes) -> Any:
    try:
        return json.loads(
            data.decode(), parse_int=float, parse_constant=_refuse_constant, object_pairs_hook=_unique_names
        )
    except UnicodeDecodeError:
        raise RequestError("a body in UTF-8 was expected, and other bytes were found") from None
    except RecursionError:
        raise RequestError("a JSON object or array was expected, and one nested too deeply was found") from None
    except json.JSONDecodeError as error:
        message = error.msg[0].lower() + error.msg[1:]
        raise RequestError(f"valid JSON was expected, and at character {error.pos} was found: {message}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise RequestError(f"a finite number was expected, and {name} was found")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(name for name, _ in pairs)
    if len(counts) < len(pairs):
        name, count = next((name, count) for name, count in counts.items() if count > 1)
        raise RequestError(f"column {quote(name)} was expected once, and was found {count} times")
    return dict(pairs)
