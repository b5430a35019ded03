"""Gradients that are a multiple of the truth: the wrong sign, a factor that has a name, or zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from model.checking.leaf_comparison import LIKENESS, LeafComparison

# Factors other than -1, 0, 1/2 and 2 are reported only if they are known to better than this, relative to their size.
SHARP_FACTOR = 1e-2
# A smaller factor cannot be distinguished from zero.
SMALLEST_FACTOR = 1e-12


class Factor(NamedTuple):
    """A factor in words.

    Attributes:
        kind: sign, factor or zero, as in a Diagnosis.
        sentence: what is wrong; the name of the method comes before it, the names of the leaves after it.
        ending: what comes after the names of the leaves.
    """

    kind: str
    sentence: str
    ending: str = "."


def find_factor(leaves: Sequence[LeafComparison], data_counts: dict[str, int]) -> Factor | None:
    """The factor by which all these leaves differ from the truth.

    Args:
        leaves: that are wrong.
        data_counts: numbers by which a gradient may be too large or too small, by what they count.

    Returns:
        The factor; None if there is none, or if it is not known well enough.

    Example:
        >>> leaf = LeafComparison("w", np.array([2.0, 4.0]), np.array([1.0, 2.0]), np.full(2, 1e-9))
        >>> find_factor([leaf], {}).sentence
        "is 2 times what it should be (twice, as by a square's derivative or a term counted twice)"
    """
    judged, truth, allowed, is_known, is_clear = (
        np.concatenate([np.ravel(getattr(leaf, name)) for leaf in leaves])
        for name in ("judged", "truth", "allowed", "is_known", "is_clear")
    )
    if not is_clear.any():
        return None
    if (judged[is_known] == 0).all():
        ending = ": a stop_gradient, a rounding, or a forgotten term?"
        return Factor("zero", "is 0 though fun depends on it", ending)
    clearest = np.argmax(np.where(is_clear, np.abs(truth) / allowed, 0.0))
    factor = float(judged[clearest] / truth[clearest])
    blur = float(allowed[clearest] / abs(truth[clearest])) + LIKENESS
    bound = allowed * max(1.0, abs(factor)) + LIKENESS * np.abs(factor * truth)
    if (np.abs(judged - factor * truth) > bound)[is_known].any() or abs(factor) < SMALLEST_FACTOR:
        return None
    is_certain = bool(is_clear.sum() >= 2 and blur <= SHARP_FACTOR)
    return _describe(factor, blur, data_counts if blur < SHARP_FACTOR else {}, is_certain)


def _describe(factor: float, blur: float, data_counts: dict[str, int], is_certain: bool) -> Factor | None:
    """A factor in words. One that is not certain is only believed if it has a name."""
    names = _names_of(abs(factor), data_counts, blur)
    if not (names or is_certain or _is_near(abs(factor), 1, blur)):
        return None
    if abs(factor + 1) <= blur:
        return Factor("sign", "has the wrong sign")
    sign = " and has the wrong sign" if factor < 0 else ""
    named = f" ({names})" if names else ""
    return Factor("factor", f"is {_digits(abs(factor))} times what it should be{named}{sign}")


def _digits(factor: float) -> str:
    """Six digits of a factor, or as many as it takes to differ from 1."""
    return next((text for digits in range(6, 17) if (text := f"{factor:.{digits}g}") != "1"), "1")


def _names_of(factor: float, data_counts: dict[str, int], blur: float) -> str:
    """What a factor is: 2, 1/2, one of the counts or its inverse; empty if it is none of them."""
    names = [
        f"{name}: summed where it should be averaged?"
        for name, count in data_counts.items()
        if _is_near(factor, count, blur)
    ]
    names += [
        f"1 / {name}: averaged where it should be summed?"
        for name, count in data_counts.items()
        if _is_near(factor, 1 / count, blur)
    ]
    if _is_near(factor, 2, blur):
        names.append("twice, as by a square's derivative or a term counted twice")
    if _is_near(factor, 0.5, blur):
        names.append("half, as by ½ in a square or a mean over two")
    return " or ".join(names)


def _is_near(value: float, expected: float | int, blur: float) -> bool:
    return bool(abs(value / expected - 1) <= blur)
