"""Tables made of arrays."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import NumericColumn, table_from_arrays, truth_table
from model.tables.columns import IDENTITY
from tests.tables.examples import scaled_by_hand

X = np.array([[1.0, 10.0], [3.0, np.nan], [5.0, 30.0]])


def test_numbers_are_scaled_and_a_regression_scales_its_target() -> None:
    y = np.array([2.0, 4.0, 9.0])
    table = table_from_arrays(X, y)
    np.testing.assert_allclose(table.x[:, 0], scaled_by_hand(X[:, 0], X[:, 0]), rtol=1e-6)
    assert table.x[:, 0].tolist() == pytest.approx([-0.4977, 0, 0.4977], abs=1e-4)
    assert table.x[:, 1].tolist() == pytest.approx([0, 0, 3 * np.arcsinh(1 / 3)])
    assert table.x[:, 2].tolist() == [0.0, 1.0, 0.0]
    np.testing.assert_allclose(table.y, (y - y.mean()) / y.std(), rtol=1e-6)
    np.testing.assert_allclose(table.target_scaling.unscale(table.y), y, rtol=1e-6)
    assert (table.columns, table.target, table.task, table.classes) == (("x0", "x1"), "y", "regression", ())
    assert not table.complete


@pytest.mark.parametrize(("classes", "task"), [(("no", "yes"), "binary"), (("a", "b", "c"), "multiclass")])
def test_the_classes_decide_the_task(classes: tuple[str, ...], task: str) -> None:
    table = table_from_arrays(X, np.array([1, 0, 1]), classes)
    assert (table.task, table.classes, table.y.tolist()) == (task, classes, [1.0, 0.0, 1.0])
    assert table.target_scaling == IDENTITY
    assert table_from_arrays(X, np.array([1, 0, 1]), classes, task="multiclass").task == "multiclass"


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "ranking"}, "task must be one of binary, multiclass, regression, not 'ranking'"),
        ({"y": np.zeros(2)}, "x and y must have as many rows, at least one, not 3 and 2"),
        ({"x": X[:0], "y": np.zeros(0)}, "x and y must have as many rows, at least one, not 0 and 0"),
        ({"y": np.array([0.0, np.nan, 1.0])}, "y must be finite numbers, and it has others"),
        ({"x": X.tolist()}, "x must be an array, not a list"),
        ({"x": X * 1e38}, "numbers within ±3.4e38 were expected"),
        ({"weights": np.ones(2)}, "weights must have the shape [3], not [2]"),
        ({"weights": np.ones((3, 1))}, "weights must have the shape [3], not [3, 1]"),
        ({"weights": np.array([1.0, 0.0, 1.0])}, "weights must be finite numbers above 0, and some are not; leave out"),
        ({"weights": np.array([1.0, np.inf, 1.0])}, "weights must be finite numbers above 0"),
    ],
)
def test_arrays_that_make_no_table_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        table_from_arrays(**({"x": X, "y": np.array([0.0, 1.0, 2.0])} | changes))


def test_columns_are_inputs_as_they_are_by_default() -> None:
    assert truth_table("xor").column_specs == (IDENTITY, IDENTITY)


CHANGES: dict[str, Any] = {
    "x": np.zeros((4, 2), np.float32),
    "y": np.ones(4, np.float32),
    "columns": ("a", "c"),
    "target": "or",
    "classes": (1, 0),
    "task": "regression",
    "column_specs": (NumericColumn(1.0), IDENTITY),
    "target_scaling": NumericColumn(1.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_digest_depends_on_everything_that_is_learned(name: str) -> None:
    table = truth_table("xor")
    assert table.digest == truth_table("xor").digest
    assert replace(table, **{name: CHANGES[name]}).digest != table.digest


def test_a_table_with_weights_is_another_one() -> None:
    table = table_from_arrays(X, np.array([1, 0, 1]), ("no", "yes"))
    weighted, other = (replace(table, weights=np.array(each, np.float32)) for each in ([1, 2, 1], [1, 1, 2]))
    assert len({table.digest, weighted.digest, other.digest}) == 3
    with pytest.raises(ValueError, match="weights must be finite numbers above 0"):
        replace(table, weights=np.array([1, -2, 1], np.float32))


@given(st.lists(st.tuples(st.floats(-9, 9) | st.just(np.nan), st.floats(-9, 9), st.integers(1, 4)), min_size=1))
def test_weights_scale_columns_and_target_as_repeated_rows_do(rows: list[tuple[float, float, int]]) -> None:
    x, y, weights = (np.array(values) for values in zip(*rows, strict=True))
    weighted = table_from_arrays(x[:, None], y, weights=7 * weights)
    repeated = table_from_arrays(x[:, None].repeat(weights, axis=0), y.repeat(weights))
    found, expected = ((*table.column_specs, table.target_scaling) for table in (weighted, repeated))
    for first, second in zip(found, expected, strict=True):
        assert (first.minimum, first.maximum, first.missing) == (second.minimum, second.maximum, second.missing)  # type: ignore[union-attr]
        for name in ("center", "scale", "edges"):
            assert getattr(first, name) == pytest.approx(getattr(second, name), rel=1e-6, abs=1e-9)
