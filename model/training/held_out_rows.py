"""Which rows are held out: of every class its share, whole groups of rows, or the latest rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num

# What a further group gains must be more than what rounding in float64 can make of nothing.
SMALLEST_GAIN = 1e-12
# How often groups are drawn: fewer times if there are so many that it would take long. With more tries, the draw would
# have the same groups for most keys.
MAX_TRIES, MAX_ORDERED_GROUPS = 4, 100_000
# Rows that are looked at together, so that the numbers about them need little memory.
BLOCK_ROWS = 65_536


def draw_rows(classes: Num[np.ndarray, " rows"], count: int) -> Bool[np.ndarray, " rows"]:
    """Draw the first rows of each class, as many as `class_counts` says.

    Args:
        classes: of all rows, which are in random order.
        count: how many rows to draw.

    Returns:
        Which rows are drawn: `count` of them, fewer if one row of every class cannot be left otherwise.

    Example:
        >>> draw_rows(np.array([0, 0, 0, 0, 1, 1]), 3).tolist()
        [True, True, False, False, True, False]
    """
    found, sizes = np.unique(classes, return_counts=True)
    left, drawn = class_counts(sizes, count), np.zeros(len(classes), bool)
    for start in range(0, len(classes), BLOCK_ROWS):
        if not left.any():
            break
        indices = np.searchsorted(found, classes[start : start + BLOCK_ROWS])
        by_class, counts = np.argsort(indices, kind="stable"), np.bincount(indices, minlength=len(found))
        ranks = np.empty(len(indices), int)
        ranks[by_class] = np.arange(len(indices)) - np.repeat(np.cumsum(counts) - counts, counts)
        drawn[start : start + BLOCK_ROWS] = ranks < left[indices]
        left = np.maximum(left - counts, 0)
    return drawn


def class_counts(sizes: Int[np.ndarray, " classes"], count: int) -> Int[np.ndarray, " classes"]:
    """How many rows of each class are held out.

    One row of every class is left to learn from, and one of every class with at least two rows is held out. If there
    are more such classes than rows to hold out, it is one row of each of the largest. Within these limits, the numbers
    are as near to the shares of the classes as they can be: the sum of the squared differences is the smallest.

    Args:
        sizes: [classes], how many rows each class has, from 1.
        count: how many rows to hold out, from 0.

    Returns:
        [classes] whole numbers whose sum is `count`, or less if there are not enough rows.

    Example:
        >>> class_counts(np.array([2997, 3]), 450).tolist(), class_counts(np.array([60, 39, 1]), 10).tolist()
        ([449, 1], [6, 4, 0])
    """
    most = sizes - 1
    count = min(count, int(most.sum()))
    shares = count * sizes / sizes.sum()
    least = np.minimum(most, 1)
    if least.sum() >= count:
        chosen = np.argsort(-least * sizes, kind="stable")[:count]
        least = np.zeros_like(sizes)
        least[chosen] = 1
        return least
    takes: np.ndarray = np.clip(shares.astype(int), least, most)
    while (missing := count - takes.sum()) > 0:
        takes[np.argmax(np.where(takes < most, shares - takes, -np.inf))] += 1
    for _ in range(-missing):
        takes[np.argmax(np.where(takes > least, takes - shares, -np.inf))] -= 1
    return takes


def latest_rows(times: Float[np.ndarray, " rows"], count: int) -> Bool[np.ndarray, " rows"]:
    """The latest rows, about so many. Rows of the same time stay together, and the earliest time is always left.

    Args:
        times: of all rows; NaN where it is not known. Such rows are left.
        count: how many rows to draw, from 1.

    Returns:
        Which rows are drawn; none if all have the same time.

    Example:
        >>> latest_rows(np.array([3.0, 1.0, np.nan, 2.0, 3.0, 2.0]), 1).tolist()
        [True, False, False, False, True, False]
    """
    different, sizes = np.unique(times[np.isfinite(times)], return_counts=True)
    if len(different) < 2:
        return np.zeros(len(times), bool)
    sums = np.cumsum(sizes[:0:-1])  # how many rows the latest time has, the two latest ones, and so on
    latest = 1 + int(np.argmin(np.abs(sums - count)))
    drawn: np.ndarray = times >= different[-latest]
    return drawn


class _Groups(NamedTuple):
    """How many rows of each class each group has: `counts` at the places of `firsts`, each for one of `classes`.

    Attributes:
        firsts: [groups + 1], where the entries of each group begin.
        classes: [entries], the index of a class.
        counts: [entries], how many rows of that class the group has.
        totals: [classes], how many rows of each class there are.
    """

    firsts: np.ndarray
    classes: np.ndarray
    counts: np.ndarray
    totals: np.ndarray

    def of(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """The classes of a group, and how many rows it has of each."""
        entries = slice(self.firsts[group], self.firsts[group + 1])
        return self.classes[entries], self.counts[entries]


def draw_groups(
    groups: Int[np.ndarray, " rows"], classes: Num[np.ndarray, " rows"], count: int, random: np.random.Generator
) -> Bool[np.ndarray, " rows"]:
    """Draw whole groups at random, so that they have about so many rows, and about the same share of every class.

    First a group with a row of each class is drawn, beginning with the class in the fewest groups. Then the other
    groups are taken in random order, each if it brings the shares of the classes nearer to the share to draw, much as
    scikit-learn's StratifiedGroupKFold does. A group is never drawn if no row of a class would be left. Of several such
    draws, the one with the nearest shares is taken.

    Args:
        groups: the number of the group of each row.
        classes: of each row; all the same in a regression.
        count: how many rows to draw, from 1 to less than there are.
        random: where the randomness comes from.

    Returns:
        Which rows are drawn. At least one group is drawn, unless a class would then have no row left.

    Example:
        >>> groups, random = np.array([5, 5, 7, 7, 9, 9]), np.random.default_rng(0)
        >>> int(draw_groups(groups, np.zeros(6), 2, random).sum())
        2
    """
    _, firsts, places = np.unique(groups, return_index=True, return_inverse=True)
    group_of_row = np.argsort(np.argsort(firsts))[places]  # by the first row, whatever the numbers are
    values, class_of_row = np.unique(classes, return_inverse=True)
    pairs, counts = np.unique(group_of_row * len(values) + class_of_row, return_counts=True)
    found = _Groups(
        np.searchsorted(pairs, np.arange(group_of_row.max() + 2) * len(values)),
        pairs % len(values),
        counts,
        np.bincount(class_of_row),
    )
    tries = min(max(MAX_ORDERED_GROUPS // (len(found.firsts) - 1), 1), MAX_TRIES)
    draws = [_GroupDraw(found, count).in_order(random.permutation(len(found.firsts) - 1)) for _ in range(tries)]
    drawn: np.ndarray = min(draws, key=lambda draw: draw.distance).is_drawn[group_of_row]
    return drawn


class _GroupDraw:
    """Which groups are drawn so far."""

    def __init__(self, groups: _Groups, count: int) -> None:
        self._groups, self._count = groups, count
        self._rows = groups.totals.sum()
        self._sizes = np.add.reduceat(groups.counts, groups.firsts[:-1])
        self._taken = np.zeros_like(groups.totals)
        self.is_drawn = np.zeros(len(self._sizes), bool)

    @property
    def _left(self) -> int:
        """How many rows are still to be drawn."""
        return self._count - int(self._taken.sum())

    @property
    def distance(self) -> float:
        """The sum of the squared distances of the drawn shares, of all rows and each class, from the share to draw."""
        share = self._count / self._rows
        of_classes = ((self._taken / self._groups.totals - share) ** 2).sum()
        return float(of_classes + (self._taken.sum() / self._rows - share) ** 2)

    def in_order(self, order: np.ndarray) -> _GroupDraw:
        """The draw, after the groups are taken in some order."""
        if len(self._groups.totals) > 1:
            self.take_of_each_class(order)
        self.take_up_to_count(order, counts_all=False)
        self.take_up_to_count(order, counts_all=True)
        self.take_last(order)
        return self

    def take_of_each_class(self, order: np.ndarray) -> None:
        """Take a group with each class, if there are others with it, as long as the rows do not become too many."""
        groups = self._groups
        of_entry = np.repeat(np.arange(len(order)), np.diff(groups.firsts))
        by_class = np.lexsort((np.argsort(order)[of_entry], groups.classes))
        of_class = np.split(of_entry[by_class], np.cumsum(np.bincount(groups.classes))[:-1])
        for index in np.argsort([len(each) for each in of_class], kind="stable").tolist():
            if self._taken[index]:
                continue
            candidates = (group for group in of_class[index].tolist() if self._may_take(group))
            best = next((group for group in candidates if self._sizes[group] <= self._left), None)
            if best is None:
                best = of_class[index][np.argmin(self._sizes[of_class[index]])].item()
            if self._may_take(best) and abs(self._left - self._sizes[best]) < self._left:
                self._take(best)

    def take_up_to_count(self, order: np.ndarray, counts_all: bool) -> None:
        """Take each group that brings the shares nearer, as long as the rows do not become too many.

        counts_all: as in `_gain`.
        """
        left = self._left
        for group in order.tolist():
            if left <= 0:
                return
            if self._sizes[group] <= left and self._may_take(group) and self._gain(group, counts_all) > 0:
                self._take(group)
                left = self._left

    def take_last(self, order: np.ndarray) -> None:
        """Take one more group if it brings the shares nearer, or if none is drawn yet."""
        left, is_needed = self._left, not self.is_drawn.any()
        for group in order[np.argsort(np.abs(self._sizes[order] - left), kind="stable")].tolist():
            if not is_needed and abs(self._sizes[group] - left) >= left:
                return
            if self._may_take(group) and (is_needed or self._gain(group, counts_all=True) > 0):
                self._take(group)
                return

    def _may_take(self, group: int) -> bool:
        """Whether a group is not drawn yet, and a row of each of its classes is left without it."""
        classes, counts = self._groups.of(group)
        return not self.is_drawn[group] and bool((self._taken[classes] + counts < self._groups.totals[classes]).all())

    def _gain(self, group: int, counts_all: bool) -> float:
        """By how much the squared distances of the drawn shares from the share to draw become smaller with a group.

        counts_all: whether the share of all rows counts too, beside that of each class.
        """
        classes, counts = self._groups.of(group)
        totals, share = self._groups.totals[classes], self._count / self._rows
        before, added = self._taken[classes] / totals - share, counts / totals
        if counts_all:
            before = np.append(before, self._taken.sum() / self._rows - share)
            added = np.append(added, self._sizes[group] / self._rows)
        return float(-(added * (2 * before + added)).sum()) - SMALLEST_GAIN

    def _take(self, group: int) -> None:
        classes, counts = self._groups.of(group)
        self._taken[classes] += counts
        self.is_drawn[group] = True
