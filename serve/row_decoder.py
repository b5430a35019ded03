"""Decodes the rows of a request, from a query or from JSON, into the numbers of a model's columns."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl

import msgspec
import numpy as np

from model.messages import join_names, quote
from model.tables.columns import CategoricalColumn, ColumnSpec, ColumnSpecs, NumericColumn, fits_float32
from model.tables.json_values import describe_json
from model.tables.parsing import parse_json, parse_text
from model.tables.spelling import PLAIN_NUMBERS
from model.tables.unseen import UnseenCells, UnseenValues
from serve.errors import RequestError

Row = list[float]


class DecodedRows(NamedTuple):
    """The rows of a request.

    Attributes:
        values: [rows, columns] float64, NaN where a value is missing.
        unseen: the values that training never saw.
    """

    values: np.ndarray
    unseen: UnseenCells


ValueParser = Callable[[ColumnSpec, Any], float]


class RowDecoder:
    """Decodes the rows of requests to one model.

    Args:
        columns: the names of the model's columns, in its order.
        column_specs: the specs of the same columns.
    """

    def __init__(self, columns: Sequence[str], column_specs: ColumnSpecs) -> None:
        self.columns, self.column_specs = tuple(columns), column_specs
        self.unseen = UnseenValues(columns, column_specs)
        self._row_type = _row_type(self.columns, column_specs)
        self._decoder = msgspec.json.Decoder(list[self._row_type] | self._row_type) if self._row_type else None  # type: ignore[name-defined]
        self._fields = attrgetter(*(f"c{index}" for index in range(len(columns))))

    def from_query(self, query: str) -> DecodedRows:
        """The row of a query such as a=1&b=0.

        Raises RequestError or ValueError if it is not one plain row. `from_pairs` then says what is wrong with it.
        """
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
        values = dict(pairs)
        if len(values) < len(pairs):
            raise ValueError(query)
        return self.from_texts(values)

    def from_texts(self, texts: Mapping[str, str]) -> DecodedRows:
        """The row of names and texts. Raises RequestError if they do not fit the columns."""
        values = np.array([self._from_pairs(texts, parse_text)])
        return DecodedRows(values, self.unseen.find(values, lambda _, column: texts[self.columns[column]]))

    def _from_pairs(self, values: Any, parse: ValueParser, where: str = "") -> Row:
        """The row of an object of names and values.

        Args:
            values: the object. Anything but a mapping is refused.
            parse: parses one value of a column, and raises ValueError if the value is wrong.
            where: what messages add to name the row if there are several, such as " in row 3".

        Returns:
            A number for each column, in the order of the model's columns; NaN where a value is missing.

        Raises:
            RequestError: if the object does not fit the columns.
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
                row.append(parse(column, values[name]) if name in values else math.nan)
            except ValueError as error:
                raise RequestError(f"column {name}: {error}{where}") from None
        return row

    def from_json(self, body: bytes) -> tuple[DecodedRows, bool]:
        """The rows of a JSON object, or of an array of objects.

        Args:
            body: the bytes of the JSON.

        Returns:
            The rows, and whether it was a single object.

        Raises:
            RequestError: if the JSON is wrong or does not fit the columns.
        """
        try:
            return self.from_json_fast(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            return self.from_json_carefully(body)

    def from_json_fast(self, body: bytes) -> tuple[DecodedRows, bool]:
        """As `from_json`, by msgspec. Any exception means that `from_json_carefully` must decode the body."""
        if self._decoder is None:
            raise ValueError(self.columns)
        decoded = self._decoder.decode(body)
        is_single = not isinstance(decoded, list)
        rows = [decoded] if is_single else decoded
        by_row = (
            [self._fields(row) for row in rows] if len(self.columns) > 1 else [(self._fields(row),) for row in rows]
        )
        count = sum(len(row) - row.count(msgspec.UNSET) for row in by_row)
        # msgspec silently takes the last of two values of one column. With as many colons as values, there are no two.
        if body.count(b":") != count:
            raise ValueError("a column may have two values")
        if count < len(by_row) * len(self.columns):
            by_row = [tuple(None if value is msgspec.UNSET else value for value in row) for row in by_row]
        values = self._convert(by_row)
        return DecodedRows(values, self.unseen.find(values, lambda row, column: by_row[row][column])), is_single

    def _convert(self, rows: list[Any]) -> np.ndarray:
        """The numbers of JSON values, where None is missing. Raises ValueError if a value does not fit its column."""
        values = np.empty((len(rows), len(self.columns)))
        for index, (column, column_values) in enumerate(zip(self.column_specs, zip(*rows, strict=True), strict=False)):
            if not isinstance(column, NumericColumn) or column.spelling != PLAIN_NUMBERS:
                values[:, index] = [parse_json(column, value) for value in column_values]
            else:
                values[:, index] = column_values  # None becomes NaN
        numeric = [index for index, column in enumerate(self.column_specs) if isinstance(column, NumericColumn)]
        if not (fits_float32(values[:, numeric]) | np.isnan(values[:, numeric])).all():
            raise ValueError("float32 cannot hold a value")
        return values

    def from_json_carefully(self, body: bytes) -> tuple[DecodedRows, bool]:
        """As `from_json`, by Python's json, value by value: slow, but it finds what is wrong and where."""
        decoded = _decode_json(body)
        is_single = not isinstance(decoded, list)
        objects = [decoded] if is_single else decoded
        rows = [
            self._from_pairs(item, parse_json, "" if is_single else f" in row {index}")
            for index, item in enumerate(objects)
        ]
        values = np.array(rows, np.float64).reshape(len(rows), len(self.columns))
        unseen = self.unseen.find(values, lambda row, column: objects[row][self.columns[column]])
        return DecodedRows(values, unseen), is_single


def _row_type(columns: tuple[str, ...], column_specs: ColumnSpecs) -> Any:
    """The type of a row's JSON object; None if msgspec cannot spell a column's name."""
    fields: list[Any] = []
    for index, column in enumerate(column_specs):
        value_type: Any = float
        if isinstance(column, NumericColumn) and column.spelling != PLAIN_NUMBERS:
            value_type = float | str
        elif not isinstance(column, NumericColumn):
            value_type = str | bool if isinstance(column, CategoricalColumn) and column.boolean else str
        if column.missing:
            fields.append((f"c{index}", value_type | None | msgspec.UnsetType, msgspec.UNSET))
        elif column.is_open:
            fields.append((f"c{index}", value_type | None))
        else:
            fields.append((f"c{index}", value_type))
    names = {f"c{index}": name for index, name in enumerate(columns)}
    try:
        return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)
    except ValueError:
        return None


def _decode_json(data: bytes) -> Any:
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
