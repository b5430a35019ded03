"""Arrays of JAX and of NumPy, and functions that take both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

Array = jax.Array | np.ndarray


def jax_or_numpy(
    jax_function: Callable[[Any], Any], numpy_function: Callable[[np.ndarray], np.ndarray]
) -> Callable[[Any], Any]:
    """One function for both kinds of arrays.

    NumPy answers a NumPy array without the time that a call of JAX takes; JAX answers everything else.

    Args:
        jax_function: computes the result for JAX's arrays, traced ones included.
        numpy_function: computes the same for NumPy arrays.

    Returns:
        A function of one array, which returns an array of the same kind.

    Example:
        >>> import jax.numpy as jnp
        >>> tanh = jax_or_numpy(jnp.tanh, np.tanh)
        >>> type(tanh(np.zeros(1))).__name__
        'ndarray'
    """
    return lambda z: numpy_function(z) if isinstance(z, np.ndarray) else jax_function(z)
