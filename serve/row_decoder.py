"""Decodes the rows of a request, from a query or from JSON, into the numbers of a model's columns."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
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
from model.tables.unseen import UnseenValues
from serve.errors import RequestError, check_rows
from serve.json_bytes import UNCOUNTED_BYTES, count_items, count_mark, nan_to_null, without_mark

Row = list[float]
ValueParser = Callable[[ColumnSpec, Any], float]
# The most values in the JSON of a row, unless the model has more columns. A row of more is not decoded.
MAX_ITEM_VALUES = 100_000
# A query of more values than columns and these is not decoded.
MAX_MORE_FIELDS = 100


class DecodedRows(NamedTuple):
    """The rows of a request.

    Attributes:
        values: [rows, columns] float64, NaN where a value is missing.
        written: a function from the indices of a row and a column to the value as it was written.
    """

    values: np.ndarray
    written: Callable[[int, int], Any]

    def of(self, block: slice) -> DecodedRows:
        """Some of the rows."""
        return DecodedRows(self.values[block], lambda row, column: self.written(block.start + row, column))


class RowDecoder:
    """Decodes the rows of requests to one model.

    Args:
        columns: the names of the model's columns, in its order.
        column_specs: the specs of the same columns.

    Attributes:
        is_plain: whether all columns are numbers that are written as usual.
    """

    def __init__(self, columns: Sequence[str], column_specs: ColumnSpecs) -> None:
        self.columns, self.column_specs = tuple(columns), column_specs
        self.is_plain = all(_is_plain(column) for column in column_specs)
        self.unseen = UnseenValues(columns, column_specs)
        self._names, self._listed = frozenset(columns), join_names(self.columns)
        self._row_type = _row_type(self.columns, column_specs)
        self._decoder = msgspec.json.Decoder(list[self._row_type] | self._row_type) if self._row_type else None  # type: ignore[name-defined]
        self._fields = attrgetter(*(f"c{index}" for index in range(len(columns))))

    def from_query(self, query: str) -> DecodedRows:
        """The row of a query.

        Args:
            query: such as a=1&b=0. WSGI has its bytes as Latin-1.

        Raises:
            RequestError: if it is not one row of the columns.
        """
        if not query.isascii():
            query = query.encode("latin-1").decode(errors="replace")
        fields = query.count("&") + 1
        if fields > len(self.columns) + MAX_MORE_FIELDS:
            raise RequestError(f"the columns {self._listed} were expected, and {fields:,} values were found")
        pairs = parse_qsl(query, keep_blank_values=True)
        texts = dict(pairs)
        if len(texts) < len(pairs):
            raise _repeated(pairs)
        values = np.array([self._from_pairs(texts, parse_text)])
        return DecodedRows(values, lambda _, column: texts[self.columns[column]])

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
        expected = self._listed
        if not isinstance(values, Mapping):
            raise RequestError(f"an object with {expected} was expected{where}, and {describe_json(values)} was found")
        for name in values:
            if name not in self._names:
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

    def from_json(self, body: bytes, max_rows: int) -> tuple[DecodedRows, bool]:
        """The rows of a JSON object, or of an array of objects.

        Args:
            body: the bytes of the JSON.
            max_rows: the most rows that it may have.

        Returns:
            The rows, and whether it was a single object.

        Raises:
            RequestError: if the JSON is wrong or does not fit the columns, or has too many rows.
        """
        body = without_mark(body)
        if len(body) > UNCOUNTED_BYTES:
            check_rows(count_mark(body, b"{", max_rows), max_rows)
        try:
            rows, is_single = self.from_json_fast(body)
        except (ValueError, RecursionError):
            with_null = nan_to_null(body)
            if with_null != body:
                return self.from_json(with_null, max_rows)
            rows, is_single = self.from_json_carefully(body, max_rows)
        check_rows(len(rows.values), max_rows)
        return rows, is_single

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
        return DecodedRows(self._convert(by_row), lambda row, column: by_row[row][column]), is_single

    def _convert(self, rows: list[Any]) -> np.ndarray:
        """The numbers of JSON values, where None is missing. Raises ValueError if a value does not fit its column."""
        values = np.empty((len(rows), len(self.columns)))
        for index, (column, column_values) in enumerate(zip(self.column_specs, zip(*rows, strict=True), strict=False)):
            if not _is_plain(column):
                values[:, index] = [parse_json(column, value) for value in column_values]
            else:
                values[:, index] = column_values  # None becomes NaN
        numeric = [index for index, column in enumerate(self.column_specs) if isinstance(column, NumericColumn)]
        if not (fits_float32(values[:, numeric]) | np.isnan(values[:, numeric])).all():
            raise ValueError("float32 cannot hold a value")
        return values

    def from_json_carefully(self, body: bytes, max_rows: int) -> tuple[DecodedRows, bool]:
        """As `from_json`, by Python's json, row by row: slow, but it finds what is wrong and where."""
        is_single = not body.lstrip().startswith(b"[")
        items = [body] if is_single else _split(body, max_rows)
        values = np.empty((len(items), len(self.columns)))
        for row, item in enumerate(items):
            where = "" if is_single else f" in row {row}"
            values[row] = self._from_pairs(self._decode_item(item, where), parse_json, where)
        item_of = lru_cache(maxsize=1)(lambda row: self._decode_item(items[row]))
        return DecodedRows(values, lambda row, column: item_of(row)[self.columns[column]]), is_single

    def _decode_item(self, item: bytes | msgspec.Raw, where: str = "") -> Any:
        body, most = bytes(item), max(MAX_ITEM_VALUES, len(self.columns))
        if len(body) > UNCOUNTED_BYTES and count_mark(body, b",", most) > most:
            expected = f"an object with {self._listed} was expected{where}"
            raise RequestError(f"{expected}, and one with more than {most:,} values was found")
        return _decode_json(body)


def _is_plain(column: ColumnSpec) -> bool:
    return isinstance(column, NumericColumn) and column.spelling == PLAIN_NUMBERS


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


_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def _split(body: bytes, max_rows: int) -> list[msgspec.Raw]:
    """The JSON of each item of an array."""
    if len(body) > UNCOUNTED_BYTES:
        check_rows(count_items(body, max_rows), max_rows)
    try:
        return _ITEMS.decode(body)
    except RecursionError:
        raise _too_deep() from None
    except msgspec.MsgspecError as error:
        message = str(error)[0].lower() + str(error)[1:]
        raise RequestError(f"valid JSON was expected, and was not found: {message}") from None


def _decode_json(data: bytes) -> Any:
    """The value of JSON, with every number as a float."""
    try:
        return _DECODER.decode(data.decode())
    except UnicodeDecodeError:
        raise RequestError("a body in UTF-8 was expected, and other bytes were found") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        message = error.msg[0].lower() + error.msg[1:]
        raise RequestError(f"valid JSON was expected, and at character {error.pos} was found: {message}") from None


def _too_deep() -> RequestError:
    return RequestError("a JSON object or array was expected, and one nested too deeply was found")


def _refuse_constant(name: str) -> NoReturn:
    raise RequestError(f"a finite number was expected, and {name} was found")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _repeated(pairs)
    return values


def _repeated(pairs: list[tuple[str, Any]]) -> RequestError:
    name, count = Counter(name for name, _ in pairs).most_common(1)[0]
    return RequestError(f"column {quote(name)} was expected once, and was found {count} times")


_DECODER = json.JSONDecoder(parse_int=float, parse_constant=_refuse_constant, object_pairs_hook=_unique_names)
