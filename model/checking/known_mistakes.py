"""The gradients that known mistakes produce. A wrong gradient is compared with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model.activations import ACTIVATION_DERIVATIVES, ACTIVATIONS
from model.checking.checked_function import CheckedFunction
from model.checking.error_patterns import KnownGradient
from model.checking.tracing import returned_leaves
from model.gradients import backpropagate
from model.network import Network
from model.pytrees import Flat, Leaves
from model.tasks import TASKS, sigmoid

# Single rows that are tried: the first and the last ones.
MAX_TRIED_ROWS = 64


def data_counts(function: CheckedFunction) -> dict[str, int]:
    """Numbers by which a gradient may be too large or too small.

    Args:
        function: at its point.

    Returns:
        How many rows, columns and entries the arrays in args have, by what they count.

    Example:
        >>> from model.checking.tracing import prepare
        >>> def fun(p, x):
        ...     return jnp.mean(x @ p)
        >>> data_counts(prepare(fun, jnp.ones(3), (jnp.ones((5, 3)),)))
        {'the number of rows, 5': 5, 'the number of columns, 3': 3, 'the number of entries, 15': 15}
    """
    counts: dict[str, int] = {}
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(function.args)]
    for axis, name in ((0, "rows"), (1, "columns"), (None, "entries")):
        for shape in shapes:
            if len(shape) > (1 if axis is None else axis):
                count = int(np.prod(shape)) if axis is None else shape[axis]
                if count > 1 and count not in counts.values():
                    counts[f"the number of {name}, {count:,}"] = count
    return counts


def known_gradients(
    function: CheckedFunction, slopes_of: Callable[[CheckedFunction], Flat | None] | None
) -> Iterator[KnownGradient]:
    """Yield the gradients that known mistakes produce.

    Args:
        function: whose gradient is wrong.
        slopes_of: from another function to its gradient by differences, NaN for an entry that was not tried; it returns
            None if the wrong gradient is another one. Without it, single rows are not tried.

    Yields:
        For our own network, the gradients with a mistake in the chain rule. Then the gradient of each single row.
    """
    yield from _network_gradients(function)
    if function.weights is None and slopes_of is not None:
        yield from _row_gradients(function, slopes_of)


def _row_gradients(
    function: CheckedFunction, slopes_of: Callable[[CheckedFunction], Flat | None]
) -> Iterator[KnownGradient]:
    leaves, structure = jax.tree.flatten(function.args)
    lengths = Counter(np.shape(leaf)[0] for leaf in leaves if np.ndim(leaf) >= 1)
    rows = lengths.most_common(1)[0][0] if lengths else 0
    if rows < 2:
        return
    for row in sorted(range(rows), key=lambda row: min(row, rows - 1 - row))[:MAX_TRIED_ROWS]:
        taken = [leaf[row : row + 1] if np.ndim(leaf) >= 1 and np.shape(leaf)[0] == rows else leaf for leaf in leaves]
        on_one_row = replace(function, args=jax.tree.unflatten(structure, taken))
        try:
            returned_leaves(on_one_row)
        except Exception:  # a user's function may raise anything; this one does not take a single row
            return
        gradient = slopes_of(on_one_row)
        if gradient is not None:
            sentence = f"is the gradient of row {row} alone, not of all {rows}"
            yield KnownGradient("row", sentence, function.unflatten(gradient))


@dataclass(frozen=True)
class _NetworkLoss:
    """The loss of our own network on the rows of a check.

    Attributes:
        params: of the network, in float64.
        x: [rows, inputs].
        y: [rows] or [rows, outputs].
        network: the description of the network.
    """

    params: Any
    x: jax.Array
    y: jax.Array
    network: Network

    def gradient(self, derivative: Callable[[int, Any], Any], residual: Callable[[Any, Any], Any]) -> Leaves:
        """The chain rule with this derivative of the activation and this residual at the output."""
        grads = backpropagate(self.params, self.x, self.y, derivative, residual, self.network).grads
        return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(grads)]


def _network_gradients(function: CheckedFunction) -> Iterator[KnownGradient]:
    if not (len(function.args) == 3 and isinstance(function.args[2], Network) and function.in_float64):
        return
    x, y, network = function.args
    params = function.params([jnp.asarray(leaf) for leaf in function.point])
    network_loss = _NetworkLoss(params, jnp.asarray(x, float), jnp.asarray(y, float), network)
    task = TASKS[network.task]
    yield from _wrong_activations(network_loss, task.residual)
    if task.predict is sigmoid:
        derivative = ACTIVATION_DERIVATIVES[network.activation]
        residual = partial(_squared_error_residual, task.residual)
        sentence = "has the derivative of the sigmoid at the output, as a squared error would"
        yield KnownGradient("activation", sentence, network_loss.gradient(lambda _, z: derivative(z), residual))


def _squared_error_residual(residual: Callable[[Any, Any], Any], z: Any, y: Any) -> Any:
    return residual(z, y) * jax.nn.sigmoid(z) * (1 - jax.nn.sigmoid(z))


def _wrong_activations(network_loss: _NetworkLoss, residual: Callable[[Any, Any], Any]) -> Iterator[KnownGradient]:
    name, hidden = network_loss.network.activation, len(network_loss.params) - 1
    if not hidden:
        return
    activate, derivative = ACTIVATIONS[name], ACTIVATION_DERIVATIVES[name]

    def without(layers: set[int]) -> Leaves:
        def factor(layer: int, z: Any) -> Any:
            return jnp.ones_like(z) if layer in layers else derivative(z)

        return network_loss.gradient(factor, residual)

    def everywhere(factor: Callable[[Any], Any]) -> Leaves:
        return network_loss.gradient(lambda _, z: factor(z), residual)

    missing = f"lacks the derivative of {name}"
    yield KnownGradient("activation", missing, without(set(range(hidden))))
    for layer in range(hidden if hidden > 1 else 0):
        yield KnownGradient("activation", f"{missing} at layer {layer}", without({layer}))
    at_output = f"has the derivative of {name} at its output a, not at its input z"
    yield KnownGradient("activation", at_output, everywhere(lambda z: derivative(jnp.asarray(activate(z)))))
    yield KnownGradient("activation", f"has the derivative of {name} twice", everywhere(lambda z: derivative(z) ** 2))
