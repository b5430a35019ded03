"""Functions of NumPy's and of JAX's arrays, and checks of arguments."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from model.arrays import is_count, is_number, jax_or_numpy, shape_of


def test_numpy_answers_numpy_and_jax_answers_everything_else() -> None:
    double = jax_or_numpy(lambda z: jnp.asarray(z) * 2, lambda z: z * 2)
    assert type(double(np.ones(2))) is np.ndarray
    for array in (jnp.ones(2), 1.0):
        assert isinstance(double(array), jax.Array)
    np.testing.assert_array_equal(jax.jit(double)(np.ones(2)), [2.0, 2.0])


@pytest.mark.parametrize("value", [1, 2**70, np.int32(3), np.uint8(1)])
def test_a_whole_number_from_1_is_a_count(value: Any) -> None:
    assert is_count(value)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None, np.float32(1), np.array([1])])
def test_anything_else_is_not_a_count(value: Any) -> None:
    assert not is_count(value)


def test_the_smallest_count_can_be_chosen() -> None:
    assert is_count(0, minimum=0)
    assert not is_count(1, minimum=2)


@pytest.mark.parametrize(("value", "expected"), [(1, True), (0.5, True), (np.float32(1), True), (True, False)])
def test_a_bool_is_not_a_number(value: Any, expected: bool) -> None:
    assert is_number(value) is expected


def test_an_array_has_a_shape_and_a_list_has_none() -> None:
    assert shape_of("x", np.zeros((2, 3))) == shape_of("x", jnp.zeros((2, 3))) == (2, 3)
    with pytest.raises(ValueError, match=r"^x must be an array, not a list; numpy\.array makes one of it$"):
        shape_of("x", [[1.0]])
