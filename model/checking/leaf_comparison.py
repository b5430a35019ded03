"""One leaf of a gradient: its entries, and the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.pytrees import Flat, entry_name

# A factor is read only from entries whose truth is known to better than this, relative to itself.
CLEAR_TRUTH = 0.25
# Two entries are alike if they differ by this, relative to their size, beyond their errors.
LIKENESS = 1e-5
# Entries that a diagnosis names.
MAX_NAMED_ENTRIES = 3


@dataclass(frozen=True)
class LeafComparison:
    """The entries of one leaf, each array of its shape.

    Attributes:
        name: of the leaf.
        judged: the entries of the gradient that is judged; NaN where they are not known.
        truth: the true entries; NaN where they are not known.
        allowed: how far the two may differ and still agree.
        is_given: whether the method gave an entry here; NaN is then wrong, and otherwise unknown.
    """

    name: str
    judged: np.ndarray
    truth: np.ndarray
    allowed: np.ndarray
    is_given: bool | np.ndarray = True

    @property
    def is_not_finite(self) -> np.ndarray:
        """Where the judged gradient has NaN or an infinity."""
        return np.asarray(~np.isfinite(self.judged) & self.is_given)

    @property
    def is_known(self) -> np.ndarray:
        """Where both entries are known."""
        return np.asarray(np.isfinite(self.judged) & np.isfinite(self.truth))

    @property
    def is_clear(self) -> np.ndarray:
        """Where the truth is known well enough to read a factor from it."""
        return np.asarray(self.is_known & (np.abs(self.truth) > self.allowed / CLEAR_TRUTH))

    @property
    def is_right(self) -> np.ndarray:
        """Where the entries agree, or at least one is not known."""
        return np.asarray(~(np.abs(self.judged - self.truth) > self.allowed))

    def equals(self, other: np.ndarray) -> bool:
        """Whether the judged entries are these wherever both are known; False if no such entry is."""
        is_known = np.isfinite(self.judged) & np.isfinite(other)
        allowed = self.allowed + LIKENESS * np.abs(other)
        return bool(is_known.any() and (np.abs(self.judged - other) <= allowed)[is_known].all())

    def entry_names(self, positions: Sequence[int] | np.ndarray) -> str:
        """The names of some entries in a sentence, by their positions in the raveled leaf."""
        shape = self.truth.shape
        named = positions[:MAX_NAMED_ENTRIES]
        names = [entry_name(self.name, np.unravel_index(position, shape) if shape else ()) for position in named]
        if len(positions) <= MAX_NAMED_ENTRIES:
            return join_all(names)
        return f"{', '.join(names)} and {len(positions) - MAX_NAMED_ENTRIES:,} more"


def join_all(names: Sequence[str]) -> str:
    """Names in a sentence.

    Args:
        names: at least one.

    Returns:
        The names with commas, and `and` before the last.

    Example:
        >>> join_all(["a", "b", "c"])
        'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def split_leaves(
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    judged: Flat,
    truth: Flat,
    allowed: Flat,
    is_given: np.ndarray,
) -> list[LeafComparison]:
    """The leaves of vectors of all entries.

    Args:
        names: of the leaves.
        shapes: of the leaves.
        judged: [size].
        truth: [size].
        allowed: [size].
        is_given: [size].

    Returns:
        One comparison for each leaf.
    """
    bounds = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    vectors = (np.split(vector, bounds) for vector in (judged, truth, allowed, is_given))
    leaves = zip(names, shapes, *vectors, strict=True)
    return [LeafComparison(name, *(part.reshape(shape) for part in parts)) for name, shape, *parts in leaves]
