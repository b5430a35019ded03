"""What every unit answers on a grid."""

from typing import Any

import numpy as np
import pytest

from model import Layer, Network
from model.explaining.surface import Grid, grid_inputs, surface


def test_the_first_column_grows_to_the_right_and_the_second_upwards() -> None:
    """A network whose only unit is 10 a + c, over the columns c and a."""
    params = [
        Layer(np.array([[10.0], [0.0], [1.0]]), np.array([0.0])),
        Layer(np.array([[1.0]]), np.array([0.0])),
    ]
    found = surface(params, Network((3, 1, 1), task="regression"), Grid((2, 0), (0, 1), (2, 3), 3, (7, 7, 7)))
    assert found.xs.tolist() == [0, 1, 2]
    assert found.ys.tolist() == [1, 2, 3]
    expected = [[10, 11, 12], [20, 21, 22], [30, 31, 32]]
    assert found.units[0].tolist() == [expected]
    assert found.outputs.tolist() == [expected]


def test_other_inputs_stay_where_they_are() -> None:
    x = grid_inputs(Network((4, 1)), Grid((1, 3), (0, 0), (1, 1), 2, (5.0, 9.0, 6.0, 9.0)))
    assert x[:, [0, 2]].tolist() == [[5, 6]] * 4
    assert x[:, [1, 3]].tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert grid_inputs(Network((3, 1)), Grid(size=2))[:, 2].tolist() == [0] * 4


def test_each_class_has_a_surface_and_they_sum_to_one() -> None:
    params = [Layer(np.array([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]]), np.zeros(3))]
    found = surface(params, Network((2, 3), task="multiclass"), Grid(size=4))
    assert found.outputs.shape == (3, 4, 4)
    assert found.outputs.sum(axis=0) == pytest.approx(1.0)
    assert found.units == []


def test_one_input_may_be_both_columns() -> None:
    params = [Layer(np.array([[2.0]]), np.array([1.0]))]
    found = surface(params, Network((1, 1), task="regression"), Grid((0, 0), (0, 0), (1, 1), 2))
    assert found.outputs[0][0].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (Grid(size=1), "size must be a whole number of at least 2"),
        (Grid((0, 2)), "columns must be from 0 to 1"),
        (Grid((-1, 0)), "columns must be from 0 to 1"),
        (Grid(others=(1.0,)), "others must have a value for each of the 2 inputs"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(grid: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        surface([Layer(np.zeros((2, 1)), np.zeros(1))], Network((2, 1)), grid)
