"""What is wrong with a gradient, in words. A mistake is named only if all numbers fit it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from model.checking.factor_patterns import find_factor
from model.checking.leaf_comparison import MAX_NAMED_ENTRIES, LeafComparison, join_all
from model.checking.rearranged_patterns import find_rearrangement, find_swap

# The verbs of the sentences about a method, and their plurals.
PLURALS = {"is": "are", "has": "have", "lacks": "lack"}


@dataclass(frozen=True)
class Diagnosis:
    """One thing that is wrong.

    Attributes:
        kind: sign, factor, transposed, permuted, swapped, zero, row, activation, not finite, or off if it has no name.
        method: whose gradient is wrong: grad, jvp, or the gradient by hand.
        where: the names of the leaves or entries that are wrong.
        sentence: all of this in words.
    """

    kind: str
    method: str
    where: str
    sentence: str

    def of_second_order(self) -> Diagnosis:
        """The same of second derivatives."""
        return replace(self, sentence=f"second derivatives: {self.sentence}")

    def as_dict(self) -> dict[str, str]:
        """The attributes by their names."""
        return asdict(self)

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class KnownGradient:
    """The gradient that a known mistake produces.

    Attributes:
        kind: of the mistake, as in a Diagnosis.
        sentence: what is wrong with the gradient; the name of its method comes before it.
        leaves: one array for each floating-point leaf of params.
    """

    kind: str
    sentence: str
    leaves: list[np.ndarray]


def diagnose_method(
    method: str,
    leaves: Sequence[LeafComparison],
    data_counts: dict[str, int],
    known_gradients: Callable[[], Iterator[KnownGradient]],
) -> list[Diagnosis]:
    """What is wrong with one method's gradient.

    If one pattern explains all wrong leaves, it is the only diagnosis. If there is none, each wrong leaf gets its own.

    Args:
        method: the name of the method in sentences.
        leaves: all leaves of the gradient.
        data_counts: numbers by which a gradient may be too large or too small, by what they count.
        known_gradients: yields gradients to compare this one with; called only if no simpler pattern fits.

    Returns:
        The diagnoses; none if all leaves are right.

    Example:
        >>> leaf = LeafComparison("w", np.array([1.0, -2.0]), np.array([-1.0, 2.0]), np.full(2, 1e-9))
        >>> print(*diagnose_method("grad", [leaf], {}, lambda: iter(())))
        grad has the wrong sign, in w.
    """
    with np.errstate(all="ignore"):
        not_finite = [_not_finite(method, leaf) for leaf in leaves if leaf.is_not_finite.any()]
        if not_finite:
            return not_finite
        wrong = [leaf for leaf in leaves if not leaf.is_right.all()]
        if not wrong:
            return []
        whole = _common_pattern(method, leaves, wrong, data_counts, known_gradients)
        return [whole] if whole else _merge_leaves([_diagnose_leaf(method, leaf, data_counts) for leaf in wrong])


def _not_finite(method: str, leaf: LeafComparison) -> Diagnosis:
    positions = np.flatnonzero(leaf.is_not_finite)
    where = leaf.entry_names(positions)
    return Diagnosis("not finite", method, where, f"{method} is {leaf.judged.ravel()[positions[0]]} at {where}.")


def _common_pattern(
    method: str,
    leaves: Sequence[LeafComparison],
    wrong: Sequence[LeafComparison],
    data_counts: dict[str, int],
    known_gradients: Callable[[], Iterator[KnownGradient]],
) -> Diagnosis | None:
    """A pattern that explains all wrong leaves."""
    where = join_all([leaf.name for leaf in wrong])
    factor = find_factor(wrong, data_counts)
    if factor:
        return Diagnosis(factor.kind, method, where, f"{method} {factor.sentence}, in {where}{factor.ending}")
    for known in known_gradients():
        pairs = list(zip(leaves, known.leaves, strict=True))
        if all(leaf.equals(other) for leaf, other in pairs if leaf.is_known.any()):
            return Diagnosis(known.kind, method, where, f"{method} {known.sentence}, in {where}.")
    swap = find_swap(wrong)
    if swap:
        where = join_all(swap)
        return Diagnosis("swapped", method, where, f"{method} has {where} swapped.")
    return None


def _diagnose_leaf(method: str, leaf: LeafComparison, data_counts: dict[str, int]) -> Diagnosis:
    """What is wrong with one leaf: a factor, a rearrangement, a factor in some entries, or else the worst entries."""
    factor = find_factor([leaf], data_counts)
    if factor:
        return Diagnosis(factor.kind, method, leaf.name, f"{method} {factor.sentence}, in {leaf.name}{factor.ending}")
    rearrangement = find_rearrangement(leaf)
    if rearrangement:
        kind, sentence = rearrangement
        return Diagnosis(kind, method, leaf.name, f"{method} {sentence}, in {leaf.name}.")
    return _wrong_part(method, leaf, data_counts) or _worst_entries(method, leaf)


def _wrong_part(method: str, leaf: LeafComparison, data_counts: dict[str, int]) -> Diagnosis | None:
    """A factor in some of a leaf's entries, if the others are right."""
    is_wrong = ~leaf.is_right
    if is_wrong.all():
        return None
    where = leaf.entry_names(np.flatnonzero(is_wrong))
    part = LeafComparison(where, leaf.judged[is_wrong], leaf.truth[is_wrong], leaf.allowed[is_wrong])
    factor = find_factor([part], data_counts)
    if factor is None:
        return None
    return Diagnosis(factor.kind, method, where, f"{method} {factor.sentence}, in {where}{factor.ending}")


def _worst_entries(method: str, leaf: LeafComparison) -> Diagnosis:
    """The entries that are off, the worst first, with their numbers."""
    judged, truth = leaf.judged.ravel(), leaf.truth.ravel()
    relative = np.abs(judged - truth) / np.maximum(np.abs(judged), np.abs(truth))
    is_right = leaf.is_right.ravel()
    order = np.argsort(-np.where(is_right, -1.0, relative))[: int((~is_right).sum())]
    listed = [
        f"{judged[position]:.6g} instead of {truth[position]:.6g} at {leaf.entry_names([int(position)])}"
        for position in order[:MAX_NAMED_ENTRIES]
    ]
    rest = f", and {len(order) - MAX_NAMED_ENTRIES:,} more" if len(order) > MAX_NAMED_ENTRIES else ""
    return Diagnosis("off", method, leaf.name, f"{method} is off: {', '.join(listed)}{rest}.")


def _merge_leaves(diagnoses: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Join diagnoses that differ only in their leaf."""
    merged: dict[str, Diagnosis] = {}
    for diagnosis in diagnoses:
        key = diagnosis.sentence
        if diagnosis.kind != "off":
            key = diagnosis.sentence.replace(diagnosis.where, "…")
        if key in merged:
            where = join_all([merged[key].where, diagnosis.where])
            diagnosis = Diagnosis(diagnosis.kind, diagnosis.method, where, key.replace("…", where))
        merged[key] = diagnosis
    return list(merged.values())


def merge_methods(diagnoses: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Join diagnoses that differ only in their method.

    Args:
        diagnoses: the diagnoses of all methods.

    Returns:
        The diagnoses, in the order of their first occurrence.

    Example:
        >>> print(
        ...     *merge_methods([Diagnosis("zero", method, "w", f"{method} is 0, in w.") for method in ("grad", "jvp")])
        ... )
        grad and jvp are 0, in w.
    """
    groups: dict[tuple[str, str, str], list[Diagnosis]] = {}
    for each in diagnoses:
        groups.setdefault((each.kind, each.where, each.sentence.removeprefix(each.method)), []).append(each)
    merged = []
    for (kind, where, rest), alike in groups.items():
        if len(alike) == 1:
            merged += alike
            continue
        methods = join_all([each.method for each in alike])
        verb, _, ending = rest.strip().partition(" ")
        merged.append(Diagnosis(kind, methods, where, f"{methods} {PLURALS.get(verb, verb)} {ending}"))
    return merged
