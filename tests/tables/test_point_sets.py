"""Points of two classes in the plane."""

import jax
import numpy as np
import pytest

from model import point_set
from model.tables.point_sets import POINT_SETS

KEY = jax.random.key(0)


@pytest.mark.parametrize("name", POINT_SETS)
def test_a_set_has_two_classes_of_equal_size_in_random_order(name: str) -> None:
    table = point_set(name, 101, 0.1, key=KEY)
    assert (table.x.shape, table.x.dtype, table.y.dtype) == ((101, 2), np.float32, np.float32)
    assert int(table.y.sum()) == 50
    assert 10 < np.abs(np.diff(table.y)).sum() < 90  # not one class after the other
    assert (table.columns, table.target, table.task, table.complete) == (("x1", "x2"), name, "binary", False)
    assert np.abs(table.x).max() < 3


@pytest.mark.parametrize("name", POINT_SETS)
def test_the_same_key_draws_the_same_points_and_another_draws_others(name: str) -> None:
    one, same, other = (point_set(name, 30, key=jax.random.key(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.x, same.x)
    assert np.array_equal(one.y, same.y)
    assert not np.array_equal(one.x, other.x)


def test_points_without_noise_are_where_their_shapes_are() -> None:
    circles = point_set("circles", 400, 0.0, key=KEY)
    assert np.hypot(*circles.x.T) == pytest.approx(np.where(circles.y > 0, 0.5, 1.0), rel=1e-5)
    moons = point_set("moons", 400, 0.0, key=KEY)
    x = np.where(moons.y[:, None] > 0, -moons.x, moons.x) + np.array([0.5, 0.25])
    assert np.hypot(*x.T) == pytest.approx(1.0, rel=1e-5)
    assert x[:, 1].min() >= -1e-6
    spirals = point_set("spirals", 400, 0.0, key=KEY)
    radius = np.hypot(*spirals.x.T)
    angle = np.arctan2(spirals.x[:, 0], spirals.x[:, 1])
    turned = angle - 2.5 * np.pi * (radius - 0.1) / 0.9 - np.pi * spirals.y
    assert np.cos(turned) == pytest.approx(1.0, abs=1e-4)


def test_noise_has_its_standard_deviation() -> None:
    calm, noisy = (point_set("circles", 2000, noise, key=KEY) for noise in (0.0, 0.3))
    deviation = np.hypot(*noisy.x.T) - np.where(noisy.y > 0, 0.5, 1.0)
    assert 0.2 < deviation.std() < 0.4
    assert np.ptp(calm.x) < np.ptp(noisy.x)


def test_no_line_separates_circles_and_one_separates_gaussians() -> None:
    gaussians = point_set("gaussians", 500, 0.0, key=KEY)
    assert ((gaussians.x.sum(axis=1) > 0) == gaussians.y).mean() > 0.97
    circles = point_set("circles", 500, 0.0, key=KEY)
    design = np.column_stack([circles.x, np.ones(500)])
    weights, *_ = np.linalg.lstsq(design, circles.y, rcond=None)
    assert ((design @ weights > 0.5) == circles.y).mean() < 0.7


@pytest.mark.parametrize(
    ("name", "rows", "noise", "message"),
    [
        ("iris", 10, 0.1, "a set of points must be one of circles, moons"),
        ("moons", 1, 0.1, "rows must be a whole number of at least 2"),
        ("moons", 10, -0.1, "noise must be a finite number from 0"),
        ("moons", 10, float("nan"), "noise must be a finite number from 0"),
        ("moons", 10, float("inf"), "noise must be a finite number from 0"),
    ],
)
def test_what_is_out_of_range_is_refused(name: str, rows: int, noise: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        point_set(name, rows, noise, key=KEY)
