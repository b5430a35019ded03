"""What is wrong with a gradient, said only where the numbers bear it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations

import numpy as np

from model.pytrees import Flat

# Where the truth is known no better than the first, relative to itself, nothing is read from it; where no better than
# the second, no factor but -1, 0, 1/2 and 2.
CLEAR = 0.25
SHARP = 1e-2
# A mistake is named where all numbers agree with it to this, beyond their errors.
LIKE = 1e-5
# Entries that are listed where nothing better can be said.
LISTED = 3


@dataclass(frozen=True)
class Diagnosis:
    """One thing that is wrong.

    kind: sign, factor, transposed, permuted, swapped, zero, row, activation, not finite, or off where it has no name.
    way: the gradient that is wrong, grad, jvp or by_hand. where: the leaves or entries. sentence: all of it in words.
    """

    kind: str
    method: str
    where: str
    sentence: str

    def as_dict(self) -> dict[str, str]:
        """The fields by their names."""
        return asdict(self)

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class LeafComparison:
    """One leaf's numbers, as written and as they truly are, each of its shape; NaN where they are not known.

    slack: how far the two may be apart and agree. asked: whether a number was asked for, where it is NaN.
    """

    name: str
    written: np.ndarray
    truth: np.ndarray
    slack: np.ndarray
    asked: bool | np.ndarray = True

    @property
    def broken(self) -> np.ndarray:
        """Where the written number was asked for, and is NaN or infinite."""
        return np.asarray(~np.isfinite(self.written) & self.asked)

    @property
    def known(self) -> np.ndarray:
        """Where both are."""
        return np.asarray(np.isfinite(self.written) & np.isfinite(self.truth))

    @property
    def clear(self) -> np.ndarray:
        """Where the truth is known well enough to tell a factor from it."""
        return np.asarray(self.known & (np.abs(self.truth) > self.slack / CLEAR))

    @property
    def right(self) -> np.ndarray:
        """Where the written one agrees with the truth, or nothing is known."""
        return np.asarray(~(np.abs(self.written - self.truth) > self.slack))

    def fits(self, other: np.ndarray, factor: float = 1.0) -> bool:
        """Whether the written numbers are these, as far as they are known, and not all too small to be seen."""
        seen = np.isfinite(self.written) & np.isfinite(other)
        slack = self.slack * max(1.0, abs(factor)) + LIKE * np.abs(other)
        return bool(seen.any() and (np.abs(self.written - other) <= slack)[seen].all())


@dataclass(frozen=True)
class KnownGradient:
    """A whole gradient that a known mistake leads to, one array for each leaf."""

    kind: str
    sentence: str
    leaves: list[np.ndarray]


def diagnose(
    way: str,
    leaves: Sequence[LeafComparison],
    counts: dict[str, int],
    candidates: Callable[[], Iterator[KnownGradient]],
) -> list[Diagnosis]:
    """What is wrong with one way's gradient, from the simplest that explains all of it to a list of what is off.

    way: its name in sentences. counts: numbers by which a gradient may be too large or too small, by what they are.
    candidates: gradients to compare it with; made only when nothing simpler explains it.

    >>> leaf = LeafComparison("w", np.array([1.0, -2.0]), np.array([-1.0, 2.0]), np.full(2, 1e-9))
    >>> print(*diagnose("grad", [leaf], {}, lambda: iter(())))
    grad has the wrong sign, in w.
    """
    with np.errstate(all="ignore"):
        broken = [_not_finite(way, leaf) for leaf in leaves if leaf.broken.any()]
        if broken:
            return broken
        wrong = [leaf for leaf in leaves if not leaf.right.all()]
        if not wrong:
            return []
        whole = _proportional(way, wrong, counts)
        if whole is not None:
            return [whole]
        for candidate in candidates():
            pairs = list(zip(leaves, candidate.leaves, strict=True))
            if all(leaf.fits(other) for leaf, other in pairs if leaf.known.any()):
                where = _listed([leaf.name for leaf in wrong])
                return [Diagnosis(candidate.kind, way, where, f"{way} {candidate.sentence}, in {where}.")]
        swapped = _swapped(way, wrong)
        if swapped:
            return [swapped]
        return _merged([found for leaf in wrong for found in _of_leaf(way, leaf, counts)])


def _not_finite(way: str, leaf: LeafComparison) -> Diagnosis:
    places = np.flatnonzero(leaf.broken)
    where = _entries(leaf, places)
    value = leaf.written.ravel()[places[0]]
    return Diagnosis("not finite", way, where, f"{way} is {value} at {where}.")


def _proportional(way: str, leaves: Sequence[LeafComparison], counts: dict[str, int]) -> Diagnosis | None:
    """A factor that these leaves have in common, -1 and 0 among them."""
    where = _listed([leaf.name for leaf in leaves])
    written, truth, slack, known, clear = (
        np.concatenate([np.ravel(getattr(leaf, name)) for leaf in leaves])
        for name in ("written", "truth", "slack", "known", "clear")
    )
    if not clear.any():
        return None
    if (written[known] == 0).all():
        sentence = f"{way} is 0 though fun depends on it, in {where}: a stop_gradient, a rounding, or a term forgotten?"
        return Diagnosis("zero", way, where, sentence)
    biggest = np.argmax(np.where(clear, np.abs(truth) / slack, 0.0))
    factor = float(written[biggest] / truth[biggest])
    off = np.abs(written - factor * truth) > slack * max(1.0, abs(factor)) + LIKE * np.abs(factor * truth)
    blur = float(slack[biggest] / abs(truth[biggest])) + LIKE
    if off[known].any() or abs(factor) < 1e-12:
        return None
    name = _named(factor, counts if blur < SHARP else {}, blur)
    if name is None and (clear.sum() < 2 or blur > SHARP):
        return None
    if abs(factor + 1) <= blur:
        return Diagnosis("sign", way, where, f"{way} has the wrong sign, in {where}.")
    sign = " and has the wrong sign" if factor < 0 else ""
    value = f"{abs(factor):.6g} times what it should be"
    return Diagnosis("factor", way, where, f"{way} is {value}{f' ({name})' if name else ''}{sign}, in {where}.")


def _named(factor: float, counts: dict[str, int], blur: float) -> str | None:
    """What a factor is: -1, 2, 1/2, or one of the counts or its inverse."""
    size = abs(factor)
    names = [f"{name}: summed where it should be averaged?" for name, count in counts.items() if _is(size, count, blur)]
    names += [
        f"1 / {name}: averaged where it should be summed?"
        for name, count in counts.items()
        if _is(size, 1 / count, blur)
    ]
    if _is(size, 2, blur):
        names.append("twice, as by a square's derivative or a term counted twice")
    if _is(size, 0.5, blur):
        names.append("half, as by ½ in a square or a mean over two")
    return " or ".join(names) or ("sign" if _is(size, 1, blur) else None)


def _is(value: float, expected: float | int, blur: float) -> bool:
    return bool(abs(value / expected - 1) <= blur)


def _swapped(way: str, leaves: Sequence[LeafComparison]) -> Diagnosis | None:
    """Two leaves of one shape that have each other's gradient."""
    for one in leaves:
        for other in leaves:
            alike = one is not other and one.truth.shape == other.truth.shape and bool((one.clear | other.clear).any())
            if alike and one.fits(other.truth) and other.fits(one.truth):
                where = f"{one.name} and {other.name}"
                return Diagnosis("swapped", way, where, f"{way} has {where} swapped.")
    return None


def _of_leaf(way: str, leaf: LeafComparison, counts: dict[str, int]) -> list[Diagnosis]:
    found = _proportional(way, [leaf], counts) or _rearranged(way, leaf) or _in_part(way, leaf, counts)
    return [found or _off(way, leaf)]


def _rearranged(way: str, leaf: LeafComparison) -> Diagnosis | None:
    """The right numbers in the wrong places."""
    if not leaf.known.all() or leaf.clear.sum() < 2:
        return None
    truth, name = leaf.truth, leaf.name
    for axes in permutations(range(truth.ndim)):
        turned = truth.transpose(axes)
        if turned.shape == truth.shape and leaf.fits(turned):
            return Diagnosis("transposed", way, name, f"{way} is transposed, in {name}.")
    for axis, length in enumerate(truth.shape):
        if leaf.fits(np.flip(truth, axis)):
            return Diagnosis("permuted", way, name, f"{way} is in reverse order along axis {axis}, in {name}.")
        for shift in range(1, min(length, 64)):
            if leaf.fits(np.roll(truth, shift, axis)):
                return Diagnosis("permuted", way, name, f"{way} is shifted by {shift} along axis {axis}, in {name}.")
    order, other = np.argsort(leaf.written, axis=None), np.argsort(truth, axis=None)
    apart = np.abs(leaf.written.ravel()[order] - truth.ravel()[other])
    slack = leaf.slack.ravel()[other] + LIKE * np.abs(truth.ravel()[other])
    moved = int((~leaf.right).sum())
    if moved >= 2 and leaf.clear[~leaf.right].sum() >= 2 and (apart <= slack).all():
        return Diagnosis("permuted", way, name, f"{way} has {moved} of its entries in each other's places, in {name}.")
    return None


def _in_part(way: str, leaf: LeafComparison, counts: dict[str, int]) -> Diagnosis | None:
    """One mistake in some of a leaf's entries, while the others are right."""
    wrong = ~leaf.right
    if wrong.all():
        return None
    part = LeafComparison(
        _entries(leaf, np.flatnonzero(wrong)), leaf.written[wrong], leaf.truth[wrong], leaf.slack[wrong]
    )
    return _proportional(way, [part], counts)


def _off(way: str, leaf: LeafComparison) -> Diagnosis:
    """The entries that are off, the worst first, with their numbers."""
    relative = np.abs(leaf.written - leaf.truth) / np.maximum(np.abs(leaf.written), np.abs(leaf.truth))
    order = np.argsort(-np.where(leaf.right, -1.0, relative), axis=None)[: int((~leaf.right).sum())]
    parts = [
        f"{leaf.written.ravel()[place]:.6g} for {leaf.truth.ravel()[place]:.6g} at {_entries(leaf, np.array([place]))}"
        for place in order[:LISTED]
    ]
    more = f", and {len(order) - LISTED:,} more" if len(order) > LISTED else ""
    return Diagnosis("off", way, leaf.name, f"{way} is off: {', '.join(parts)}{more}.")


def _entries(leaf: LeafComparison, places: np.ndarray) -> str:
    names = []
    for place in places[:LISTED]:
        index = np.unravel_index(place, leaf.truth.shape) if leaf.truth.shape else ()
        names.append(f"{leaf.name}[{','.join(map(str, index))}]" if leaf.truth.shape else leaf.name)
    return _listed(names) if len(places) <= LISTED else f"{', '.join(names)} and {len(places) - LISTED:,} more"


def _merged(found: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Diagnoses that differ only in the leaf become one."""
    merged: dict[str, Diagnosis] = {}
    for diagnosis in found:
        key = diagnosis.sentence.replace(diagnosis.where, "…") if diagnosis.kind != "off" else diagnosis.sentence
        if key in merged:
            where = _listed([merged[key].where, diagnosis.where])
            diagnosis = Diagnosis(diagnosis.kind, diagnosis.method, where, key.replace("…", where))
        merged[key] = diagnosis
    return list(merged.values())


def merge_methods(found: Sequence[Diagnosis]) -> list[Diagnosis]:
    """What is said alike of several ways is said once.

    >>> print(*merge_methods([Diagnosis("zero", way, "w", f"{way} is 0, in w.") for way in ("grad", "jvp")]))
    grad and jvp: 0, in w.
    """
    ways: dict[tuple[str, str, str], list[Diagnosis]] = {}
    for each in found:
        ways.setdefault((each.kind, each.where, each.sentence.removeprefix(each.method)), []).append(each)
    result = []
    for (kind, where, rest), alike in ways.items():
        if len(alike) == 1:
            result += alike
            continue
        way = _listed([each.method for each in alike])
        result.append(Diagnosis(kind, way, where, f"{way}: {rest.removeprefix(' is').strip()}"))
    return result


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def split_leaves(
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    written: Flat,
    truth: Flat,
    slack: Flat,
    asked: np.ndarray,
) -> list[LeafComparison]:
    """The leaves of rows of numbers."""
    bounds = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = zip(names, shapes, *(np.split(row, bounds) for row in (written, truth, slack, asked)), strict=True)
    return [LeafComparison(name, *(row.reshape(shape) for row in rows)) for name, shape, *rows in parts]
