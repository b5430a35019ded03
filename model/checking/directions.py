"""The directions along which a function is nudged: one for each entry that is tried, and some through many entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from model.checking.checked_function import CheckedFunction
from model.pytrees import Flat

# Two gradients disagree at an entry if they differ by this, relative to their size.
DISAGREEMENT = 1e-9
# An entry has a scale of its own if it is smaller than its leaf by this factor.
SMALL_ENTRY = 1e-4
# Leaves that get a random direction of their own if not every entry is tried.
MAX_LEAF_DIRECTIONS = 8
# Entries of a random direction are ± the scale of the entry times a number in this range.
RANDOM_RANGE = (0.6, 1.4)
# The step, in units of a direction, with which the sensitivity of a result is measured.
SENSITIVITY_STEP = 2.0**-10
# A result that changes by less than this share of its size does not change.
NO_CHANGE = 1e-9


@dataclass(frozen=True)
class Directions:
    """Directions from the point. Their vectors are made only when they are needed.

    Attributes:
        entries: [entries], the positions, in the vector of all parameters, of those that are tried one by one.
        dense: [dense, size], the other directions.
        names: of the dense directions.
        scale: [size], the typical scale of each parameter.
        leaf_scale: [size], that of the leaf that it is in, which is the same unless the parameter is tiny next to it.
    """

    entries: Int[np.ndarray, " entries"]
    dense: Float[np.ndarray, "dense size"]
    names: tuple[str, ...]
    scale: Flat
    leaf_scale: Flat

    def __len__(self) -> int:
        return len(self.entries) + len(self.dense)

    def __iter__(self) -> Iterator[Flat]:
        return (self.vectors(np.array([index]))[0] for index in range(len(self)))

    def vectors(self, indices: np.ndarray) -> Float[np.ndarray, "indices size"]:
        """The vectors of some directions."""
        vectors = np.zeros((len(indices), len(self.scale)))
        for row, index in enumerate(indices):
            if index < len(self.entries):
                vectors[row, self.entries[index]] = 1.0
            else:
                vectors[row] = self.dense[index - len(self.entries)]
        return vectors

    def take(self, indices: np.ndarray) -> Directions:
        """Some of the directions."""
        entries = indices[indices < len(self.entries)]
        dense = indices[indices >= len(self.entries)] - len(self.entries)
        names = tuple(self.names[index] for index in dense)
        return replace(self, entries=self.entries[entries], dense=self.dense[dense], names=names)

    def concat(self, more: Directions) -> Directions:
        """These directions and more, which must all be dense."""
        return replace(self, dense=np.concatenate([self.dense, more.dense]), names=self.names + more.names)

    @property
    def step_scale(self) -> np.ndarray:
        """[directions], the length of a step of typical size along each direction."""
        return np.concatenate([self.scale[self.entries], np.ones(len(self.dense))])

    @property
    def leaf_step_scale(self) -> np.ndarray:
        """[directions], the length of a step of the leaf's typical size along each direction."""
        return np.concatenate([self.leaf_scale[self.entries], np.ones(len(self.dense))])

    def magnitudes(self, flat: Flat) -> np.ndarray:
        """[directions], how large the point's numbers are along each direction, in units of a step."""
        return np.concatenate([np.abs(flat[self.entries]), np.ones(len(self.dense))])

    def derivatives_along(self, gradient: Flat) -> np.ndarray:
        """[directions], the derivative along each direction according to a gradient."""
        with np.errstate(invalid="ignore", over="ignore"):
            dense = [np.sum(np.where(vector == 0, 0.0, vector * gradient)) for vector in self.dense]
        return np.concatenate([gradient[self.entries], dense])

    def errors_along(self, entry_errors: Flat) -> np.ndarray:
        """[directions], the error along each direction that independent errors of the entries cause."""
        with np.errstate(over="ignore"):
            dense = np.sqrt(np.square(self.dense) @ np.square(entry_errors))
        return np.concatenate([entry_errors[self.entries], dense])

    def max_along(self, entry_values: Flat) -> np.ndarray:
        """[directions], the largest value of the entries that each direction moves."""
        dense = [np.max(entry_values[vector != 0], initial=0.0) for vector in self.dense]
        return np.concatenate([entry_values[self.entries], dense])


def typical_scale(function: CheckedFunction) -> Flat:
    """The size of a typical step for each parameter.

    Args:
        function: at its point.

    Returns:
        [size]: the parameter's own size or the root mean square of its leaf, whichever is larger; its own size if that
        is much smaller than its leaf's; 1 in a leaf of zeros.

    Example:
        >>> from model.checking.tracing import prepare
        >>> typical_scale(prepare(np.sum, np.array([3.0, 4.0, 0.0, 1e-9]), ())).tolist()
        [3.0, 4.0, 2.5, 1e-09]
    """
    return typical_scales(function)[0]


def typical_scales(function: CheckedFunction) -> tuple[Flat, Flat]:
    """The size of a typical step for each parameter, and the same without an exception for tiny ones.

    Args:
        function: at its point.

    Returns:
        [size] each.
    """
    scales, leaf_scales = [], []
    for leaf in function.point:
        sizes = np.ravel(np.nan_to_num(np.abs(np.asarray(leaf, np.float64)), posinf=0.0))
        root_mean_square = np.sqrt(np.mean(np.square(sizes))) if sizes.size else 0.0
        larger = np.maximum(sizes, root_mean_square) if root_mean_square > 0 else np.ones_like(sizes)
        scales.append(np.where((sizes > 0) & (sizes < SMALL_ENTRY * root_mean_square), sizes, larger))
        leaf_scales.append(larger)
    return np.concatenate(scales), np.concatenate(leaf_scales)


def single_entries(function: CheckedFunction, entries: np.ndarray) -> Directions:
    """A direction for each of some entries.

    Args:
        function: at its point.
        entries: their positions in the vector of all parameters.

    Returns:
        The directions.
    """
    scale, leaf_scale = typical_scales(function)
    return Directions(entries, np.zeros((0, len(scale))), (), scale, leaf_scale)


def all_entries(function: CheckedFunction, rng: np.random.Generator) -> Directions:
    """A direction for every entry, and a random one through all of them.

    Args:
        function: at its point.
        rng: for the random direction.

    Returns:
        The directions; without a random one if there is a single entry.
    """
    directions = single_entries(function, np.arange(function.flat.size))
    if len(directions) <= 1:
        return directions
    return replace(directions, dense=_random_vector(directions.scale, rng)[None], names=("all at random",))


def sample_directions(
    function: CheckedFunction,
    count: int,
    disagreement: Flat,
    rng: np.random.Generator,
    max_leaf_directions: int = MAX_LEAF_DIRECTIONS,
) -> Directions:
    """Directions for a sample of entries, and random ones through all entries and through each leaf.

    Args:
        function: at its point.
        count: how many entries are drawn; every leaf gets its share.
        disagreement: [size], how far two gradients differ at each entry. The entries at which they disagree most are
            in the sample.
        rng: for the sample and the random directions.
        max_leaf_directions: how many leaves get a direction of their own.

    Returns:
        The directions.
    """
    scale, leaf_scale = typical_scales(function)
    entries = _sample_entries(np.array(function.sizes), count, disagreement, rng)
    dense = {"all at random": _random_vector(scale, rng)}
    positions, starts = np.arange(len(scale)), np.cumsum([0, *function.sizes])
    for leaf in range(min(len(function.sizes), max_leaf_directions) if len(function.sizes) > 1 else 0):
        is_inside = (positions >= starts[leaf]) & (positions < starts[leaf + 1])
        if is_inside.any():
            name = function.leaf_names[function.floating[leaf]]
            dense[f"{name} at random"] = np.where(is_inside, _random_vector(scale, rng), 0.0)
    return Directions(entries, np.stack(list(dense.values())), tuple(dense), scale, leaf_scale)


def _sample_entries(
    sizes: np.ndarray, count: int, disagreement: Flat, rng: np.random.Generator
) -> Int[np.ndarray, " entries"]:
    """Positions of `count` entries, a share of every leaf's, and of a quarter as many that disagree most."""
    shares = np.zeros(len(sizes), int)
    shares[rng.permutation(np.flatnonzero(sizes))[:count]] = 1
    shares += np.floor((count - shares.sum()) * sizes / sizes.sum()).astype(int)
    starts = np.cumsum([0, *sizes])[:-1]
    drawn = [
        start + rng.choice(size, share, replace=False)
        for start, size, share in zip(starts, sizes, np.minimum(sizes, shares), strict=True)
        if size
    ]
    worst = np.argsort(-disagreement, kind="stable")[: max(1, count // 4)]
    return np.unique(np.concatenate([*drawn, worst[disagreement[worst] > DISAGREEMENT]]))


def steepest_directions(function: CheckedFunction, gradients: Mapping[str, Flat]) -> Directions:
    """A direction along each gradient, in which the function changes most.

    Args:
        function: at its point.
        gradients: [size] each, by the name of their method.

    Returns:
        Dense directions only; none for a gradient that is zero or infinite.
    """
    scale, leaf_scale = typical_scales(function)
    dense = {}
    for name, gradient in gradients.items():
        with np.errstate(over="ignore"):
            change = np.nan_to_num(gradient, posinf=0.0, neginf=0.0) * scale
        largest = np.max(np.abs(change), initial=0.0)
        if 0 < largest < np.inf:
            dense[f"along {name}"] = scale * (change / largest)
    vectors = np.array(list(dense.values())).reshape(len(dense), len(scale))
    return Directions(np.zeros(0, int), vectors, tuple(dense), scale, leaf_scale)


def _random_vector(scale: Flat, rng: np.random.Generator) -> Flat:
    return np.asarray(scale * rng.choice([-1.0, 1.0], len(scale)) * rng.uniform(*RANDOM_RANGE, len(scale)))
