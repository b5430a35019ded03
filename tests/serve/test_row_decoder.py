"""Rows of requests: the fast and the careful decoder of JSON give the same results, and queries."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model import CategoricalColumn, NumericColumn
from model.tables.spelling import NumberSpelling
from serve.errors import RequestError
from serve.row_decoder import RowDecoder

pytestmark = pytest.mark.core

COLUMNS = ("size, cm", "colour", "wild", "n", "price")
COLUMN_SPECS = (
    NumericColumn(missing=True),
    CategoricalColumn(("blue", "red: dark"), missing=True),
    CategoricalColumn(("false", "true"), boolean=True, is_open=True),
    NumericColumn(is_open=True),
    NumericColumn(missing=True, spelling=NumberSpelling("", ",", "", "€", ("tbd",))),
)
decoder = RowDecoder(COLUMNS, COLUMN_SPECS)

any_values: dict[str, st.SearchStrategy[Any]] = {
    "size, cm": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**40), 10**40),
    "colour": st.sampled_from(["blue", "red: dark", "", "NA", "green", None, True]),
    "wild": st.sampled_from([True, False, "true", "False", "x", 1, None]),
    "n": st.integers(-5, 5) | st.sampled_from([1e39, "1", "(2.5)", "NA", "x", None, True]) | st.floats(-1e3, 1e3),
    "price": st.floats(-1e3, 1e3) | st.sampled_from(["1,5 €", "1.5", "tbd", "?", "1 $", None, True]),
}
right_values: dict[str, st.SearchStrategy[Any]] = {
    "size, cm": st.none() | st.floats(-1e6, 1e6),
    "colour": st.sampled_from(["blue", "red: dark", "", None]),
    "wild": st.sampled_from([True, False, "true", "perhaps", None]),
    "n": st.floats(-1e3, 1e3) | st.integers(-5, 5) | st.none(),
    "price": st.floats(-1e3, 1e3) | st.sampled_from(["1,5 €", "1.5", "tbd", "?", None]),
}


def rows_of(values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Rows of the columns' values. Columns that may be missing are sometimes left out."""
    optional = {name: values[name] for name in ("size, cm", "colour", "price")}
    return st.fixed_dictionaries({name: values[name] for name in ("wild", "n")}, optional=optional)


def outcome(decode: Any, body: bytes, *limit: int) -> Any:
    """What a decoder returns, in a form that can be compared, or the message of its error."""
    try:
        rows, is_single = decode(body, *limit)
    except RequestError as error:
        return str(error)
    return np.nan_to_num(rows.values, nan=-77.0).tolist(), decoder.unseen.find(*rows), is_single


@given(
    rows=st.one_of(
        rows_of(any_values), st.lists(rows_of(any_values), max_size=4), st.lists(rows_of(right_values), max_size=6)
    )
)
def test_any_json_is_decoded_as_by_the_careful_decoder(rows: Any) -> None:
    body = json.dumps(rows).encode()
    assert outcome(decoder.from_json, body, 9) == outcome(decoder.from_json_carefully, body, 9)


@given(rows=st.lists(rows_of(right_values), min_size=1, max_size=6))
def test_the_fast_decoder_decodes_right_rows(rows: Any) -> None:
    """A text with a colon, such as "red: dark", is left to the careful decoder."""
    body = json.dumps(rows).encode()
    assume(b"red" not in body)
    assert outcome(decoder.from_json_fast, body) == outcome(decoder.from_json_carefully, body, 9)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"wild":true,"n":1,"n":2}', "column 'n' was expected once, and was found 2 times"),
        (b'{"wild":true,"n":1,"\\u006e":2}', "column 'n' was expected once, and was found 2 times"),
        (b'[{"wild":true,"n":1},{"wild":true,"n":1,"n":1}]', "column 'n' was expected once, and was found 2 times"),
    ],
)
def test_a_column_with_two_values_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        decoder.from_json(body, 9)


def test_names_that_msgspec_cannot_spell_are_decoded_carefully() -> None:
    special = RowDecoder(('a"b', "c\\d"), (NumericColumn(), NumericColumn()))
    rows, is_single = special.from_json(json.dumps({'a"b': 1, "c\\d": 2}).encode(), 9)
    assert (rows.values.tolist(), is_single) == ([[1.0, 2.0]], True)
    assert special.from_query("a%22b=1&c%5Cd=2").values.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("query", ["n=1&wild=true&n=1", "n=1&wild=true&size, cm=2&size, cm", "n&wild=true&n=1"])
def test_a_query_with_two_values_of_a_column_is_refused(query: str) -> None:
    with pytest.raises(RequestError, match=r"column '.*' was expected once, and was found 2 times"):
        decoder.from_query(query)
