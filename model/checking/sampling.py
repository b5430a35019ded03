"""Which directions are tried: all entries, or a sample of them."""

from __future__ import annotations

import numpy as np

from model.checking.analytic import NEARBY_SPACING, AnalyticGradients, analytic_gradients
from model.checking.directions import (
    MAX_LEAF_DIRECTIONS,
    Directions,
    all_entries,
    sample_directions,
    steepest_directions,
    typical_scale,
)
from model.checking.evaluator import Evaluator
from model.checking.finite_differences import LADDER_LEVELS
from model.checking.gradient_programs import NearbyPoints
from model.checking.ladder import NOISE_SPACING, first_steps, sample_offsets
from model.checking.options import CheckOptions
from model.checking.rounding import FLOAT64_ROUNDOFF
from model.checking.value_noise import NOISE_OFFSETS

# Up to so many entries are tried one by one …
MAX_ENTRIES, MIN_ENTRIES = 4096, 6
# … as long as this computes at most so many values; for a large function, about eighty evaluations.
MAX_VALUES, MAX_VALUES_OF_LARGE = 2**29, 2**28


def choose_directions(
    evaluator: Evaluator, entry_roundoff: np.ndarray, options: CheckOptions
) -> tuple[Directions, AnalyticGradients]:
    """The directions to try, and the gradients; a sample of entries depends on where the gradients disagree.

    Args:
        evaluator: of the function.
        entry_roundoff: [size], the unit roundoff on the way from each parameter to the value.
        options: of the check.

    Returns:
        The directions, and the gradients by the exact methods.
    """
    function, size = evaluator.function, evaluator.function.flat.size
    rng = np.random.default_rng(options.seed)
    nearby = _nearby_points(evaluator, entry_roundoff, rng)
    count = options.budget or _affordable_entries(evaluator)
    if count >= size:
        directions = all_entries(function, rng)
        if function.is_traced:
            largest, roundoff = first_steps(evaluator, directions), directions.max_along(entry_roundoff)
            offsets = sample_offsets(evaluator, directions, largest, roundoff)
            evaluator.precompute(options.by_hand, nearby, directions, offsets)
        return directions, analytic_gradients(evaluator, options.by_hand, nearby, entry_roundoff)
    gradients = analytic_gradients(evaluator, options.by_hand, nearby, entry_roundoff)
    leaf_directions = 0 if evaluator.is_large else MAX_LEAF_DIRECTIONS
    directions = sample_directions(function, count, gradients.disagreement(), rng, leaf_directions)
    if not evaluator.is_large:
        directions = directions.concat(steepest_directions(function, named_gradients(gradients, options)))
    return directions, gradients


def _nearby_points(evaluator: Evaluator, entry_roundoff: np.ndarray, rng: np.random.Generator) -> NearbyPoints:
    """The points at which gradients show their rounding; the point alone for a large function."""
    function = evaluator.function
    vector = typical_scale(function) * rng.choice([-1.0, 1.0], function.flat.size)
    coarsest = float(np.max(entry_roundoff, initial=FLOAT64_ROUNDOFF))
    spacing = NOISE_SPACING * coarsest if coarsest > FLOAT64_ROUNDOFF else NEARBY_SPACING
    return NearbyPoints(vector, np.zeros(1) if evaluator.is_large else spacing * NOISE_OFFSETS)


def _affordable_entries(evaluator: Evaluator) -> int:
    max_values = MAX_VALUES_OF_LARGE if evaluator.is_large else MAX_VALUES
    affordable = max_values // (evaluator.value_count * (2 * LADDER_LEVELS + 1))
    return min(MAX_ENTRIES, max(MIN_ENTRIES, affordable))


def named_gradients(gradients: AnalyticGradients, options: CheckOptions) -> dict[str, np.ndarray]:
    """The gradients by their names in the report.

    Args:
        gradients: by the exact methods.
        options: with the name of the gradient by hand.

    Returns:
        [size] each.
    """
    names = {"by_hand": options.by_hand_name}
    return {names.get(method, method): gradient for method, gradient in gradients.by_method.items()}
