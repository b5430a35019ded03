"""Gradients whose entries are right but in the wrong places: transposed, reversed, shifted, permuted, swapped."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from model.checking.leaf_comparison import LIKENESS, LeafComparison

# Shifts along an axis that are tried.
MAX_SHIFT = 64


def find_swap(leaves: Sequence[LeafComparison]) -> tuple[str, str] | None:
    """Two leaves of one shape that have each other's gradient.

    Args:
        leaves: that are wrong.

    Returns:
        Their names; None if there are no such leaves.

    Example:
        >>> one, other = np.array([1.0]), np.array([2.0])
        >>> leaves = [LeafComparison("a", one, other, 0 * one), LeafComparison("b", other, one, 0 * one)]
        >>> find_swap(leaves)
        ('a', 'b')
    """
    for one in leaves:
        for other in leaves:
            is_pair = one is not other and one.truth.shape == other.truth.shape
            is_pair = is_pair and bool((one.is_clear | other.is_clear).any())
            if is_pair and one.equals(other.truth) and other.equals(one.truth):
                return one.name, other.name
    return None


def find_rearrangement(leaf: LeafComparison) -> tuple[str, str] | None:
    """How the entries of a leaf are rearranged.

    Args:
        leaf: that is wrong.

    Returns:
        The kind of the diagnosis and a sentence without its method; None if the entries are not rearranged.

    Example:
        >>> truth = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> find_rearrangement(LeafComparison("w", truth.T, truth, np.full((2, 2), 1e-9)))
        ('transposed', 'is transposed')
    """
    if not leaf.is_known.all() or leaf.is_clear.sum() < 2:
        return None
    truth = leaf.truth
    for axes in permutations(range(truth.ndim)):
        transposed = truth.transpose(axes)
        if transposed.shape == truth.shape and leaf.equals(transposed):
            return "transposed", "is transposed"
    for axis, length in enumerate(truth.shape):
        if leaf.equals(np.flip(truth, axis)):
            return "permuted", f"is in reverse order along axis {axis}"
        for shift in range(1, min(length, MAX_SHIFT)):
            if leaf.equals(np.roll(truth, shift, axis)):
                return "permuted", f"is shifted by {shift} along axis {axis}"
    moved = int((~leaf.is_right).sum())
    if moved >= 2 and leaf.is_clear[~leaf.is_right].sum() >= 2 and _has_same_entries(leaf):
        return "permuted", f"has {moved} of its entries in each other's places"
    return None


def _has_same_entries(leaf: LeafComparison) -> bool:
    """Whether the judged entries are the true ones in another order."""
    judged_order, true_order = np.argsort(leaf.judged, axis=None), np.argsort(leaf.truth, axis=None)
    truth = leaf.truth.ravel()[true_order]
    difference = np.abs(leaf.judged.ravel()[judged_order] - truth)
    return bool((difference <= leaf.allowed.ravel()[true_order] + LIKENESS * np.abs(truth)).all())
