"""Rows of JSON: the typed way in and the one that explains say the same."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import CategoricalColumn, NumericColumn
from serve.errors import RequestError
from serve.row_decoder import RowsDecoder

pytestmark = pytest.mark.core

COLUMNS = ("size, cm", "colour", "wild", "n")
SCALING = (
    NumericColumn(missing=True),
    CategoricalColumn(("blue", "red: dark"), missing=True),
    CategoricalColumn(("false", "true"), boolean=True),
    NumericColumn(),
)
decoder = RowsDecoder(COLUMNS, SCALING)

values: dict[str, st.SearchStrategy[Any]] = {
    "size, cm": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**40), 10**40),
    "colour": st.sampled_from(["blue", "red: dark", "", "NA", "green", None, True]),
    "wild": st.sampled_from([True, False, "true", "False", "x", 1, None]),
    "n": st.integers(-5, 5) | st.sampled_from([1e39, "1", None, True]) | st.floats(-1e3, 1e3),
}
good: dict[str, st.SearchStrategy[Any]] = {
    "size, cm": st.none() | st.floats(-1e6, 1e6),
    "colour": st.sampled_from(["blue", "red: dark", "", None]),
    "wild": st.sampled_from([True, False, "true"]),
    "n": st.floats(-1e3, 1e3) | st.integers(-5, 5),
}


def rows_of(of_columns: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    optional = {name: of_columns[name] for name in ("size, cm", "colour")}
    return st.fixed_dictionaries({name: of_columns[name] for name in ("wild", "n")}, optional=optional)


def outcome(decode: Any, body: bytes) -> Any:
    try:
        array, single = decode(body)
    except RequestError as error:
        return str(error)
    return array.tolist() if not np.isnan(array).any() else np.nan_to_num(array, nan=-77.0).tolist(), single


@given(rows=st.one_of(rows_of(values), st.lists(rows_of(values), max_size=4), st.lists(rows_of(good), max_size=6)))
def test_any_json_means_what_the_slow_way_says(rows: Any) -> None:
    body = json.dumps(rows).encode()
    assert outcome(decoder.of_json, body) == outcome(decoder._of_any_json, body)


@given(rows=st.lists(rows_of(good), min_size=1, max_size=6))
def test_good_rows_are_taken_typed(rows: Any) -> None:
    """But where a text has a colon: then names are counted the slow way."""
    body = json.dumps(rows).encode()
    if b"red" in body:
        return
    assert outcome(decoder._of_typed_json, body) == outcome(decoder._of_any_json, body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"wild":true,"n":1,"n":2}', "column 'n' was expected once, and was found 2 times"),
        (b'{"wild":true,"n":1,"\\u006e":2}', "column 'n' was expected once, and was found 2 times"),
        (b'[{"wild":true,"n":1},{"wild":true,"n":1,"n":1}]', "column 'n' was expected once, and was found 2 times"),
    ],
)
def test_a_name_that_stands_twice_is_refused_on_both_ways(body: bytes, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        decoder.of_json(body)


def test_names_that_msgspec_cannot_spell_are_read_the_slow_way() -> None:
    odd = RowsDecoder(('a"b', "c\\d"), (NumericColumn(), NumericColumn()))
    array, single = odd.of_json(json.dumps({'a"b': 1, "c\\d": 2}).encode())
    assert (array.tolist(), single) == ([[1.0, 2.0]], True)
    assert odd.of_query("a%22b=1&c%5Cd=2") == [1.0, 2.0]


@pytest.mark.parametrize("query", ["n=1&wild=true&n=1", "n=1&wild=true&size, cm=2&size, cm", "n&wild=true&n=1"])
def test_a_column_that_stands_twice_in_a_query_is_left_to_flasks_route(query: str) -> None:
    with pytest.raises(ValueError, match="n"):
        decoder.of_query(query)
