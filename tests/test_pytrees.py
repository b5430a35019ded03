"""Names of leaves and entries, and the numbers of a pytree as a vector."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from model import Layer
from model.pytrees import entry_name, entry_names, flatten, is_floating, is_integral, leaf_name

TREE = [Layer(jnp.arange(4.0).reshape(2, 2), jnp.zeros(2)), {"scale": 7.0}]


def test_a_leaf_is_named_by_its_path() -> None:
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(TREE)]
    assert [leaf_name(path) for path in paths] == ["0.weight", "0.bias", "1.scale"]
    assert leaf_name(()) == "params"


def test_an_entry_is_named_by_its_leaf_and_its_index() -> None:
    names = ["0.weight[0,0]", "0.weight[0,1]", "0.weight[1,0]", "0.weight[1,1]", "0.bias[0]", "0.bias[1]", "1.scale"]
    assert entry_names(TREE) == names
    assert entry_name("0.weight", (np.int64(1), 0)) == "0.weight[1,0]"


def test_the_vector_has_the_entries_in_the_order_of_their_names() -> None:
    vector = flatten(jax.tree.leaves(TREE))
    assert vector.dtype == np.float64
    assert vector.tolist() == [0.0, 1.0, 2.0, 3.0, 0.0, 0.0, 7.0]
    assert flatten([]).shape == (0,)


@pytest.mark.parametrize(
    ("leaf", "expected"),
    [
        (1.0, (True, False)),
        (jnp.zeros(2, jnp.bfloat16), (True, False)),
        (1, (False, True)),
        (True, (False, True)),
        (np.zeros(2, np.uint8), (False, True)),
        (np.zeros(2, bool), (False, True)),
        (1j, (False, False)),
        ("text", (False, False)),
    ],
)
def test_a_leaf_is_floating_or_integral_or_neither(leaf: Any, expected: tuple[bool, bool]) -> None:
    assert (is_floating(leaf), is_integral(leaf)) == expected
