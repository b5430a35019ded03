"""The checks of types and shapes that are on in all tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float

from model import Network, loss, truth_table
from tests.shape_checks import check_calls

if TYPE_CHECKING:
    from nowhere import Unknown

Vector = Float[np.ndarray, " rows"]
ONE, TWO = np.ones(1), np.ones(2)
XOR = truth_table("xor")


@check_calls
def add(a: Vector, b: Vector, result: Any = None) -> Vector:
    return a + b if result is None else result


@check_calls
@dataclass
class Pair:
    a: Vector
    b: "Vector"

    @check_calls
    def sum(self, weight: float) -> "Vector":
        return weight * (self.a + self.b)


@check_calls
def adder(a: Vector) -> Callable[[Any], Vector]:
    @check_calls
    def plus(b: Vector) -> Vector:
        return a + b

    return plus


@check_calls
def unknown(a: "Unknown", b: int) -> "Unknown":
    return a


CALLS: dict[str, Callable[[], Any]] = {
    "arguments of two sizes": lambda: add(ONE, TWO),
    "a result of another size": lambda: add(TWO, TWO, ONE),
    "a list": lambda: add(TWO, [1.0, 2.0]),
    "whole numbers": lambda: add(TWO, np.ones(2, int)),
    "fields of two sizes": lambda: Pair(ONE, TWO),
    "a text": lambda: Pair(TWO, TWO).sum("1"),
    "an inner function": lambda: adder(ONE)("a"),
    "beside an unknown annotation": lambda: unknown("a", "b"),
    "a function of the package": lambda: loss([], XOR.x, XOR.y[:2], Network((2, 1))),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_value_of_another_type_or_shape_is_refused(name: str) -> None:
    with pytest.raises(BeartypeCallHintViolation):
        CALLS[name]()


def test_right_values_pass_and_sizes_are_free_from_call_to_call() -> None:
    for vector in (ONE, TWO):
        np.testing.assert_array_equal(add(vector, vector), 2 * vector)
        np.testing.assert_array_equal(Pair(vector, b=vector).sum(weight=0.5), vector)
        np.testing.assert_array_equal(adder(ONE)(vector), 1 + vector)
    assert unknown("a", b=1) == "a"


@pytest.mark.usefixtures("without_shape_checks")
def test_the_checks_can_be_turned_off() -> None:
    assert add(ONE, TWO).shape == (2,)
    assert Pair("a", "b").a == "a"
