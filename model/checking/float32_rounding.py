"""How much the value of a function is rounded: it is computed in float32, whose roundings are 2²⁹ times as large."""

from __future__ import annotations

import warnings
from dataclasses import replace

import jax
import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.rounding import points_nearby
from model.pytrees import is_floating


def float32_error(function: CheckedFunction, value: float) -> float:
    """How far off the value is in float32.

    Args:
        function: in float64.
        value: at its point, in float64.

    Returns:
        The largest difference at points a few roundings away. It is infinite if the function fails or is not finite in
        float32. It is also infinite if the function may never end: if JAX cannot trace it, or if it has a while loop.

    Example:
        >>> from model.checking.tracing import prepare
        >>> error = float32_error(prepare(lambda x: jax.numpy.sin(1e4 * x), 0.3, ()), float(np.sin(3e3)))
        >>> 1e-6 < error < 1e-2
        True
    """
    if function.precision is None or function.precision.has_while_loop:
        return np.inf
    leaves = tuple(np.asarray(leaf, np.float32) if is_floating(leaf) else leaf for leaf in function.leaves)
    single = replace(function, leaves=leaves, in_float64=False)
    differences = []
    with jax.enable_x64(False), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns of each float64 in a program that is now float32
        run = jax.jit(single.scalar)
        try:
            for point in points_nearby(single.point):
                differences.append(abs(float(run(point, single.argument_arrays)) - value))
        except Exception:  # a user's function may raise anything in another dtype
            return np.inf
    largest = float(np.max(differences))
    return largest if np.isfinite(largest) else np.inf
