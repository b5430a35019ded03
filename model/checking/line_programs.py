"""Values along lines, and forward-mode slopes at the point, of a function that JAX traces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from model.checking.checked_function import CheckedFunction
from model.checking.directions import Directions
from model.checking.program_cache import ProgramCache, fits_at_once, is_quick
from model.pytrees import Leaves


class LineEvaluation(NamedTuple):
    """What was evaluated along lines.

    Attributes:
        values: [lines, points].
        slopes: [lines], the derivatives at the point by forward mode; None if there is no forward mode.
    """

    values: np.ndarray
    slopes: np.ndarray | None


def evaluate_lines(
    function: CheckedFunction, cache: ProgramCache, directions: Directions, offsets: Float[np.ndarray, "lines points"]
) -> LineEvaluation:
    """The function at point + offset · vector, for each direction and offset.

    Args:
        function: that JAX traces.
        cache: of its programs.
        directions: as many as lines.
        offsets: [lines, points].

    Returns:
        The values and the slopes, in float64.
    """
    lines, points = offsets.shape
    cache.lines_per_batch = cache.lines_per_batch or _lines_per_batch(function, cache, lines, points)
    batch, quick = cache.lines_per_batch, is_quick(function, offsets.size)
    values, slopes = [], []
    for start in range(0, lines, batch):
        indices = np.minimum(np.arange(start, start + batch), lines - 1)
        vectors = directions.vectors(indices)
        batch_values, batch_slopes = _evaluate_batch(function, cache, vectors, offsets[indices], quick)
        values.append(np.asarray(batch_values, np.float64).reshape(batch, points)[: lines - start])
        slopes.append(np.asarray(batch_slopes, np.float64)[: lines - start])
    return LineEvaluation(np.concatenate(values), np.concatenate(slopes) if cache.has_forward_mode else None)


def _lines_per_batch(function: CheckedFunction, cache: ProgramCache, lines: int, points: int) -> int:
    """How many lines to evaluate at once, so that all batches except the last are full."""
    fits = (
        count
        for count in range(lines, 0, -1)
        if count == 1 or (cache.can_map and fits_at_once(function, count * points))
    )
    return -(-lines // -(-lines // next(fits)))


def _evaluate_batch(
    function: CheckedFunction, cache: ProgramCache, vectors: np.ndarray, offsets: np.ndarray, quick: bool
) -> tuple[Any, Any]:
    leaves = function.unflatten(vectors)
    if not (cache.can_map and fits_at_once(function, offsets.size)):
        return _one_by_one(function, cache, leaves, offsets, quick)
    inputs = (function.point, function.argument_arrays, function.points_along(vectors, offsets), leaves)
    program = partial(values_and_slopes, function, cache)
    try:
        found: tuple[jax.Array, jax.Array] = cache.run(("lines", offsets.shape), program, *inputs, quick=quick)
    except jax.errors.JaxRuntimeError:
        raise
    except Exception:  # a user's function may not be mapped over points; then each point shows what it raises
        cache.can_map = False
        cache.forget_forward_mode()
        return _one_by_one(function, cache, leaves, offsets, quick)
    return found


def _one_by_one(
    function: CheckedFunction, cache: ProgramCache, vectors: Leaves, offsets: np.ndarray, quick: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate each point by itself, so that the matrix products of a large function have all processors."""
    point, arrays = jax.device_put((function.point, function.argument_arrays))
    values, slopes = np.zeros(offsets.shape), np.zeros(len(offsets))

    def value(point: Leaves, arrays: Leaves, vector: Leaves, offset: jax.Array) -> jax.Array:
        return function.program(moved_point(point, vector, offset), arrays)

    slope = partial(slope_or_zero, function, cache)
    for line, row in enumerate(offsets):
        vector = jax.device_put([leaf[line] for leaf in vectors])
        for column, offset in enumerate(row):
            values[line, column] = cache.run("value", value, point, arrays, vector, offset, quick=quick)
        slopes[line] = cache.run("slope", slope, point, arrays, vector, quick=quick)
    return values, slopes


def values_and_slopes(
    function: CheckedFunction, cache: ProgramCache, point: Leaves, arrays: Leaves, points: Leaves, vectors: Leaves
) -> tuple[jax.Array, jax.Array]:
    """The values at many points, and the slope along each vector; a program to be compiled.

    Args:
        function: that JAX traces.
        cache: which says whether there is forward mode.
        point: the floating-point leaves of params.
        arrays: the arrays in args.
        points: leaves [points, *shape].
        vectors: leaves [lines, *shape].

    Returns:
        [points] values and [lines] slopes, which are zeros without forward mode.
    """
    values = jax.vmap(lambda point: function.program(point, arrays))(points)
    return values, slopes_or_zeros(function, cache, point, arrays, vectors)


def slopes_or_zeros(
    function: CheckedFunction, cache: ProgramCache, point: Leaves, arrays: Leaves, vectors: Leaves
) -> jax.Array:
    """The forward-mode derivative along each vector, [lines]; zeros without forward mode."""
    if not cache.has_forward_mode:
        return jnp.zeros(len(vectors[0]))
    slopes: jax.Array = jax.vmap(lambda vector: slope_or_zero(function, cache, point, arrays, vector))(vectors)
    return slopes


def slope_or_zero(
    function: CheckedFunction, cache: ProgramCache, point: Leaves, arrays: Leaves, vector: Leaves
) -> jax.Array:
    """The forward-mode derivative along a vector; 0 without forward mode."""
    if not cache.has_forward_mode:
        return jnp.zeros(())
    tangents = [part.astype(leaf.dtype) for leaf, part in zip(point, vector, strict=True)]
    slope: jax.Array = jax.jvp(lambda point: function.program(point, arrays), (point,), (tangents,))[1]
    return slope


def moved_point(point: Sequence[Any], vector: Sequence[Any], offset: Any) -> list[Any]:
    """The leaves of point + offset · vector."""
    return [leaf + (offset * part).astype(leaf.dtype) for leaf, part in zip(point, vector, strict=True)]
