"""Values that are hidden at random while training."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from model import NumericColumn, fit
from model.tables.columns import CategoricalColumn
from model.tables.encoding import encode
from model.training.masking import make_masking, mask
from tests.examples import same_bits
from tests.training.examples import EARLY_STOPPING, KEY, NOISY_TABLE, TANH_NETWORK

pytestmark = pytest.mark.core

SPECS = (
    CategoricalColumn(("a", "b", "c"), is_open=True, frequencies=(0.5, 0.25, 0.25)),
    NumericColumn(missing=True, is_open=True),
    NumericColumn(is_open=True),
    NumericColumn(),
)


def test_the_share_of_rows_is_hidden_and_each_column_as_often() -> None:
    rows, share = 40_000, 0.3
    x = np.full((rows, 7), 9.0, np.float32)
    masking = make_masking(SPECS, share)
    assert masking is not None
    hidden = np.asarray(mask(x, masking, jnp.arange(rows), jnp.uint32(5)))
    is_category, is_number = (hidden[:, 0] == 0.5), (hidden[:, 5] == 0.0)
    assert is_category.mean() == pytest.approx(share / 2, abs=0.01)
    assert is_number.mean() == pytest.approx(share / 2, abs=0.01)
    assert not (is_category & is_number).any()
    assert (hidden[is_category][:, :3] == [0.5, 0.25, 0.25]).all()
    assert (hidden[:, [3, 4, 6]] == 9.0).all()
    another = np.asarray(mask(x, masking, jnp.arange(rows), jnp.uint32(6)))
    assert 0.1 < ((another != hidden).any(axis=1)).mean() < 0.6


def test_a_hidden_value_looks_as_one_that_training_never_saw() -> None:
    masking = make_masking(SPECS, 1.0)
    assert masking is not None
    rows = 64
    values = [np.zeros(rows), np.zeros(rows), np.ones(rows), np.ones(rows)]
    hidden = np.asarray(mask(encode(SPECS, values), masking, jnp.arange(rows), jnp.uint32(0)))
    values[0], values[2] = np.full(rows, 3.0), np.full(rows, np.nan)
    unknown = encode(SPECS, values)
    for row in range(rows):
        assert (hidden[row, :3] == unknown[row, :3]).all() or (hidden[row, 5] == unknown[row, 5])


def test_nothing_is_hidden_of_closed_columns_or_without_a_share() -> None:
    assert make_masking((NumericColumn(), CategoricalColumn(("a",))), 0.5) is None
    assert make_masking(SPECS, 0.0) is None


def test_training_with_hidden_values_differs_and_can_be_repeated() -> None:
    table = replace(NOISY_TABLE, column_specs=(NumericColumn(is_open=True),) * 2)
    options = EARLY_STOPPING | {"epochs": 5, "mask": 0.5}
    first, second = (fit(TANH_NETWORK, table, key=KEY, **options).params for _ in range(2))
    assert same_bits(first, second)
    plain = fit(TANH_NETWORK, table, key=KEY, **(options | {"mask": 0.0})).params
    assert not same_bits(first, plain)
    assert same_bits(plain, fit(TANH_NETWORK, NOISY_TABLE, key=KEY, **options).params)
    assert jax.tree.map(np.shape, first) == jax.tree.map(np.shape, plain)
