"""Arrays of JAX and of NumPy: functions that take both, and checks of arguments."""

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


def is_count(value: object, minimum: int = 1) -> bool:
    """Whether a value is a whole number, of Python or NumPy, of at least `minimum`.

    Args:
        value: any object. A bool is not a count.
        minimum: the smallest number that counts.

    Returns:
        True for a whole number that is large enough.

    Example:
        >>> is_count(2), is_count(0), is_count(2.0), is_count(True), is_count(0, minimum=0)
        (True, False, False, False, True)
    """
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= minimum


def is_number(value: object) -> bool:
    """Whether a value is a real number of Python or NumPy.

    Args:
        value: any object. A bool is not a number.

    Returns:
        True for an int, a float, or a NumPy scalar.

    Example:
        >>> is_number(0.5), is_number(True), is_number("0.5")
        (True, False, False)
    """
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def shape_of(name: str, array: object) -> tuple[int, ...]:
    """The shape of an array.

    Args:
        name: the argument's name, for the message.
        array: an array of NumPy or JAX.

    Returns:
        Its shape.

    Raises:
        ValueError: if it is a list or anything else without a shape.

    Example:
        >>> shape_of("x", [[1.0, 2.0]])
        Traceback (most recent call last):
        ValueError: x must be an array, not a list; numpy.array makes one of it
    """
    if not hasattr(array, "shape"):
        raise ValueError(f"{name} must be an array, not a {type(array).__name__}; numpy.array makes one of it")
    shape: tuple[int, ...] = array.shape
    return shape
