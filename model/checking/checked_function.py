"""A function of a pytree made ready to be evaluated at many points, in float64, however it is written.

What JAX can trace is compiled; what branches on its values in Python, or is plain NumPy, is called point by point. Only
the floating-point leaves of params move. All else in params, and args, stay as they are, but that floating-point arrays
are taken as float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from model.checking.errors import NotCheckableError, describe_value
from model.checking.rounding import ProgramPrecision, inspect_program
from model.pytrees import Flat, Leaves, Tree, entry_name, flatten, is_floating, leaf_name


@dataclass(frozen=True)
class CheckedFunction:
    """A function at a point, and the way in which it can be evaluated.

    leaves, paths: every leaf of params, and where it is. moving: which of them are floating-point. how: traced, with
    the arrays in args as inputs; constant, traced with args as they are; numpy, called with NumPy arrays; or jax,
    called with its arrays. double: in float64; else in the dtypes of the leaves themselves. weights: for a function
    that returns no scalar, one array for each leaf of its result, by which it is summed up to one.
    """

    fun: Callable[..., Any]
    leaves: tuple[Any, ...]
    paths: tuple[Any, ...]
    structure: jax.tree_util.PyTreeDef
    floating: tuple[int, ...]
    args: tuple[Any, ...]
    mode: str
    in_float64: bool
    weights: tuple[np.ndarray, ...] | None = None

    def jax_settings(self) -> ExitStack:
        """Enter the settings of JAX in which this problem is evaluated, and leave them as the stack closes."""
        stack = ExitStack()
        for setting in (jax.debug_nans(False), jax.debug_infs(False), jax.disable_jit(False)):
            stack.enter_context(setting)
        if self.in_float64:
            stack.enter_context(jax.enable_x64(True))
        return stack

    @cached_property
    def point(self) -> Leaves:
        """The floating-point leaves of params."""
        return [self._array(self.leaves[index]) for index in self.floating]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the floating-point leaves."""
        return [leaf.shape for leaf in self.point]

    @cached_property
    def sizes(self) -> list[int]:
        """How many numbers each floating-point leaf has."""
        return [leaf.size for leaf in self.point]

    @cached_property
    def flat(self) -> Flat:
        """The point as one row of numbers."""
        return flatten(self.point)

    def to_arguments(self, flat: np.ndarray) -> list[Any]:
        """A row of numbers as the floating-point leaves, in the kind of array with which the function is called."""
        leaves = [leaf.astype(own.dtype) for leaf, own in zip(self.unflatten(flat), self.point, strict=True)]
        convert = jnp.asarray if self.mode == "jax" else lambda leaf: leaf if leaf.ndim else leaf[()]
        return [convert(leaf) for leaf in leaves]

    def points_along(
        self, directions: Float[np.ndarray, "lines size"], steps: Float[np.ndarray, "lines points"]
    ) -> Leaves:
        """Every point + step · direction, as leaves [lines · points, *shape]."""
        flat = self.flat + steps[..., None] * directions[:, None]
        leaves = self.unflatten(flat.reshape(-1, self.flat.size))
        return [leaf.astype(own.dtype) for leaf, own in zip(leaves, self.point, strict=True)]

    @property
    def argument_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the arrays in args that are inputs of the traced program."""
        return [np.shape(leaf) for leaf in self.argument_arrays]

    def entry_names(self, entries: Sequence[int] | np.ndarray) -> list[str]:
        """Names of single parameters by their places in `flat`, such as 0.weight[0,1]."""
        bounds = np.cumsum([0, *self.sizes])
        leaf_names = []
        for entry in entries:
            leaf = int(np.searchsorted(bounds, entry, side="right")) - 1
            name, shape = self.names[self.floating[leaf]], self.shapes[leaf]
            index = np.unravel_index(entry - bounds[leaf], shape) if shape else ()
            leaf_names.append(entry_name(name, index))
        return leaf_names

    @cached_property
    def names(self) -> list[str]:
        """The names of the leaves' places."""
        return [leaf_name(path) for path in self.paths]

    @property
    def is_traced(self) -> bool:
        """Whether JAX can trace the function."""
        return self.mode in ("traced", "constant")

    def unflatten(self, flat: np.ndarray) -> Leaves:
        """[..., size] -> one [..., *shape] for each leaf."""
        parts = np.split(flat, np.cumsum(self.sizes)[:-1], axis=-1)
        return [part.reshape(flat.shape[:-1] + shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def params(self, point: Sequence[Any]) -> Tree:
        """The pytree of params with these floating-point leaves."""
        leaves = list(self.leaves)
        for index, leaf in zip(self.floating, point, strict=True):
            leaves[index] = leaf
        return jax.tree.unflatten(self.structure, leaves)

    def _array(self, leaf: Any) -> np.ndarray:
        return np.asarray(leaf, np.float64) if self.in_float64 else np.asarray(leaf)

    @cached_property
    def argument_arrays(self) -> list[np.ndarray]:
        """The arrays in args that are inputs of the traced program."""
        return (
            [self._input(leaf) for leaf in jax.tree.leaves(self.args) if _is_array(leaf)]
            if self.mode == "traced"
            else []
        )

    def _input(self, leaf: Any) -> Any:
        return self._array(leaf) if is_floating(leaf) else leaf

    def arguments(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """The args with these arrays."""
        leaves, structure = jax.tree.flatten(self.args)
        rest = iter(arrays)
        if self.mode == "traced":
            leaves = [next(rest) if _is_array(leaf) else leaf for leaf in leaves]
        else:
            leaves = [self._input(leaf) if _is_array(leaf) else leaf for leaf in leaves]
        arguments: tuple[Any, ...] = jax.tree.unflatten(structure, leaves)
        return arguments

    def output(self, point: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
        """The leaves of what the function returns, checked to be floating-point."""
        leaves = jax.tree.leaves(self.fun(self.params(point), *self.arguments(arrays)))
        wrong = [leaf for leaf in leaves if not is_floating(leaf)]
        if wrong or not leaves:
            found = describe_value(wrong[0]) if wrong else "nothing"
            raise NotCheckableError(
                f"fun must return a floating-point number, or arrays of them, but it returned {found}; "
                "return the loss alone"
            )
        return leaves

    def scalar(self, point: Sequence[Any], arrays: Sequence[Any]) -> Any:
        """The function's value, or the sum of its results by weights."""
        return self.weighted_sum(self.output(point, arrays))

    def weighted_sum(self, leaves: Sequence[Any]) -> Any:
        """The sum of a result's leaves by weights; a scalar is its own."""
        if self.weights is None:
            return leaves[0]
        return sum((weight * leaf).sum() for weight, leaf in zip(self.weights, leaves, strict=True))

    @cached_property
    def program(self) -> Callable[..., jax.Array]:
        """`scalar`, traced once for all that is made of it."""
        return jax.jit(lambda point, arrays: self.scalar(point, arrays))

    @cached_property
    def precision(self) -> ProgramPrecision | None:
        """What the traced function says of itself; None where it cannot be traced."""
        if not self.is_traced:
            return None
        return inspect_program(jax.make_jaxpr(self.program)(self.point, self.argument_arrays), inputs=len(self.point))


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | np.generic | jax.Array)
