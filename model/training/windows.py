"""The windows of rows that an epoch takes one after the other, when the rows are not all on the device."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, Key

from model.arrays import Array
from model.tables.encoding import aligned_empty
from model.tables.table import Table
from model.training.padding import padded
from model.training.validation_split import Fold, Rows, balanced_weights

# A window has about so many blocks of rows, from anywhere in the table: many, so that rows of all kinds meet in it, and
# not too many, so that reading a block takes longer than finding it.
WINDOW_BLOCKS = 64


class WindowPlan(NamedTuple):
    """How the rows of a table are divided.

    Attributes:
        bounds: [blocks + 1], where each block begins, and where the last one ends.
        windows: how many windows an epoch has.
    """

    bounds: Int[np.ndarray, " bounds"]
    windows: int

    @property
    def capacity(self) -> int:
        """The most rows that a window can have."""
        sizes = np.diff(self.bounds)
        rows = int(sizes.sum())
        return min(-(-rows // self.windows) + int(sizes.max()), rows)


def plan_windows(rows: int, window: int, groups: Int[np.ndarray, " rows"] | None = None) -> WindowPlan:
    """Divide the rows of a table into blocks.

    Args:
        rows: how many there are, from 1.
        window: about how many rows a window has.
        groups: the group of each row. Rows of the same group follow each other, and stay in one block.

    Returns:
        The plan.

    Raises:
        ValueError: if rows of the same group do not follow each other.

    Example:
        >>> plan_windows(10, 5, groups=np.repeat([7, 3], [6, 4])).bounds.tolist()
        [0, 6, 10]
    """
    windows = -(-rows // window)
    bounds = np.append(np.arange(0, rows, max(window // WINDOW_BLOCKS, 1) if windows > 1 else rows), rows)
    if groups is not None:
        starts = np.append(np.flatnonzero(np.diff(groups, prepend=groups[0] - 1)), rows)
        if len(np.unique(groups)) < len(starts) - 1:
            raise ValueError("rows of the same group must follow each other if there is a window; sort the rows")
        bounds = np.unique(starts[np.searchsorted(starts, bounds)])
    return WindowPlan(bounds, windows)


def epoch_windows(plan: WindowPlan, epoch: int, *, key: Key[Array, ""]) -> list[Int[np.ndarray, " blocks"]]:
    """The blocks of each window of an epoch.

    Args:
        plan: how the rows are divided.
        epoch: how many epochs were done before.
        key: of the random order of the blocks. It and the epoch decide it.

    Returns:
        For each window its blocks in ascending order. Every block is in one window.

    Example:
        >>> windows = epoch_windows(plan_windows(8, 4), 0, key=jax.random.key(0))
        >>> [len(blocks) for blocks in windows], sorted(np.concatenate(windows).tolist())
        ([4, 4], [0, 1, 2, 3, 4, 5, 6, 7])
    """
    random = np.random.default_rng([*np.asarray(jax.random.key_data(key)).tolist(), epoch])
    blocks = random.permutation(len(plan.bounds) - 1)
    sizes = np.diff(plan.bounds)[blocks]
    ends = np.cumsum(sizes)
    # The window in which the middle of each block lies.
    places = (2 * ends - sizes) * plan.windows // (2 * ends[-1])
    return [np.sort(blocks[places == window]) for window in range(plan.windows)]


class Window(NamedTuple):
    """A window.

    Attributes:
        epoch: how many epochs were done before it.
        place: how many windows of the epoch come before it.
        rows: its rows, on the device. Indices count the rows of the window.
        is_short: whether a fold learns from fewer of its rows than a batch has.
    """

    epoch: int
    place: int
    rows: Rows
    is_short: bool


class WindowReader:
    """Reads the windows of a table, each while the one before it is used.

    Args:
        table: in memory or in a file.
        folds: the splits of the rows.
        plan: how the rows are divided.
        class_weights: whether all classes count the same.
        batch_size: how many rows a batch has.
        key: of the order of the blocks.
    """

    def __init__(
        self,
        table: Table,
        folds: Sequence[Fold],
        plan: WindowPlan,
        class_weights: bool,
        batch_size: int,
        key: Key[Array, ""],
    ) -> None:
        self.plan, self.batch_size = plan, batch_size
        self._table, self._folds, self._key = table, folds, key
        self._factors = [learned_factors(table, fold, class_weights) for fold in folds]
        self._capacity = max(plan.capacity, batch_size)
        self._buffers = [_zeros(self._capacity, table.input_count) for _ in range(min(plan.windows, 2))]
        self._pool = ThreadPoolExecutor(1)
        self._waiting: tuple[tuple[int, int], Future[Window]] | None = None
        self._blocks: dict[int, list[np.ndarray]] = {}
        self._only: Window | None = None

    def read(self, epoch: int, index: int) -> Window:
        """A window. It must not be used any more when the next one is asked for.

        Args:
            epoch: how many epochs were done before it.
            index: how many windows of the epoch come before it.

        Returns:
            The window.
        """
        if self._waiting is None or self._waiting[0] != (epoch, index):
            if self._waiting is not None:
                self._waiting[1].result()
            self._waiting = (epoch, index), self._pool.submit(self._read, epoch, index)
        window = self._waiting[1].result()
        following = self._following(epoch, index)
        self._waiting = following, self._pool.submit(self._read, *following)
        return window

    def empty(self) -> Rows:
        """Rows of the shapes of a window, to compile with before the first one is read."""
        return self._placed(self._buffers[0], np.zeros(0, int), [np.zeros(0, np.int32)] * len(self._folds))

    def _read(self, epoch: int, index: int) -> Window:
        if self._only is not None:
            return self._only._replace(epoch=epoch)
        starts, ends = self._bounds_of(epoch, index)
        for start, end in zip(*self._bounds_of(*self._following(epoch, index)), strict=True):
            self._table.prepare_inputs(int(start), int(end - start))
        # Two windows that follow each other never have the same buffer, even at the turn of an epoch.
        x = self._buffers[(epoch * self.plan.windows + index) % len(self._buffers)]
        place = 0
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            self._table.read_inputs(start, x[place : place + end - start])
            place += end - start
        rows = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends, strict=True)] or [starts])
        orders = [np.flatnonzero(~_are_among(rows, fold.held_out)).astype(np.int32) for fold in self._folds]
        is_short = any(0 < len(order) < self.batch_size for order in orders)
        window = Window(epoch, index, self._placed(x, rows, orders), is_short)
        if self.plan.windows == 1:
            self._only = window
        return window

    def _following(self, epoch: int, index: int) -> tuple[int, int]:
        return (epoch, index + 1) if index + 1 < self.plan.windows else (epoch + 1, 0)

    def _bounds_of(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Where the blocks of a window begin and end."""
        if epoch not in self._blocks:
            kept = {other: blocks for other, blocks in self._blocks.items() if abs(other - epoch) == 1}
            self._blocks = kept | {epoch: epoch_windows(self.plan, epoch, key=self._key)}
        blocks = self._blocks[epoch][index]
        return self.plan.bounds[blocks], self.plan.bounds[blocks + 1]

    def _placed(self, x: np.ndarray, rows: np.ndarray, orders: Sequence[np.ndarray]) -> Rows:
        """The rows on the device. rows: their indices in the table. orders: for each fold, those to learn from."""
        y = self._table.y[rows]
        weights: np.ndarray | None = None
        if self._factors[0] is not None:
            weights = np.zeros((len(orders), self._capacity), np.float32)
            for own, factors in zip(weights, self._factors, strict=True):
                assert factors is not None
                own[: len(rows)] = factors.of(self._table, rows)
        window = Rows(
            x=x,
            y=padded(y, self._capacity),
            weights=weights,
            order=np.stack([padded(order, self._capacity) for order in orders]),
            learned=np.array([len(order) for order in orders], np.int32),
            held_out=None,
        )
        placed: Rows = jax.block_until_ready(jax.device_put(window))  # type: ignore[no-untyped-call]
        return placed


class Factors(NamedTuple):
    """What the losses of rows are multiplied by.

    Attributes:
        mean: of the table's weights over the rows that are learned from.
        by_class: of each class; None if all rows count the same.
    """

    mean: float
    by_class: Float[np.ndarray, " classes"] | None

    def of(self, table: Table, rows: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
        """The factors of some rows, in float32."""
        weights: np.ndarray = np.ones(len(rows)) if table.weights is None else table.weights[rows] / self.mean
        if self.by_class is not None:
            weights = weights * self.by_class[table.y[rows].astype(int)]
        return weights.astype(np.float32)


def learned_factors(table: Table, fold: Fold, class_weights: bool) -> Factors | None:
    """What the losses of the rows to learn from are multiplied by, as in `row_weights`.

    Args:
        table: what is learned from.
        fold: which rows these are.
        class_weights: whether all classes count the same.

    Returns:
        The factors; None if all are 1.

    Example:
        >>> from model.tables.truth_tables import truth_table
        >>> learned_factors(truth_table("or"), Fold(4, np.zeros(0, int)), True).by_class.tolist()
        [2.0, 0.666...]
    """
    if table.weights is None and not class_weights:
        return None
    learn = fold.learn
    mean = 1.0 if table.weights is None else float(table.weights[learn].astype(np.float64).mean())
    if not class_weights:
        return Factors(mean, None)
    learned = None if table.weights is None else table.weights[learn]
    return Factors(mean, balanced_weights(table.y[learn], np.arange(len(table.classes), dtype=float), learned))


def _are_among(rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Which of some rows are among the chosen ones, which are in ascending order."""
    places = np.searchsorted(chosen, rows)
    are_among: np.ndarray = (places < len(chosen)) & (np.append(chosen, -1)[places] == rows)
    return are_among


def _zeros(rows: int, inputs: int) -> np.ndarray:
    zeros = aligned_empty(rows, inputs)
    zeros[:] = 0.0
    return zeros
