"""Truth tables, against Python's operators."""

import operator
from collections.abc import Callable

import numpy as np
import pytest

from model import truth_table
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
def test_a_truth_table_is_that_of_its_gate(name: str) -> None:
    table = truth_table(name)
    assert table.x.dtype == table.y.dtype == np.float32
    assert [GATES[name](int(a), int(b)) for a, b in table.x] == table.y.tolist()
    assert (table.columns, table.target, table.classes) == (("a", "b"), name, (0, 1))


def test_an_unknown_truth_table_is_refused() -> None:
    with pytest.raises(ValueError, match="one of xor, and, or, nand, nor, xnor, not 'maybe'"):
        truth_table("maybe")
