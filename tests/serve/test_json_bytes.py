"""What the bytes of JSON tell, compared with Python's json."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.errors import RequestError
from serve.json_bytes import count_items, count_mark, nan_to_null, without_mark

pytestmark = pytest.mark.core

texts = st.text(st.sampled_from('a,:[]{}"\\N\n é'), max_size=6) | st.sampled_from(["NaN", "Infinity", "xNaN", '"NaN'])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(math.nan) | texts,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=3),
    max_leaves=12,
)


def marks_of(value: Any) -> dict[str, int]:
    """How many commas, colons, and beginnings of arrays and objects a value has in JSON."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    marks = {",": max(len(parts) - 1, 0), ":": len(parts) * isinstance(value, dict)}
    marks |= {"[": int(isinstance(value, list)), "{": int(isinstance(value, dict))}
    for part in parts:
        marks = {mark: count + marks_of(part)[mark] for mark, count in marks.items()}
    return marks


@given(value=values)
def test_marks_in_texts_are_not_counted(value: Any) -> None:
    body = json.dumps(value).encode()
    for mark, count in marks_of(value).items():
        assert count_mark(body, mark.encode(), limit=-1) == count
        assert count_mark(body, mark.encode(), limit=1000) >= count


@given(value=st.lists(values, min_size=1, max_size=6))
def test_only_the_items_of_the_array_itself_are_counted(value: list[Any]) -> None:
    body = json.dumps(value).encode()
    assert count_items(body, limit=-1) == len(value)
    assert count_items(body, limit=1000) >= len(value)


@given(value=values)
def test_nan_becomes_null_except_in_texts(value: Any) -> None:
    def with_null(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: with_null(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [with_null(inner) for inner in part]
        return None if isinstance(part, float) and math.isnan(part) else part

    assert json.loads(nan_to_null(json.dumps(value).encode())) == with_null(value)


@pytest.mark.parametrize("number", [math.inf, -math.inf])
def test_infinity_is_refused(number: float) -> None:
    with pytest.raises(RequestError, match=f"a finite number was expected, and {json.dumps(number)} was found"):
        nan_to_null(json.dumps({"Infinity": number}).encode())
    assert nan_to_null(b'["-Infinity"]') == b'["-Infinity"]'


@given(body=st.binary(max_size=20))
def test_no_bytes_are_too_broken_to_be_counted(body: bytes) -> None:
    assert 0 <= count_mark(body, b",", -1) <= len(body)
    assert count_items(body, -1) >= 1
    assert len(without_mark(b"\xef\xbb\xbf" + body)) == len(body)
