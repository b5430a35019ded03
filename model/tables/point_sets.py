"""Points in the plane with two classes, drawn at random: sets that show what a network can separate."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Float, Key

from model.arrays import is_count
from model.tables.table import Table

COLUMNS = ("x1", "x2")
# How far each arm of the spirals turns.
SPIRAL_TURNS = 1.25

Points = Float[np.ndarray, "rows 2"]


def _circles(share: np.ndarray, label: np.ndarray, random: np.random.Generator) -> Points:
    angle, radius = 2 * np.pi * share, np.where(label, 0.5, 1.0)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _moons(share: np.ndarray, label: np.ndarray, random: np.random.Generator) -> Points:
    angle = np.pi * share
    across, up = np.cos(angle) - 0.5, np.sin(angle) - 0.25
    return np.stack([np.where(label, -across, across), np.where(label, -up, up)], axis=1)


def _spirals(share: np.ndarray, label: np.ndarray, random: np.random.Generator) -> Points:
    angle, radius = 2 * np.pi * SPIRAL_TURNS * share + np.pi * label, 0.1 + 0.9 * share
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)


def _gaussians(share: np.ndarray, label: np.ndarray, random: np.random.Generator) -> Points:
    center = np.where(label, 0.6, -0.6)
    return np.stack([center, center], axis=1) + 0.25 * random.normal(size=(len(share), 2))


# From the place of a point along its class, 0 to 1, and its class to the point without noise.
POINT_SETS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], Points]] = {
    "circles": _circles,
    "moons": _moons,
    "spirals": _spirals,
    "gaussians": _gaussians,
}


def point_set(name: str, rows: int = 200, noise: float = 0.1, *, key: Key[jax.Array, ""]) -> Table:
    """Points of two classes in the plane.

    Args:
        name: circles (one around the other), moons (two that reach into each other), spirals (two arms), or gaussians
            (two clouds).
        rows: how many points, from 2. Half of them, rounded up, have class 0.
        noise: the standard deviation of what is added to every coordinate, from 0.
        key: of the random draw.

    Returns:
        A table of the columns x1 and x2, in random order. Without noise, circles, moons and spirals reach from about -1
        to 1.5.

    Raises:
        ValueError: for any other name, number of rows, or noise.

    Example:
        >>> table = point_set("circles", 4, 0.0, key=jax.random.key(0))
        >>> table.columns, table.x.shape, sorted(np.hypot(*table.x.T).round(3).tolist()), int(table.y.sum())
        (('x1', 'x2'), (4, 2), [0.5, 0.5, 1.0, 1.0], 2)
    """
    if name not in POINT_SETS:
        raise ValueError(f"a set of points must be one of {', '.join(POINT_SETS)}, not {name!r:.40}")
    if not is_count(rows, 2):
        raise ValueError(f"rows must be a whole number of at least 2, not {rows!r:.40}")
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise must be a finite number from 0, not {noise!r:.40}")
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    label = np.arange(rows) >= (rows + 1) // 2
    points = POINT_SETS[name](random.uniform(size=rows), label, random) + noise * random.normal(size=(rows, 2))
    order = random.permutation(rows)
    return Table(
        x=points[order].astype(np.float32),
        y=label[order].astype(np.float32),
        columns=COLUMNS,
        target=name,
        complete=False,
    )
