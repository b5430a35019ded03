"""Values and derivatives of a function that JAX cannot trace: it is called at one point after the other."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from model.checking.checked_function import CheckedFunction
from model.checking.directions import Directions
from model.checking.errors import summarize_error
from model.checking.gradient_programs import NearbyGradients, NearbyPoints
from model.checking.line_programs import LineEvaluation
from model.checking.program_cache import ProgramCache
from model.checking.rounding import unit_roundoff
from model.pytrees import Flat, flatten


def call_along_lines(
    function: CheckedFunction,
    cache: ProgramCache,
    directions: Directions,
    offsets: Float[np.ndarray, "lines points"],
) -> LineEvaluation:
    """The function at point + offset · vector, for each direction and offset.

    Args:
        function: that JAX cannot trace.
        cache: which says whether there is forward mode; a reason is added if it fails.
        directions: as many as lines.
        offsets: [lines, points].

    Returns:
        The values, NaN outside of the function's domain, and the slopes by forward mode or None.
    """
    pairs = zip(directions, offsets, strict=True)
    rows = [[_call(function, function.flat + offset * vector) for offset in row] for vector, row in pairs]
    values = np.array(rows, np.float64).reshape(offsets.shape)
    return LineEvaluation(values, _forward_slopes(function, cache, directions))


def _call(function: CheckedFunction, flat: Flat) -> float:
    """One value; NaN outside of the function's domain, where Python's arithmetic raises."""
    try:
        with np.errstate(all="ignore"):
            return float(function.scalar(function.to_arguments(flat), []))
    except (ArithmeticError, ValueError):
        return np.nan


def _forward_slopes(function: CheckedFunction, cache: ProgramCache, directions: Directions) -> np.ndarray | None:
    if not cache.has_forward_mode:
        return None
    point = _as_jax(function, function.flat)
    try:
        tangents = [[jnp.asarray(part) for part in function.unflatten(vector)] for vector in directions]
        slopes = [jax.jvp(lambda point: function.scalar(point, []), (point,), (t,))[1] for t in tangents]
        return np.array([float(slope) for slope in slopes])
    except Exception as error:  # a user's function may raise anything
        cache.has_forward_mode = False
        cache.missing["jvp"] = summarize_error(error)
        return None


def call_gradients(function: CheckedFunction, nearby: NearbyPoints) -> NearbyGradients:
    """The gradients at nearby points, by reverse mode.

    Args:
        function: that JAX cannot trace but perhaps differentiate.
        nearby: the points.

    Returns:
        The gradients. Whatever reverse mode raises is raised.
    """
    points = [_as_jax(function, function.flat + offset * nearby.vector) for offset in nearby.offsets]
    gradients = [flatten(jax.grad(lambda point: function.scalar(point, []))(point)) for point in points]
    return NearbyGradients(np.stack(gradients), tuple(unit_roundoff(leaf.dtype) for leaf in function.point))


def call_outputs(function: CheckedFunction, nearby: NearbyPoints) -> np.ndarray:
    """Every number of the function's result along a line.

    Args:
        function: that JAX cannot trace.
        nearby: the points of the line.

    Returns:
        [points, results].
    """
    points = (function.flat + offset * nearby.vector for offset in nearby.offsets)
    return np.stack([flatten(function.output(function.to_arguments(point), [])) for point in points])


def call_roundoff(function: CheckedFunction) -> float:
    """The coarsest unit roundoff of the function's results, as their dtypes tell it.

    Args:
        function: that JAX cannot trace.

    Returns:
        The roundoff.
    """
    with np.errstate(all="ignore"):
        leaves = function.output(function.to_arguments(function.flat), [])
    return max(unit_roundoff(np.asarray(leaf).dtype) for leaf in leaves)


def _as_jax(function: CheckedFunction, flat: Flat) -> list[Any]:
    return [jnp.asarray(leaf) for leaf in function.to_arguments(flat)]
