"""Rows to learn from and rows to hold out, in arrays of few different sizes, so that few programs are compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Key, Num

from model.arrays import Array
from model.ensembles import Bins
from model.tables.table import Table
from model.tasks import TASKS
from model.training.held_out_rows import draw_groups, draw_rows, latest_rows
from model.training.masking import Masking, make_masking
from model.training.padding import padded, padded_bins, padded_size, padded_together, padded_width

MAX_HELD_OUT = 10_000


class Fold(NamedTuple):
    """A split of the rows.

    Attributes:
        rows: how many rows there are.
        held_out: the indices of the rows held out, in ascending order. All others are learned from.
    """

    rows: int
    held_out: Int[np.ndarray, " held"]

    @property
    def learn(self) -> Int[np.ndarray, " learned"]:
        """The indices of the rows to learn from, in ascending order."""
        return np.delete(np.arange(self.rows), self.held_out)

    @property
    def learned(self) -> int:
        """How many rows are learned from."""
        return self.rows - len(self.held_out)


class HeldOut(NamedTuple):
    """Rows that validate, for each fold.

    Attributes:
        rows: [folds, held], the indices of the rows.
        weights: [folds, held], as `loss` takes them; 0 for a row of padding.
    """

    rows: Int[Array, "folds held"]
    weights: Float[Array, "folds held"]


class Rows(NamedTuple):
    """A table on the device.

    Attributes:
        x: [rows, inputs].
        y: [rows].
        weights: [folds, rows], as `loss` takes them, or None.
        order: [folds, order], the rows to learn from; only the first `learned` entries count.
        learned: [folds], how many rows are learned from.
        held_out: the rows held out, or None.
        masking: what is hidden at random, or None.
        bins: how the inputs become those of the network; None if it sees them as they are.
    """

    x: Num[Array, "rows inputs"]
    y: Num[Array, " rows"]
    weights: Float[Array, "folds rows"] | None
    order: Int[Array, "folds order"]
    learned: Int[Array, " folds"]
    held_out: HeldOut | None
    masking: Masking | None = None
    bins: Bins | None = None


def split_folds(table: Table, share: float, folds: int, *, key: Key[jax.Array, ""]) -> tuple[Fold, ...]:
    """Split a table at random, once or in folds, with the same share of every class.

    Args:
        table: what to split.
        share: as in `hold_out`; only counts with a single fold.
        folds: into how many parts the rows are split, each of which is held out by one fold. There are no more than
            rows, and a single one if the table says how its rows are split.
        key: of the random draw.

    Returns:
        The folds. No two of them hold out the same row, and none holds out more than 10,000.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> folds = split_folds(truth_table("xor"), 0.5, 2, key=jax.random.key(0))
        >>> [(len(fold.learn), sorted(truth_table("xor").y[fold.held_out].tolist())) for fold in folds]
        [(2, [0.0, 1.0]), (2, [0.0, 1.0])]
    """
    rows = len(table.y)
    folds = min(folds, rows)
    if folds == 1 or table.has_own_split:
        return (Fold(rows, hold_out(table, share, key=key)[1]),)
    shuffled = _random(key).permutation(rows)
    classes = table.y[shuffled] if TASKS[table.task].has_classes else np.zeros(rows)
    by_class = shuffled[np.argsort(classes, kind="stable")]
    held_out = [np.sort(by_class[index::folds]) for index in range(folds)]
    if len(held_out[0]) > MAX_HELD_OUT:
        held_out = [np.sort(each[_random(key).permutation(len(each))[:MAX_HELD_OUT]]) for each in held_out]
    return tuple(Fold(rows, each) for each in held_out)


def _random(key: Key[jax.Array, ""]) -> np.random.Generator:
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


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
    if table.times is not None:
        drawn = latest_rows(table.times, count)
    elif table.groups is not None:
        drawn = draw_groups(table.groups, classes, count, _random(key))
    else:
        shuffled = _random(key).permutation(rows)
        drawn = np.zeros(rows, bool)
        drawn[shuffled] = draw_rows(classes[shuffled], count)
    return np.flatnonzero(~drawn), np.flatnonzero(drawn)


def place_rows(
    table: Table, folds: Sequence[Fold], class_weights: bool, mask: float = 0.0, bins: Bins | None = None
) -> Rows:
    """The rows of a table on the device.

    Args:
        table: what to learn from.
        folds: as `split_folds` gives them.
        class_weights: whether all classes count the same.
        mask: the share of rows in which one value is hidden, from 0 to 1.
        bins: how the inputs become those of the network; None if it sees them as they are.

    Returns:
        The rows, padded to one of few sizes, and so are the inputs of the network.
    """
    size, width = padded_size(len(table.y)), table.x.shape[1]
    if bins is None:
        width = padded_width(width, len(table.y))
    else:
        bins = padded_bins(bins, padded_width(len(bins.source), len(table.y)))
    rows = Rows(
        x=padded(table.x, size, width),
        y=padded(table.y, size),
        weights=_learned_weights(table, folds, class_weights, size),
        order=padded_together([fold.learn.astype(np.int32) for fold in folds]),
        learned=np.array([fold.learned for fold in folds], np.int32),
        held_out=_held_out_rows(table, folds, class_weights) if len(folds[0].held_out) else None,
        masking=make_masking(table.column_specs, mask, width),
        bins=bins,
    )
    placed: Rows = jax.device_put(rows)
    return placed


def _learned_weights(table: Table, folds: Sequence[Fold], class_weights: bool, size: int) -> np.ndarray | None:
    """[folds, size], the weights of the rows to learn from; None if all are 1."""
    weights = np.zeros((len(folds), size), np.float32)
    for place, fold in zip(weights, folds, strict=True):
        learn = fold.learn
        learned = row_weights(table, learn, learn, class_weights)
        if learned is None:
            return None
        place[learn] = learned
    return weights


def _held_out_rows(table: Table, folds: Sequence[Fold], class_weights: bool) -> HeldOut:
    rows = padded_together([fold.held_out.astype(np.int32) for fold in folds])
    weights = np.zeros(rows.shape, np.float32)
    for place, fold in zip(weights, folds, strict=True):
        own = row_weights(table, fold.learn, fold.held_out, class_weights)
        # The mean over the padded rows is that of the rows.
        place[: len(fold.held_out)] = (1.0 if own is None else own) * (rows.shape[1] / len(fold.held_out))
    return HeldOut(rows, weights)


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
