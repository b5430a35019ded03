"""Leaves that must move but have a gradient of zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from model.checking.analytic import AnalyticGradients
from model.checking.comparison import Comparison
from model.checking.error_patterns import Diagnosis
from model.checking.errors import NotCheckableError
from model.checking.evaluator import Evaluator
from model.checking.findings import Derivative
from model.checking.options import CheckOptions, is_named
from model.checking.verdicts import Verdict

# A gradient is zero if it is below this share of the largest.
ZERO_SHARE = 1e-12


class StillLeaves(NamedTuple):
    """What was found.

    Attributes:
        rows: one for each leaf that does not move.
        diagnoses: the same in words.
    """

    rows: tuple[Derivative, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()


def find_still_leaves(
    evaluator: Evaluator, gradients: AnalyticGradients, comparison: Comparison, options: CheckOptions
) -> StillLeaves:
    """Find the leaves of `must_move` whose gradient is zero.

    Args:
        evaluator: of the function.
        gradients: by the exact methods.
        comparison: with forward mode's derivatives by the entries that were tried.
        options: with the names of the leaves.

    Returns:
        What was found.

    Raises:
        NotCheckableError: if a name fits no leaf.
    """
    function = evaluator.function
    names = [function.leaf_names[index] for index in function.floating]
    for name in options.must_move:
        if not any(is_named(leaf, [name]) for leaf in names):
            raise NotCheckableError(f"must_move must name leaves of params, but {name} is none; they are {names}")
    found = [
        (leaf, method)
        for leaf, method in _zero_leaves(names, function.sizes, gradients, comparison)
        if is_named(leaf, options.must_move)
    ]
    rows = [
        Derivative(f"{leaf} must move", 0.0, 0.0, None, None, 0.0, Verdict.WRONG, (method,), 1.0, options.order)
        for leaf, method in found
    ]
    diagnoses = [
        Diagnosis("still", method, leaf, f"{method} is 0 in all of {leaf}, which must move.") for leaf, method in found
    ]
    return StillLeaves(tuple(rows), tuple(diagnoses))


def _zero_leaves(
    names: list[str], sizes: list[int], gradients: AnalyticGradients, comparison: Comparison
) -> Iterator[tuple[str, str]]:
    """Yield the leaves without a derivative that is not zero, each with the method that says so."""
    entries = comparison.directions.entries
    method = next(iter(gradients.by_method), "jvp")
    vector = gradients.by_method.get(method)
    if vector is None:
        vector = np.full(sum(sizes), np.nan)
        vector[entries] = comparison.derivatives[method][: len(entries)]
    smallest = ZERO_SHARE * np.max(np.nan_to_num(np.abs(vector), posinf=0.0), initial=0.0)
    for name, part in zip(names, np.split(vector, np.cumsum(sizes)[:-1]), strict=True):
        known = part[~np.isnan(part)]
        if known.size and (np.abs(known) <= smallest).all():
            yield name, method
