"""Gradients, and the single results, of a function that JAX traces."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from model.checking.checked_function import CheckedFunction
from model.checking.compilation import compile_program
from model.checking.errors import NotCheckableError
from model.checking.line_programs import moved_point
from model.checking.program_cache import ProgramCache, fits_at_once, is_quick
from model.checking.rounding import inspect_program
from model.checking.user_gradient import RoundedGradient, UserGradient, called_gradient, traced_gradient
from model.pytrees import Flat, Leaves, flatten


class NearbyPoints(NamedTuple):
    """Points close to the point, at which the rounding of a gradient shows.

    Attributes:
        vector: [size], the direction in which they lie.
        offsets: [points], how far along it.
    """

    vector: Flat
    offsets: Float[np.ndarray, " points"]


class NearbyGradients(NamedTuple):
    """Gradients at nearby points, by reverse mode.

    Attributes:
        gradients: [points, size].
        roundoff: the unit roundoff with which each leaf's gradient is computed.
    """

    gradients: Float[np.ndarray, "points size"]
    roundoff: tuple[float, ...]


def reverse_gradients(function: CheckedFunction, cache: ProgramCache, nearby: NearbyPoints) -> NearbyGradients:
    """The gradients at nearby points.

    Args:
        function: that JAX traces.
        cache: of its programs.
        nearby: the points.

    Returns:
        The gradients. Whatever reverse mode raises is raised.
    """
    vector = function.unflatten(nearby.vector)
    point, arrays, vector = jax.device_put((function.point, function.argument_arrays, vector))
    offsets = nearby.offsets

    def gradient(point: Leaves, arrays: Leaves, vector: Leaves, offset: jax.Array) -> Any:
        return jax.grad(function.program)(moved_point(point, vector, offset), arrays)

    if cache.can_map and fits_at_once(function, len(offsets)):
        at_once = jax.vmap(gradient, in_axes=(None, None, None, 0))
        quick = is_quick(function, len(offsets))
        try:
            program = cache.compiled(("gradients", len(offsets)), at_once, point, arrays, vector, offsets, quick=quick)
            leaves = program.run(point, arrays, vector, offsets)
            return stack_gradients(leaves, inspect_program(program.traced.jaxpr).output_roundoff)
        except jax.errors.JaxRuntimeError:
            raise
        except Exception:  # a user's function may not be mapped over points; then each point shows what it raises
            cache.can_map = False
    program = cache.compiled("gradient", gradient, point, arrays, vector, offsets[0], quick=False)
    found = [program.run(point, arrays, vector, offset) for offset in offsets]
    leaves = [np.stack(parts) for parts in zip(*found, strict=True)]
    return stack_gradients(leaves, inspect_program(program.traced.jaxpr).output_roundoff)


def stack_gradients(leaves: Any, roundoff: tuple[float, ...]) -> NearbyGradients:
    """The gradients whose leaves are [points, *shape]."""
    rows = [np.asarray(leaf, np.float64).reshape(len(leaf), -1) for leaf in leaves]
    return NearbyGradients(np.concatenate(rows, axis=1), roundoff)


def evaluate_user_gradient(function: CheckedFunction, user_gradient: UserGradient) -> RoundedGradient:
    """A gradient that somebody wrote, traced by JAX if that is possible and called if not.

    Args:
        function: that JAX traces, whose gradient it is.
        user_gradient: called with the arguments of fun.

    Returns:
        The gradient at the point.

    Raises:
        NotCheckableError: if it raises, or if it returns another tree than params.
    """
    try:
        traced = partial(traced_gradient, function, user_gradient)
        inputs = (function.point, function.argument_arrays)
        program = compile_program(traced, *inputs, quick=is_quick(function, 1))
        gradient = flatten(program.run(*inputs))
        return RoundedGradient(gradient, inspect_program(program.traced.jaxpr).output_roundoff)
    except NotCheckableError:
        raise
    except Exception as error:  # a user's function may raise anything
        return called_gradient(function, user_gradient, error)


def evaluate_outputs(
    function: CheckedFunction, cache: ProgramCache, nearby: NearbyPoints
) -> tuple[np.ndarray, np.ndarray | None]:
    """Every number of the function's result along a line, and its slope by forward mode.

    Args:
        function: that JAX traces.
        cache: which says whether there is forward mode.
        nearby: the points of the line.

    Returns:
        [points, results] values, and [results] slopes or None.
    """

    def results(offset: Any) -> Any:
        point = moved_point(function.point, function.unflatten(nearby.vector), offset)
        return jnp.concatenate([jnp.ravel(leaf) for leaf in function.output(point, function.argument_arrays)])

    values = jax.jit(lambda offsets: jax.lax.map(results, offsets))(nearby.offsets)
    slopes = None
    if cache.has_forward_mode:
        slopes = np.asarray(jax.jit(lambda: jax.jvp(results, (0.0,), (1.0,))[1])(), np.float64)
    return np.asarray(values, np.float64), slopes
