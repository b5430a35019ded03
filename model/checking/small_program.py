"""One program that computes everything about a small function; compiling it takes half the time of three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from model.checking.checked_function import CheckedFunction
from model.checking.compilation import CompiledProgram
from model.checking.directions import Directions
from model.checking.gradient_programs import NearbyGradients, NearbyPoints, stack_gradients
from model.checking.line_programs import LineEvaluation, slopes_or_zeros
from model.checking.program_cache import ProgramCache, is_quick
from model.checking.rounding import inspect_program
from model.checking.user_gradient import RoundedGradient, UserGradient, traced_gradient
from model.pytrees import Leaves, flatten


@dataclass(frozen=True)
class Precomputed:
    """What the program computed.

    Attributes:
        offsets: [lines, points], of the values.
        lines: the values along the lines, and the slopes.
        gradients: at the nearby points.
        user_gradient: that somebody wrote, or None.
    """

    offsets: np.ndarray
    lines: LineEvaluation
    gradients: NearbyGradients
    user_gradient: RoundedGradient | None


def precompute(
    function: CheckedFunction,
    cache: ProgramCache,
    user_gradient: UserGradient | None,
    nearby: NearbyPoints,
    directions: Directions,
    offsets: Float[np.ndarray, "lines points"],
) -> Precomputed | None:
    """Compute values, slopes and gradients of a small function with one program.

    The program stays in the cache, for further values along as many lines.

    Args:
        function: that JAX traces.
        cache: of its programs.
        user_gradient: a gradient that somebody wrote, or None.
        nearby: the points at which gradients are needed.
        directions: along which values and slopes are needed.
        offsets: [lines, points], at which values are needed.

    Returns:
        What was computed; None if the function is not small, or if one program cannot compute it all. Then each part
        is computed by itself, and shows what it raises.
    """
    if not (cache.can_map and is_quick(function, offsets.size)):
        return None
    vectors = directions.vectors(np.arange(len(directions)))
    far = function.points_along(vectors, offsets)
    near = function.points_along(nearby.vector[None], nearby.offsets[None])

    def program(point: Leaves, arrays: Leaves, points: Leaves, vectors: Leaves) -> Any:
        values, grads = jax.vmap(lambda point: jax.value_and_grad(function.program)(point, arrays))(points)
        if function.has_rules:  # whose forward pass may return another value than the function
            values = jax.vmap(lambda point: function.program(point, arrays))(points)
        written = None if user_gradient is None else traced_gradient(function, user_gradient, point, arrays)
        return values, slopes_or_zeros(function, cache, point, arrays, vectors), grads, written

    inputs = (function.point, function.argument_arrays, _joined(far, near), function.unflatten(vectors))
    try:
        compiled = cache.compile(program, *inputs, quick=True)
    except Exception:  # a user's function may raise anything; each part says so by itself
        cache.forget_forward_mode()
        cache.missing.clear()
        return None

    def lines_program(point: Leaves, arrays: Leaves, far: Leaves, vectors: Leaves) -> Any:
        values, slopes, *_ = compiled.run(point, arrays, _joined(far, near), vectors)
        return values[: offsets.size], slopes

    cache.lines_per_batch = len(directions)
    cache.programs["lines", offsets.shape] = CompiledProgram(compiled.traced, lines_program)
    values, slopes, grads, written = map(jax.device_get, compiled.run(*inputs))
    roundoff, leaves = inspect_program(compiled.traced.jaxpr).output_roundoff[2:], len(function.point)
    slopes = np.asarray(slopes, np.float64) if cache.has_forward_mode else None
    values = np.asarray(values[: offsets.size].reshape(offsets.shape), np.float64)
    return Precomputed(
        offsets,
        LineEvaluation(values, slopes),
        stack_gradients([leaf[offsets.size :] for leaf in grads], roundoff[:leaves]),
        None if written is None else RoundedGradient(flatten(written), roundoff[leaves:]),
    )


def _joined(far: Sequence[np.ndarray], near: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.concatenate(both) for both in zip(far, near, strict=True)]
