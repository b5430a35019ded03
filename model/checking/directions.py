"""The lines along which a function is nudged: one through each entry that is tried, and some through all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from model.checking.checked_function import CheckedFunction
from model.pytrees import Flat

# Two gradients differ at an entry where they are so far apart, relative to their size.
APART = 1e-9
# An entry is of another size than its leaf where it is smaller than that by this.
FAR = 1e-4
# Leaves that get a random direction of their own where not every entry is tried.
LEAVES = 8


@dataclass(frozen=True)
class Directions:
    """Directions from the point, made only when they are asked for.

    entries: the places, in the row of all parameters, of those that are tried one by one. dense [lines, size]: the
    other directions; names: what they are. scale [size]: what is natural for each parameter.
    """

    entries: np.ndarray
    dense: Float[np.ndarray, "lines size"]
    names: tuple[str, ...]
    scale: Flat

    def __len__(self) -> int:
        return len(self.entries) + len(self.dense)

    def __iter__(self) -> Iterator[Flat]:
        return (self.vectors(np.array([line]))[0] for line in range(len(self)))

    def vectors(self, chosen: np.ndarray) -> Float[np.ndarray, "chosen size"]:
        """Some of the directions."""
        result = np.zeros((len(chosen), len(self.scale)))
        for row, line in enumerate(chosen):
            if line < len(self.entries):
                result[row, self.entries[line]] = 1.0
            else:
                result[row] = self.dense[line - len(self.entries)]
        return result

    def take(self, chosen: np.ndarray) -> Directions:
        """Some of the lines."""
        tried = chosen[chosen < len(self.entries)]
        rest = chosen[chosen >= len(self.entries)] - len(self.entries)
        names = tuple(self.names[line] for line in rest)
        return replace(self, entries=self.entries[tried], dense=self.dense[rest], names=names)

    def concat(self, more: Directions) -> Directions:
        """These and more lines, which are along no single entry."""
        return replace(self, dense=np.concatenate([self.dense, more.dense]), names=self.names + more.names)

    @property
    def step_scale(self) -> np.ndarray:
        """The natural length of a step along each line."""
        return np.concatenate([self.scale[self.entries], np.ones(len(self.dense))])

    def reach(self, flat: Flat) -> np.ndarray:
        """How large the point's own numbers are along each line, in units of a step."""
        return np.concatenate([np.abs(flat[self.entries]), np.ones(len(self.dense))])

    def derivatives_along(self, gradient: Flat) -> np.ndarray:
        """The derivative along each line that a gradient stands for."""
        with np.errstate(invalid="ignore", over="ignore"):
            dense = [np.sum(np.where(direction == 0, 0.0, direction * gradient)) for direction in self.dense]
        return np.concatenate([gradient[self.entries], dense])

    def errors_along(self, each: Flat) -> np.ndarray:
        """What independent errors of the entries come to along each line."""
        with np.errstate(over="ignore"):
            return np.concatenate([each[self.entries], np.sqrt(np.square(self.dense) @ np.square(each))])

    def max_along(self, each: Flat) -> np.ndarray:
        """The largest value of an entry that each line moves."""
        dense = [np.max(each[direction != 0], initial=0.0) for direction in self.dense]
        return np.concatenate([each[self.entries], dense])


def typical_scale(problem: CheckedFunction) -> Flat:
    """What a step of one is for each parameter: its own size or that of its leaf, whichever is larger; 1 for zeros.

    Its own where that is quite another than the leaf's.

    >>> from model.checking.tracing import prepare
    >>> typical_scale(prepare(np.sum, np.array([3.0, 4.0, 0.0, 1e-9]), ())).tolist()
    [3.0, 4.0, 2.5, 1e-09]
    """
    scales = []
    for leaf in problem.point:
        values = np.ravel(np.nan_to_num(np.abs(np.asarray(leaf, np.float64)), posinf=0.0))
        typical = np.sqrt(np.mean(np.square(values))) if values.size else 0.0
        larger = np.maximum(values, typical) if typical > 0 else np.ones_like(values)
        scales.append(np.where((values > 0) & (values < FAR * typical), values, larger))
    return np.concatenate(scales)


def all_entries(problem: CheckedFunction, rng: np.random.Generator) -> Directions:
    """Every entry, and one random direction through all of them."""
    scale = typical_scale(problem)
    size = len(scale)
    if size <= 1:
        return Directions(np.arange(size), np.zeros((0, size)), (), scale)
    return Directions(np.arange(size), _at_random(scale, rng)[None], ("all at random",), scale)


def sample_directions(
    problem: CheckedFunction, count: int, apart: Flat, rng: np.random.Generator, leaves: int = LEAVES
) -> Directions:
    """`count` entries, a share of every leaf's, and random directions through all of them and through each leaf.

    The entries at which two gradients disagree most are among them. leaves: up to so many have a direction.
    """
    scale = typical_scale(problem)
    sizes = np.array(problem.sizes)
    starts = np.cumsum([0, *sizes])[:-1]
    shares = np.zeros(len(sizes), int)
    shares[rng.permutation(np.flatnonzero(sizes))[:count]] = 1
    shares += np.floor((count - shares.sum()) * sizes / sizes.sum()).astype(int)
    shares = np.minimum(sizes, shares)
    drawn = [
        start + rng.choice(size, share, replace=False)
        for start, size, share in zip(starts, sizes, shares, strict=True)
        if size
    ]
    furthest = np.argsort(-apart, kind="stable")[: max(1, count // 4)]
    entries = np.unique(np.concatenate([*drawn, furthest[apart[furthest] > APART]]))
    dense = {"all at random": _at_random(scale, rng)}
    for leaf in range(min(len(sizes), leaves) if len(sizes) > 1 else 0):
        inside = (np.arange(len(scale)) >= starts[leaf]) & (np.arange(len(scale)) < starts[leaf] + sizes[leaf])
        if inside.any():
            dense[f"{problem.names[problem.floating[leaf]]} at random"] = np.where(inside, _at_random(scale, rng), 0.0)
    return Directions(entries, np.stack(list(dense.values())), tuple(dense), scale)


def steepest_directions(problem: CheckedFunction, gradients: dict[str, Flat]) -> Directions:
    """No entry, and a direction along each of the gradients, by its name, in which the function changes most."""
    scale = typical_scale(problem)
    dense = {}
    for name, gradient in gradients.items():
        with np.errstate(over="ignore"):
            change = np.nan_to_num(gradient, posinf=0.0, neginf=0.0) * scale
        steepest = np.max(np.abs(change), initial=0.0)
        if 0 < steepest < np.inf:
            dense[f"along {name}"] = scale * (change / steepest)
    return Directions(
        np.zeros(0, int), np.array(list(dense.values())).reshape(len(dense), len(scale)), tuple(dense), scale
    )


def _at_random(scale: Flat, rng: np.random.Generator) -> Flat:
    return np.asarray(scale * rng.choice([-1.0, 1.0], len(scale)) * rng.uniform(0.6, 1.4, len(scale)))
