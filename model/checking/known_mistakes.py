"""Gradients that known mistakes lead to, to compare a wrong one with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.error_patterns import KnownGradient
from model.checking.tracing import returned_leaves
from model.gradients import DERIVATIVES, backpropagate
from model.network import ACTIVATIONS, Network
from model.pytrees import Flat, Leaves
from model.tasks import TASKS

# Rows that are tried, the first and the last ones.
MAX_TRIED_ROWS = 64


def data_counts(problem: CheckedFunction) -> dict[str, int]:
    """Numbers by which a gradient may be too large: what the data's arrays have rows, columns and entries.

    >>> from model.checking.tracing import prepare
    >>> def fun(p, x):
    ...     return jnp.mean(x @ p)
    >>> data_counts(prepare(fun, jnp.ones(3), (jnp.ones((5, 3)),)))
    {'the number of rows, 5': 5, 'the number of columns, 3': 3, 'the number of entries, 15': 15}
    """
    found: dict[str, int] = {}
    arrays = [np.shape(leaf) for leaf in jax.tree.leaves(problem.args)]
    for axis, name in ((0, "rows"), (1, "columns"), (None, "entries")):
        for shape in arrays:
            if len(shape) > (1 if axis is None else axis):
                count = int(np.prod(shape)) if axis is None else shape[axis]
                if count > 1 and count not in found.values():
                    found[f"the number of {name}, {count:,}"] = count
    return found


def known_gradients(
    problem: CheckedFunction, slopes: Callable[[CheckedFunction], Flat | None]
) -> Iterator[KnownGradient]:
    """The gradient of a single row, and where the network is ours, what a slip in its chain rule leads to.

    slopes: the gradient of another problem by differences, NaN where it was not tried; None where it cannot be the one.
    """
    yield from _of_the_network(problem)
    if problem.weights is None:
        yield from _of_single_rows(problem, slopes)


def _of_single_rows(
    problem: CheckedFunction, slopes: Callable[[CheckedFunction], Flat | None]
) -> Iterator[KnownGradient]:
    leaves, structure = jax.tree.flatten(problem.args)
    lengths = Counter(np.shape(leaf)[0] for leaf in leaves if np.ndim(leaf) >= 1)
    if not lengths:
        return
    rows = lengths.most_common(1)[0][0]
    if rows < 2:
        return
    for row in sorted(range(rows), key=lambda row: min(row, rows - 1 - row))[:MAX_TRIED_ROWS]:
        one = [leaf[row : row + 1] if np.ndim(leaf) >= 1 and np.shape(leaf)[0] == rows else leaf for leaf in leaves]
        other = replace(problem, args=jax.tree.unflatten(structure, one))
        try:
            returned_leaves(other)
        except Exception:
            return  # the function does not take a single row, and may raise anything
        gradient = slopes(other)
        if gradient is None:
            continue
        yield KnownGradient(
            "row", f"is the gradient of row {row} alone, not of all {rows}", problem.unflatten(gradient)
        )


def _of_the_network(problem: CheckedFunction) -> Iterator[KnownGradient]:
    if not (len(problem.args) == 3 and isinstance(problem.args[2], Network) and problem.in_float64):
        return
    x, y, network = problem.args
    x, y = jnp.asarray(x, float), jnp.asarray(y, float)
    params = problem.params([jnp.asarray(leaf) for leaf in problem.point])
    activate, derivative = ACTIVATIONS[network.activation], DERIVATIVES[network.activation]
    hidden = len(params) - 1

    residual = TASKS[network.task].residual

    def backwards(factor: Callable[[int, Any], Any], error: Callable[[Any, Any], Any] = residual) -> Leaves:
        grads = backpropagate(params, x, y, factor, error, network)
        return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(grads)]

    def without(layers: set[int]) -> Leaves:
        return backwards(lambda index, z: jnp.ones_like(z) if index in layers else derivative(z))

    name = network.activation
    if hidden:
        missing = f"lacks the derivative of {name}"
        yield KnownGradient("activation", missing, without(set(range(hidden))))
        for layer in range(hidden if hidden > 1 else 0):
            yield KnownGradient("activation", f"{missing} at layer {layer}", without({layer}))
        at_output = f"has the derivative of {name} at its output a, not at its input z"
        yield KnownGradient("activation", at_output, backwards(lambda _, z: derivative(jnp.asarray(activate(z)))))
        doubled = f"has the derivative of {name} twice"
        yield KnownGradient("activation", doubled, backwards(lambda _, z: derivative(z) ** 2))

    if network.task != "binary":
        return

    def with_sigmoid(z: Any, y: Any) -> Any:
        return residual(z, y) * jax.nn.sigmoid(z) * (1 - jax.nn.sigmoid(z))

    squared = "has the derivative of the sigmoid at the output, as a squared error would"
    yield KnownGradient("activation", squared, backwards(lambda _, z: derivative(z), with_sigmoid))
