"""Whether a function is another one in float64, as one that takes the bits of its numbers apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.rounding import equations, unit_roundoff
from model.pytrees import is_floating

# Primitives whose results depend on the dtype beyond rounding.
SENSITIVE_PRIMITIVES = frozenset({"bitcast_convert_type", "random_bits", "threefry2x32", "nextafter", "pure_callback"})
# Two values are the same if they differ by less than this many times what a few roundings of the point change, or by
# this share.
ROUNDING_MARGIN, SAME_VALUE = 64, 1e-3
JITTERS, JITTER_ROUNDINGS = 4, 4


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
        if len(returned) == 1 and np.shape(returned[0]) in ((), (1,)):
            program = function.jaxpr  # which is needed later too
        else:
            program = jax.make_jaxpr(function.output)(function.point, function.argument_arrays)
        primitives = {equation.primitive.name for equation in equations(program.jaxpr)}
    if not (SENSITIVE_PRIMITIVES & primitives or any("random" in name for name in primitives)):
        return False
    try:
        return not _has_same_values(function, own)
    except Exception:  # a user's function may raise anything; here it does in its own dtypes
        return False


def _has_same_values(function: CheckedFunction, own: CheckedFunction) -> bool:
    values, own_values = _values(function, function.point), _values(own, own.point)
    if [value.shape for value in values] != [value.shape for value in own_values]:
        return False
    rng = np.random.default_rng(0)
    spreads = [np.zeros(value.shape) for value in own_values]
    for _ in range(JITTERS):
        moved = [
            (leaf * (1 + JITTER_ROUNDINGS * unit_roundoff(leaf.dtype) * rng.choice([-1, 1], leaf.shape))).astype(
                leaf.dtype
            )
            for leaf in own.point
        ]
        others = _values(own, moved)
        spreads = [np.fmax(s, np.abs(o - v)) for s, o, v in zip(spreads, others, own_values, strict=True)]
    with np.errstate(invalid="ignore"):
        return all(
            np.all(
                (
                    np.abs(a - b)
                    <= ROUNDING_MARGIN * np.max(s, initial=0.0) + SAME_VALUE * np.max(np.abs(b), initial=0.0)
                )
                | (np.isnan(a) & np.isnan(b))
                | (a == b)
            )
            for a, b, s in zip(values, own_values, spreads, strict=True)
        )


def _values(function: CheckedFunction, point: list[Any]) -> list[np.ndarray]:
    with function.jax_settings():
        leaves = jax.jit(function.output)(point, function.argument_arrays)
    return [np.asarray(leaf, np.float64) for leaf in leaves if is_floating(leaf)]
