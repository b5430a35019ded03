"""A function of a pytree at a point, made ready to be evaluated around it, usually in float64.

Only the floating-point leaves of params are nudged. All other leaves and args stay as they are, except that
floating-point arrays become float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from model.checking.custom_rules import find_rule_outputs
from model.checking.debug_output import without_debug_output
from model.checking.errors import NotCheckableError, describe_value
from model.checking.rounding import ProgramPrecision, inspect_program
from model.pytrees import Flat, Leaves, Tree, entry_name, flatten, is_floating, leaf_name


class EvaluationMode(Enum):
    """How a function is evaluated. The modes are tried in this order."""

    TRACED = "traced by JAX, with the arrays in args as inputs of the program"
    TRACED_CONSTANT_ARGS = "traced by JAX, with args as they are"
    NUMPY = "called with NumPy arrays"
    JAX = "called with JAX arrays"


@dataclass(frozen=True)
class CheckedFunction:
    """A function at a point, and how it is evaluated.

    Attributes:
        fun: the user's function of params and args.
        leaves: all leaves of params.
        paths: the key path of each leaf.
        structure: the structure of params.
        floating: the indices of the floating-point leaves, which are nudged.
        args: the other arguments of fun.
        mode: how fun is evaluated.
        in_float64: whether it is evaluated in float64; otherwise in the dtypes of the leaves.
        weights: for a function that returns no scalar, one array for each leaf of its result; the checked scalar is
            the sum of the results times these weights. None for a function that returns a scalar.
        is_silenced: whether what fun prints by `jax.debug.print` is left out.
    """

    fun: Callable[..., Any]
    leaves: tuple[Any, ...]
    paths: tuple[Any, ...]
    structure: jax.tree_util.PyTreeDef
    floating: tuple[int, ...]
    args: tuple[Any, ...]
    mode: EvaluationMode = EvaluationMode.TRACED
    in_float64: bool = True
    weights: tuple[np.ndarray, ...] | None = None
    is_silenced: bool = False

    def jax_settings(self) -> ExitStack:
        """The settings of JAX for this function, entered now and left when the stack closes."""
        stack = ExitStack()
        for setting in (jax.debug_nans(False), jax.debug_infs(False), jax.disable_jit(False)):
            stack.enter_context(setting)
        if self.in_float64:
            stack.enter_context(jax.enable_x64(True))
        return stack

    @property
    def is_traced(self) -> bool:
        """Whether JAX traces the function."""
        return self.mode in (EvaluationMode.TRACED, EvaluationMode.TRACED_CONSTANT_ARGS)

    @cached_property
    def leaf_names(self) -> list[str]:
        """The names of all leaves of params."""
        return [leaf_name(path) for path in self.paths]

    @cached_property
    def point(self) -> Leaves:
        """The floating-point leaves of params."""
        return [self._as_array(self.leaves[index]) for index in self.floating]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the floating-point leaves."""
        return [leaf.shape for leaf in self.point]

    @cached_property
    def sizes(self) -> list[int]:
        """The number of entries of each floating-point leaf."""
        return [leaf.size for leaf in self.point]

    @cached_property
    def flat(self) -> Flat:
        """The point as a vector."""
        return flatten(self.point)

    def unflatten(self, flat: np.ndarray) -> Leaves:
        """[..., size] -> [..., *shape] for each floating-point leaf."""
        parts = np.split(flat, np.cumsum(self.sizes)[:-1], axis=-1)
        return [part.reshape(flat.shape[:-1] + shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def to_arguments(self, flat: np.ndarray) -> list[Any]:
        """A vector as floating-point leaves, in the kind of array that the function is called with."""
        leaves = [leaf.astype(own.dtype) for leaf, own in zip(self.unflatten(flat), self.point, strict=True)]
        if self.mode is EvaluationMode.JAX:
            return [jnp.asarray(leaf) for leaf in leaves]
        return [leaf if leaf.ndim else leaf[()] for leaf in leaves]

    def points_along(
        self, vectors: Float[np.ndarray, "lines size"], offsets: Float[np.ndarray, "lines points"]
    ) -> Leaves:
        """Every point + offset · vector, as leaves [lines · points, *shape]."""
        flat = self.flat + offsets[..., None] * vectors[:, None]
        leaves = self.unflatten(flat.reshape(-1, self.flat.size))
        return [leaf.astype(own.dtype) for leaf, own in zip(leaves, self.point, strict=True)]

    def entry_names(self, entries: Sequence[int] | np.ndarray) -> list[str]:
        """The names of entries, by their positions in `flat`; such as 0.weight[0,1]."""
        bounds = np.cumsum([0, *self.sizes])
        names = []
        for entry in entries:
            leaf = int(np.searchsorted(bounds, entry, side="right")) - 1
            name, shape = self.leaf_names[self.floating[leaf]], self.shapes[leaf]
            names.append(entry_name(name, np.unravel_index(entry - bounds[leaf], shape) if shape else ()))
        return names

    def params(self, point: Sequence[Any]) -> Tree:
        """The pytree of params with these floating-point leaves."""
        leaves = list(self.leaves)
        for index, leaf in zip(self.floating, point, strict=True):
            leaves[index] = leaf
        return jax.tree.unflatten(self.structure, leaves)

    @cached_property
    def argument_arrays(self) -> list[np.ndarray]:
        """The arrays in args that are inputs of the traced program."""
        if self.mode is not EvaluationMode.TRACED:
            return []
        return [self._as_input(leaf) for leaf in jax.tree.leaves(self.args) if _is_array(leaf)]

    def arguments(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """The args with these arrays in place of `argument_arrays`."""
        leaves, structure = jax.tree.flatten(self.args)
        remaining = iter(arrays)
        if self.mode is EvaluationMode.TRACED:
            leaves = [next(remaining) if _is_array(leaf) else leaf for leaf in leaves]
        else:
            leaves = [self._as_input(leaf) if _is_array(leaf) else leaf for leaf in leaves]
        arguments: tuple[Any, ...] = jax.tree.unflatten(structure, leaves)
        return arguments

    def _as_array(self, leaf: Any) -> np.ndarray:
        return np.asarray(leaf, np.float64) if self.in_float64 else np.asarray(leaf)

    def _as_input(self, leaf: Any) -> Any:
        return self._as_array(leaf) if is_floating(leaf) else leaf

    def output(self, point: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
        """The leaves of what the function returns. Raises NotCheckableError if one is not floating-point."""
        return without_debug_output(self._called)(point, arrays) if self.is_silenced else self._called(point, arrays)

    def _called(self, point: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
        return checked_output(self.fun(self.params(point), *self.arguments(arrays)))

    def scalar(self, point: Sequence[Any], arrays: Sequence[Any]) -> Any:
        """The value of the function, or the weighted sum of its results."""
        return self.weighted_sum(self.output(point, arrays))

    def weighted_sum(self, leaves: Sequence[Any]) -> Any:
        """The weighted sum of a result's leaves; a single number itself."""
        if self.weights is None:
            return leaves[0].reshape(()) if np.ndim(leaves[0]) else leaves[0]
        return sum((weight * leaf).sum() for weight, leaf in zip(self.weights, leaves, strict=True))

    @cached_property
    def program(self) -> Callable[..., jax.Array]:
        """`scalar` under jit, traced once for everything that is made of it."""
        return jax.jit(lambda point, arrays: self.scalar(point, arrays))

    @cached_property
    def precision(self) -> ProgramPrecision | None:
        """What the traced program tells about its arithmetic; None if JAX cannot trace the function."""
        return inspect_program(self.jaxpr, inputs=len(self.point)) if self.is_traced else None

    @cached_property
    def has_rules(self) -> bool:
        """Whether there is a custom derivative rule in the traced program; False if JAX cannot trace the function."""
        return self.is_traced and bool(find_rule_outputs(self.jaxpr))

    @cached_property
    def jaxpr(self) -> Any:
        """The traced program; only for a function that JAX traces."""
        return jax.make_jaxpr(self.program)(self.point, self.argument_arrays)


def trace_outputs(function: CheckedFunction, returned: Sequence[Any]) -> Any:
    """Trace a function.

    Args:
        function: that JAX traces, with the settings for it.
        returned: the leaves of its result, or their shapes.

    Returns:
        The traced program of all results; of a function that returns a number, the one that is needed later too.
    """
    if len(returned) == 1 and np.shape(returned[0]) in ((), (1,)):
        return function.jaxpr
    return jax.make_jaxpr(function.output)(function.point, function.argument_arrays)


def checked_output(result: Tree) -> list[Any]:
    """The leaves of what a function returned.

    Args:
        result: a pytree.

    Returns:
        Its leaves, all floating-point.

    Raises:
        NotCheckableError: if there is no leaf, or one that is not floating-point.

    Example:
        >>> checked_output((1.0, 2.0))
        [1.0, 2.0]
    """
    leaves = jax.tree.leaves(result)
    wrong = [leaf for leaf in leaves if not is_floating(leaf)]
    if wrong or not leaves:
        found = describe_value(wrong[0]) if wrong else "nothing"
        raise NotCheckableError(
            f"fun must return a floating-point number, or arrays of them, but it returned {found}; "
            "return the loss alone"
        )
    return leaves


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | np.generic | jax.Array)
