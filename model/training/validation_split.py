"""Rows to learn from and rows held out, in arrays of few different sizes, for each of which programs are compiled."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Key, Num

from model.tables.table import Table
from model.tasks import Array

MOST_HELD_OUT = 10_000
# Up to this many rows, arrays are filled up, so that a few rows more or less are the same program.
FILLED_UP = 100_000


class Held(NamedTuple):
    """Rows that validate. weights: for `loss`; 0 where a row only fills up."""

    x: Num[Array, "held inputs"]
    y: Num[Array, " held"]
    weights: Float[Array, " held"]


class Rows(NamedTuple):
    """A table on the device. order: the rows to learn from, of which the first `learnt` count. weights: those of
    `loss`, or None. held: the rows held out, or None.
    """

    x: Num[Array, "rows inputs"]
    y: Num[Array, " rows"]
    weights: Float[Array, " rows"] | None
    order: Int[Array, " order"]
    learnt: int | Int[Array, ""]
    held: Held | None


def hold_out(table: Table, share: float, *, key: Key[jax.Array, ""]) -> tuple[np.ndarray, np.ndarray]:
    """The indices of rows to learn from, and of the share that is held out: drawn at random, of each class alike, at
    most 10,000 and always leaving a row.

    >>> from model.tables.table import truth_table
    >>> learn, held = hold_out(truth_table("xor"), 0.5, key=jax.random.key(0))
    >>> len(learn), len(held), truth_table("xor").y[held].tolist()
    (2, 2, [0.0, 1.0])
    """
    rows = len(table.y)
    count = min(round(share * rows), MOST_HELD_OUT, rows - 1)
    if not count:
        return np.arange(rows), np.zeros(0, int)
    shuffled = np.random.default_rng(np.asarray(jax.random.key_data(key))).permutation(rows)
    classes = np.zeros(rows) if table.task == "regression" else table.y[shuffled]
    drawn = _of_each_class(classes, count)
    return np.sort(shuffled[~drawn]), np.sort(shuffled[drawn])


def _of_each_class(classes: np.ndarray, count: int) -> np.ndarray:
    """Which rows are drawn: `count` of them, of each class its share to within a row, the first ones."""
    _, inverse, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    shares = count * sizes / len(classes)
    takes = shares.astype(int)
    takes[np.argsort(takes - shares, kind="stable")[: count - takes.sum()]] += 1
    by_class = np.argsort(inverse, kind="stable")
    ranks = np.empty(len(classes), int)
    ranks[by_class] = np.arange(len(classes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn: np.ndarray = ranks < takes[inverse]
    return drawn


def split(table: Table, learn: np.ndarray, held: np.ndarray, class_weights: bool) -> Rows:
    """The table's rows as `advance_by_batches` takes them. learn, held: as `hold_out` gives them."""
    size = filled_up(len(table.y))
    weights = balanced(table.y[learn], table.y) if class_weights else None
    x, y, weights_of_all, order, held_out = jax.device_put(
        (
            _filled(table.x, size),
            _filled(table.y, size),
            None if weights is None else _filled(weights, size),
            _filled(learn.astype(np.int32), filled_up(len(learn))),
            _held(table, held, weights) if len(held) else None,
        )
    )
    return Rows(x, y, weights_of_all, order, len(learn), held_out)


def _held(table: Table, rows: np.ndarray, weights: np.ndarray | None) -> Held:
    size = filled_up(len(rows))
    own = np.ones(len(rows), np.float32) if weights is None else weights[rows]
    scaled = (own * size / len(rows)).astype(np.float32)
    return Held(*(_filled(values, size) for values in (table.x[rows], table.y[rows], scaled)))


def balanced(learnt: Float[np.ndarray, " learnt"], y: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Weights with which every class of `learnt` counts the same, their mean over it 1; those of each row of y.

    >>> balanced(np.array([0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), np.array([0.0])).tolist()
    [4.0]
    """
    classes, counts = np.unique(learnt, return_counts=True)
    by_class = len(learnt) / (len(classes) * counts)
    places = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    return by_class[places].astype(np.float32)


def filled_up(rows: int) -> int:
    """A size of at least so many rows, at most an eighth (or 16) more.

    >>> filled_up(1437), filled_up(1438), filled_up(5), filled_up(10**6)
    (1536, 1536, 16, 1000000)
    """
    step = max(16, 1 << max(rows.bit_length() - 4, 0))
    return rows if rows > FILLED_UP else -(-rows // step) * step


def _filled(values: np.ndarray, size: int) -> np.ndarray:
    if len(values) == size:
        return values
    return np.concatenate([values, np.zeros((size - len(values), *values.shape[1:]), values.dtype)])
