"""Rows to learn from and rows to hold out, in arrays of few different sizes, so that few programs are compiled."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Key, Num

from model.arrays import Array
from model.tables.table import Table
from model.tasks import TASKS
from model.training.held_out_rows import draw_groups, draw_rows, latest_rows
from model.training.masking import Masking, make_masking

MAX_HELD_OUT = 10_000
# Arrays of up to so many rows are padded, so that a few rows more or less need the same program.
MAX_PADDED_ROWS = 100_000


class HeldOut(NamedTuple):
    """Rows that validate.

    Attributes:
        x: [held, inputs].
        y: [held].
        weights: [held], as `loss` takes them; 0 for a row of padding.
    """

    x: Num[Array, "held inputs"]
    y: Num[Array, " held"]
    weights: Float[Array, " held"]


class Rows(NamedTuple):
    """A table on the device.

    Attributes:
        x: [rows, inputs].
        y: [rows].
        weights: [rows], as `loss` takes them, or None.
        order: [order], the rows to learn from; only the first `learned` entries count.
        learned: how many rows are learned from.
        held_out: the rows held out, or None.
        masking: what is hidden at random, or None.
    """

    x: Num[Array, "rows inputs"]
    y: Num[Array, " rows"]
    weights: Float[Array, " rows"] | None
    order: Int[Array, " order"]
    learned: int | Int[Array, ""]
    held_out: HeldOut | None
    masking: Masking | None = None


def hold_out(
    table: Table, share: float, *, key: Key[jax.Array, ""], limit: int = MAX_HELD_OUT
) -> tuple[np.ndarray, np.ndarray]:
    """Split a table into rows to learn from and rows to hold out.

    If the table says which rows are held out, it is those. If it has times, it is the latest rows; rows of the same
    time, and rows without a time, stay together. If it has groups, they are drawn at random as `draw_groups` says.
    Otherwise rows are drawn at random, with the same share of every class as far as `draw_rows` can.

    Args:
        table: what to split.
        share: of the rows to hold out, from 0 to 0.5; it does not count if the table says which they are. At least one
            row is left to learn from, and in a random draw at least one of every class.
        key: of the random draw.
        limit: how many rows are held out at most, unless the table says which, or the rows of one group or time are
            more.

    Returns:
        The indices of the rows to learn from, and of those to hold out, both in ascending order.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> learn, held_out = hold_out(truth_table("xor"), 0.5, key=jax.random.key(0))
        >>> len(learn), len(held_out), truth_table("xor").y[held_out].tolist()
        (2, 2, [0.0, 1.0])
    """
    rows = len(table.y)
    if table.held_out is not None:
        return np.flatnonzero(~table.held_out), np.flatnonzero(table.held_out)
    timed = rows if table.times is None else int(np.isfinite(table.times).sum())
    count = min(round(share * timed), limit, rows - 1)
    if count <= 0:
        return np.arange(rows), np.zeros(0, int)
    classes = table.y if TASKS[table.task].has_classes else np.zeros(rows)
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    if table.times is not None:
        drawn = latest_rows(table.times, count)
    elif table.groups is not None:
        drawn = draw_groups(table.groups, classes, count, random)
    else:
        shuffled = random.permutation(rows)
        drawn = np.zeros(rows, bool)
        drawn[shuffled] = draw_rows(classes[shuffled], count)
    return np.flatnonzero(~drawn), np.flatnonzero(drawn)


def split_rows(table: Table, learn: np.ndarray, held_out: np.ndarray, class_weights: bool, mask: float = 0.0) -> Rows:
    """The rows of a table on the device.

    Args:
        table: what to learn from.
        learn: the indices of the rows to learn from, as `hold_out` gives them.
        held_out: the indices of the rows held out.
        class_weights: whether all classes count the same in the loss.
        mask: the share of rows in which one value is hidden, from 0 to 1.

    Returns:
        The rows, padded to one of few sizes.
    """
    size = padded_size(len(table.y))
    learned_weights = row_weights(table, learn, learn, class_weights)
    weights = None
    if learned_weights is not None:
        weights = np.zeros(size, np.float32)
        weights[learn] = learned_weights
    x, y, weights_, order, held_out_rows, masking = jax.device_put(
        (
            _padded(table.x, size),
            _padded(table.y, size),
            weights,
            _padded(learn.astype(np.int32), padded_size(len(learn))),
            _held_out_rows(table, held_out, row_weights(table, learn, held_out, class_weights))
            if len(held_out)
            else None,
            make_masking(table.column_specs, mask),
        )
    )
    return Rows(x, y, weights_, order, len(learn), held_out_rows, masking)


def _held_out_rows(table: Table, rows: np.ndarray, weights: np.ndarray | None) -> HeldOut:
    size = padded_size(len(rows))
    own = np.ones(len(rows), np.float32) if weights is None else weights
    scaled = (own * size / len(rows)).astype(np.float32)  # so that the mean over the padded rows is that of the rows
    return HeldOut(*(_padded(values, size) for values in (table.x[rows], table.y[rows], scaled)))


def row_weights(
    table: Table, learn: Int[np.ndarray, " learned"], rows: Int[np.ndarray, " rows"], class_weights: bool
) -> Float[np.ndarray, " rows"] | None:
    """What the losses of some rows are multiplied by.

    Args:
        table: what is learned from, with or without weights of its own.
        learn: the indices of the rows to learn from, at least one.
        rows: the indices of the rows to weigh, at least one.
        class_weights: whether all classes count the same.

    Returns:
        [rows] float32: the table's weights, scaled to a mean of 1 over these rows, times those of `balanced_weights`;
        None if all are 1.

    Example:
        >>> from dataclasses import replace
        >>> from model.tables.truth_tables import truth_table
        >>> table = replace(truth_table("or"), weights=np.array([3, 1, 1, 1], np.float32))
        >>> row_weights(table, np.arange(4), np.array([0, 1]), class_weights=False).tolist()
        [1.5, 0.5]
    """
    if table.weights is None and not class_weights:
        return None
    weights: np.ndarray = np.ones(len(rows)) if table.weights is None else table.weights[rows].astype(np.float64)
    weights /= weights.mean()
    if class_weights:
        learned = None if table.weights is None else table.weights[learn]
        weights *= balanced_weights(table.y[learn], table.y[rows], learned)
    return weights.astype(np.float32)


def balanced_weights(
    learned: Float[np.ndarray, " learned"],
    y: Float[np.ndarray, " rows"],
    weights: Float[np.ndarray, " learned"] | None = None,
) -> Float[np.ndarray, " rows"]:
    """Weights with which all classes count the same, whose mean over the rows to learn from is 1.

    Args:
        learned: [learned], the classes of the rows to learn from, at least one.
        y: [rows], the classes of the rows to weigh.
        weights: [learned], how much each row to learn from counts, above 0; by default all count the same. With these,
            the mean of the products of both weights is 1.

    Returns:
        [rows] float32, the weight of each row of y.

    Example:
        >>> balanced_weights(np.array([0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), np.array([0.0])).tolist()
        [4.0]
    """
    classes, places, counts = np.unique(learned, return_inverse=True, return_counts=True)
    sums = counts if weights is None else np.bincount(places, weights)
    by_class: np.ndarray = (sums.sum() / (len(classes) * sums)).astype(np.float32)
    return by_class[np.minimum(np.searchsorted(classes, y), len(classes) - 1)]


def padded_size(rows: int) -> int:
    """The size to which so many rows are padded.

    Args:
        rows: how many there are, from 1.

    Returns:
        At least `rows`, and at most an eighth of it (or 16) more.

    Example:
        >>> padded_size(1437), padded_size(1438), padded_size(5), padded_size(10**6)
        (1536, 1536, 16, 1000000)
    """
    step = max(16, 1 << max(rows.bit_length() - 4, 0))
    return rows if rows > MAX_PADDED_ROWS else -(-rows // step) * step


def _padded(values: np.ndarray, size: int) -> np.ndarray:
    if len(values) == size:
        return values
    return np.concatenate([values, np.zeros((size - len(values), *values.shape[1:]), values.dtype)])
