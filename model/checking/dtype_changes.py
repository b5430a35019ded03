"""Whether a function is another one in float64, as one that takes the bits of its numbers apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from model.checking.checked_function import CheckedFunction, trace_outputs
from model.checking.rounding import equations, points_nearby
from model.pytrees import is_floating

# Primitives whose results depend on the dtype beyond rounding.
SENSITIVE_PRIMITIVES = frozenset({"bitcast_convert_type", "random_bits", "threefry2x32", "nextafter", "pure_callback"})
# Two values are the same if they differ by less than this many times what a few roundings of the point change, or by
# this share.
ROUNDING_MARGIN, SAME_VALUE = 64, 1e-3


def changes_in_float64(function: CheckedFunction, returned: Sequence[Any]) -> bool:
    """Whether a function that is evaluated in float64 has other shapes or values than in its own dtypes.

    Its values are compared only if its program has an operation that depends on the dtype beyond rounding.

    Args:
        function: in float64, in any mode.
        returned: the leaves of its result, or their shapes.

    Returns:
        True if it is another function.

    Example:
        >>> from model.checking.tracing import prepare
        >>> import jax.numpy as jnp
        >>> prepare(lambda x: jnp.sum(jax.lax.bitcast_convert_type(x, jnp.int32) * x), jnp.ones(2), ()).in_float64
        False
    """
    own = replace(function, in_float64=False)
    if all(leaf.dtype == np.float64 for leaf in own.point) or not function.is_traced:
        return False
    with function.jax_settings():
        primitives = {equation.primitive.name for equation in equations(trace_outputs(function, returned).jaxpr)}
    if not (SENSITIVE_PRIMITIVES & primitives or any("random" in name for name in primitives)):
        return False
    try:
        values = _values(function, function.point)
        own_values = _values(own, own.point)
        others = [_values(own, point) for point in points_nearby(own.point)]
    except Exception:  # a user's function may raise anything; the check meets it again, and says what it is
        return False
    with np.errstate(invalid="ignore"):
        spreads = [
            np.asarray(np.max(np.abs(np.stack(nearby) - value), axis=0))
            for value, *nearby in zip(own_values, *others, strict=True)
        ]
    return not all(map(_is_same, values, own_values, spreads))


def _is_same(value: np.ndarray, own: np.ndarray, spread: np.ndarray) -> bool:
    """Whether a result is the same in float64 and in the own dtype, whose rounding moves it by the spread."""
    if value.shape != own.shape:
        return False
    allowed = ROUNDING_MARGIN * np.max(spread, initial=0.0) + SAME_VALUE * np.max(np.abs(own), initial=0.0)
    with np.errstate(invalid="ignore"):
        is_near = (np.abs(value - own) <= allowed) | (value == own) | (np.isnan(value) & np.isnan(own))
    return bool(is_near.all())


def _values(function: CheckedFunction, point: list[Any]) -> list[np.ndarray]:
    with function.jax_settings():
        leaves = jax.jit(function.output)(point, function.argument_arrays)
    return [np.asarray(leaf, np.float64) for leaf in leaves if is_floating(leaf)]
