"""Truth tables and the numbers that people type."""

import contextlib
import math
import operator
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import truth_table
from model.tables.parsing import parse_number
from model.tables.truth_tables import TRUTH_TABLES

GATES: dict[str, Callable[[int, int], int]] = {
    "xor": operator.xor,
    "and": operator.and_,
    "or": operator.or_,
    "nand": lambda a, b: 1 - (a & b),
    "nor": lambda a, b: 1 - (a | b),
    "xnor": lambda a, b: 1 - (a ^ b),
}


@pytest.mark.parametrize("name", TRUTH_TABLES)
def test_a_truth_table_is_its_gate(name: str) -> None:
    table = truth_table(name)
    assert table.x.dtype == table.y.dtype == np.float32
    assert [GATES[name](int(a), int(b)) for a, b in table.x] == table.y.tolist()
    assert (table.columns, table.target, table.classes) == (("a", "b"), name, (0, 1))


def test_an_unknown_truth_table_is_refused() -> None:
    with pytest.raises(ValueError, match="one of xor, and, or, nand, nor, xnor, not 'maybe'"):
        truth_table("maybe")


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_any_float32_is_read_back(value: float) -> None:
    assert parse_number(repr(value)) == value


@given(st.text(max_size=12) | st.text("0123456789.eE+-", max_size=8))
def test_a_text_is_a_finite_number_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        value = parse_number(text)
        assert math.isfinite(value)
        assert value == float(text)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1_0", "nan", "inf", "-Infinity", "0x10", "1e", "e1", ".", "١", "1,5", "1e39", "-1e400"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="was expected, and"):
        parse_number(text)
