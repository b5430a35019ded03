"""The numbers of a trace, each with what it is called."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from model.explaining.expressions import ONE, Call, Expression, Negative, Number, Sum
from model.explaining.names import unit_number
from model.explaining.trace import Trace
from model.network import Params
from model.pytrees import entry_name
from model.tasks import TASKS


class Operands:
    """The numbers of a trace, of which equations are made.

    Args:
        traced: its arrays.
        inputs: what the columns of x are called; by default x1, x2 and so on.
        ends: whether parameters are called by what they connect, such as w[a→h1] and b[h1], and not as in a checkpoint.

    Attributes:
        trace: the same arrays, as NumPy's.
        inputs: what the columns of x are called.
        task: of the network.
        last: the index of the last layer, whose units are the outputs.
        terms: of how many losses the loss is the mean.

    Raises:
        ValueError: if there is not a name for each input, or if a target is not the index of a class.
    """

    def __init__(self, traced: Trace, inputs: Sequence[str] = (), *, ends: bool = False) -> None:
        self._ends = ends
        self.trace: Trace = jax.tree.map(np.asarray, traced)
        sizes = self.trace.network.sizes
        self.inputs = tuple(inputs) or tuple(f"x{index + 1}" for index in range(sizes[0]))
        self.task, self.last, self.terms = TASKS[self.trace.network.task], len(sizes) - 2, self.trace.losses.size
        if len(self.inputs) != sizes[0]:
            raise ValueError(f"inputs must be {sizes[0]} names, one for each input, not {len(self.inputs)}")
        if self.task.output_per_class and not (self.trace.targets.sum(axis=1) == 1).all():
            raise ValueError(f"y must be the index of a class, from 0 to {sizes[-1] - 1}, in every row, and is not")

    def units(self, layer: int) -> range:
        """The indices of the units of a layer."""
        return range(self.trace.network.sizes[layer + 1])

    def _number(self, layer: int, unit: int) -> int:
        return unit_number(layer, unit, self.trace.network)

    def z(self, row: int, layer: int, unit: int) -> Number:
        """The preactivation of a unit."""
        return Number(float(self.trace.preactivations[layer][row, unit]), f"z{self._number(layer, unit)}")

    def delta(self, row: int, layer: int, unit: int) -> Number:
        """The derivative of the loss by the preactivation of a unit."""
        return Number(float(self.trace.deltas[layer][row, unit]), f"δ{self._number(layer, unit)}")

    def input(self, row: int, layer: int, source: int) -> Number:
        """An input of a layer: a column of x, or what a unit of the layer before hands on."""
        symbol = f"h{self._number(layer - 1, source)}" if layer else self.inputs[source]
        return Number(float(self.trace.inputs[layer][row, source]), symbol)

    def parameter(self, layer: int, unit: int, source: int | None) -> Number:
        """A weight, or of no source a bias, before the step."""
        return self._entry(self.trace.params, layer, unit, source)

    def gradient(self, layer: int, unit: int, source: int | None) -> Number:
        """The derivative of the loss by a parameter."""
        found = self._entry(self.trace.grads, layer, unit, source)
        return Number(found.value, f"gradient of {found.symbol}")

    def updated(self, layer: int, unit: int, source: int | None) -> Number:
        """A parameter after the step."""
        return self._entry(self.trace.updated, layer, unit, source)

    def _entry(self, layers: Params, layer: int, unit: int, source: int | None) -> Number:
        leaf, place = ("bias", (unit,)) if source is None else ("weight", (source, unit))
        symbol = self._by_ends(layer, unit, source) if self._ends else entry_name(f"{layer}.{leaf}", place)
        return Number(float(getattr(layers[layer], leaf)[place]), symbol)

    def _by_ends(self, layer: int, unit: int, source: int | None) -> str:
        """What a parameter is called by what it connects: w[a→h1], or b[h1]."""
        end = self.prediction(0, unit).symbol if layer == self.last else self.input(0, layer + 1, unit).symbol
        return f"b[{end}]" if source is None else f"w[{self.input(0, layer, source).symbol}→{end}]"

    def prediction(self, row: int, output: int) -> Number:
        """The prediction of an output."""
        symbol = self._numbered("p" if self.task.has_classes else "ŷ", output)
        return Number(float(self.trace.predictions[row, output]), symbol)

    def target(self, row: int, output: int) -> Number:
        """The target of an output."""
        return Number(float(self.trace.targets[row, output]), self._numbered("y", output))

    def _numbered(self, symbol: str, output: int) -> str:
        return f"{symbol}{output + 1}" if len(self.units(self.last)) > 1 else symbol

    def row_loss(self, row: int, output: int) -> Number:
        """One of the losses of which the loss is the mean."""
        index = row * self.trace.losses.shape[1] + output
        symbol = "loss" if self.terms == 1 else f"loss{index + 1}"
        return Number(float(self.trace.losses[row, output]), symbol)

    def slope(self, row: int, layer: int, unit: int) -> tuple[Expression, ...]:
        """The derivative of the activation at the z of a hidden unit, as factors."""
        name, h = self.trace.network.activation, self.input(row, layer + 1, unit)
        if name == "tanh":
            return (Sum((ONE, Negative(Call("square", h)))),)
        if name == "sigmoid":
            return h, Sum((ONE, Negative(h)))
        symbol = f"{name}′({self.z(row, layer, unit).symbol})"
        return (Number(float(self.trace.slopes[layer][row, unit]), symbol),)
