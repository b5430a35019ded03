"""The task that a target's values make, and the class or number of each row."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from model import TableError
from model.tables.columns import IDENTITY
from model.tables.targets import MAX_CLASSES, encode_target, fit_target


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        ([0, 1, 1], "binary", (0, 1)),
        ([7.0, 3.0], "binary", (3, 7)),
        ([0.5, 1.5, 0.5], "binary", (0.5, 1.5)),
        ([True, False, True], "binary", (False, True)),
        (["yes", "no"], "binary", ("no", "yes")),
        (["c", "a", "b", "a"] * 2, "multiclass", ("a", "b", "c")),
        ([3, 1, 2] * 5, "multiclass", (1, 2, 3)),
        ([3.0, 1.0, 2.0] * 5, "multiclass", (1, 2, 3)),
        ([3, 1, 2] * 4, "regression", ()),
        ([0.5, 1.5, 2.5] * 5, "regression", ()),
        (list(range(21)) * 9, "regression", ()),
    ],
)
def test_the_values_decide_the_task_and_the_classes(values: list[Any], task: str, classes: tuple[Any, ...]) -> None:
    target = fit_target(pl.Series("y", values), None)
    assert (target.task, target.classes) == (task, classes)
    assert [type(each) for each in target.classes] == [type(each) for each in classes]
    assert target.y.dtype == np.float32
    if classes:
        assert target.y.tolist() == [classes.index(value) for value in values]
        assert target.scaling == IDENTITY
    else:
        np.testing.assert_allclose(target.scaling.unscale(target.y), values, rtol=1e-6, atol=1e-6)


def test_another_task_can_be_asked_for() -> None:
    assert fit_target(pl.Series("y", [0, 1, 1, 0]), "regression").task == "regression"
    assert fit_target(pl.Series("y", [0, 1, 1, 0]), "multiclass").classes == (0, 1)
    assert fit_target(pl.Series("y", [3, 1, 2, 2, 3, 1]), "multiclass").classes == (1, 2, 3)


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        (["no", "no"], None, "expected two different values of y or more, found 'no' alone; name another --target"),
        ([1, 2, 3], "binary", "expected two values of y for a binary task, found 3; try --task multiclass"),
        (["a", "b"], "regression", "expected numbers in y for a regression, found 'a'; leave --task out"),
        (["a", "b", "c"], None, "expected at most 1 classes of y in 3 rows, found 3; name another --target"),
        ([1, 2, 3], "multiclass", "expected at most 1 classes of y in 3 rows, found 3; try --task regression"),
        ([2**53, 0], None, f"expected classes of y within ±2^53, found 0 to {2**53}; make them texts"),
        ([1e300, 0.5, 2.5], None, "expected numbers within ±3.4e38 in y, found 0.5 to 1e+300; name another --target"),
    ],
)
def test_a_target_that_a_network_cannot_learn_is_refused(values: list[Any], task: str | None, message: str) -> None:
    with pytest.raises(TableError) as caught:
        fit_target(pl.Series("y", values), task)
    assert str(caught.value) == message


def test_the_number_of_classes_is_limited() -> None:
    texts = [f"class {index}" for index in range(MAX_CLASSES + 1)] * 2
    with pytest.raises(TableError, match="expected at most 1,000 classes of y in 2,002 rows, found 1,001; "):
        fit_target(pl.Series("y", texts), None)


@pytest.mark.parametrize(
    ("classes", "values", "expected"),
    [
        (("no", "yes"), ["yes", None, "NA", "no"], [1, np.nan, np.nan, 0]),
        (("NA", "SA"), ["NA", "", "SA"], [0, np.nan, 1]),
        ((1, 2, 3), ["3", " 1 ", "?"], [2, 0, np.nan]),
        ((1, 2, 3), [3.0, None, 1.0], [2, np.nan, 0]),
        ((False, True), ["TRUE", "false", ""], [1, 0, np.nan]),
        ((False, True), [True, False], [1, 0]),
        ((), ["1.5", "NA", "-2"], [1.5, np.nan, -2.0]),
        ((), [1.5, None], [1.5, np.nan]),
    ],
)
def test_a_target_is_encoded_from_typed_values_and_from_texts(
    classes: tuple[Any, ...], values: list[Any], expected: list[float]
) -> None:
    np.testing.assert_array_equal(encode_target(pl.Series("y", values), classes), expected)


@pytest.mark.parametrize(
    ("classes", "values", "message"),
    [
        (("no", "yes"), ["yes", "maybe"], "expected one of no, yes in y, found 'maybe' in row 2; "),
        ((1, 2, 3), [1, 4], "expected one of 1, 2, 3 in y, found '4' in row 2; "),
        ((), ["1", "x"], "expected numbers in y, found 'x' in row 2; "),
    ],
)
def test_a_value_that_is_not_a_class_or_a_number_is_refused(
    classes: tuple[Any, ...], values: list[Any], message: str
) -> None:
    with pytest.raises(TableError, match=message):
        encode_target(pl.Series("y", values), classes)
