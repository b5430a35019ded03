"""Pytrees: the names of their leaves and entries, and their numbers as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

Tree = Any
Leaves = list[Any]  # arrays of NumPy or of JAX, traced ones included
Flat = Float[np.ndarray, " size"]


def leaf_name(path: tuple[Any, ...]) -> str:
    """The name of a leaf: where it is in its pytree.

    Args:
        path: the leaf's key path, as `jax.tree_util.tree_flatten_with_path` gives it.

    Returns:
        A name such as `0.weight`; `params` for a pytree that is a single leaf.

    Example:
        >>> [leaf_name(path) for path, _ in jax.tree_util.tree_leaves_with_path([{"weight": 1.0}])]
        ['0.weight']
    """
    return jax.tree_util.keystr(path, simple=True, separator=".") or "params"


def entry_name(leaf: str, index: Sequence[Any]) -> str:
    """The name of one entry of a leaf.

    Args:
        leaf: the leaf's name.
        index: the entry's index, with a number for each axis; empty for a scalar leaf.

    Returns:
        A name such as `0.weight[0,1]`; the leaf's own name for a scalar leaf.

    Example:
        >>> entry_name("0.weight", (0, 1)), entry_name("scale", ())
        ('0.weight[0,1]', 'scale')
    """
    return f"{leaf}[{','.join(map(str, index))}]" if len(index) else leaf


def entry_names(tree: Tree) -> list[str]:
    """The name of every entry of every leaf, in the order of the pytree.

    Args:
        tree: any pytree of arrays.

    Returns:
        One name for each entry, such as `0.weight[0,1]`.

    Example:
        >>> entry_names({"w": np.zeros((1, 2)), "b": np.zeros(())})
        ['b', 'w[0,0]', 'w[0,1]']
    """
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [entry_name(leaf_name(path), index) for path, leaf in leaves for index in np.ndindex(np.shape(leaf))]


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is a floating-point number or array.

    Args:
        leaf: any leaf of a pytree.

    Returns:
        True for a float and for an array of a floating-point dtype.

    Example:
        >>> is_floating(1.0), is_floating(np.zeros(2, np.float32)), is_floating(1)
        (True, True, False)
    """
    return isinstance(leaf, float) or jnp.issubdtype(getattr(leaf, "dtype", np.bool_), jnp.floating)


def is_integral(leaf: Any) -> bool:
    """Whether a leaf is a whole number, a bool, or an array of them; such a leaf has no derivative.

    Args:
        leaf: any leaf of a pytree.

    Returns:
        True for an int, a bool, and for an array of an integer or boolean dtype.

    Example:
        >>> is_integral(1), is_integral(np.zeros(2, bool)), is_integral(1.0), is_integral("a")
        (True, True, False, False)
    """
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:
        return isinstance(leaf, int)
    return bool(jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, np.bool_))


def flatten(leaves: Sequence[Any]) -> Flat:
    """The numbers of all leaves in one vector.

    Args:
        leaves: arrays of any shapes.

    Returns:
        [size] float64: the entries of the first leaf, then those of the next, and so on.

    Example:
        >>> flatten([np.ones((1, 2)), np.zeros(())]).tolist()
        [1.0, 1.0, 0.0]
    """
    return np.concatenate([np.ravel(np.asarray(leaf, np.float64)) for leaf in leaves] or [np.zeros(0)])
