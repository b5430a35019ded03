"""What every number of a trace is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from model.explaining.expressions import Call, Expression, Negative, Number, Product, Sum
from model.explaining.operands import Operands
from model.explaining.outputs import loss_expression, mean_expression, prediction_expression, residual_expression
from model.explaining.trace import Trace

Kind = Literal["preactivation", "activation", "prediction", "row loss", "loss", "delta", "gradient", "update"]


class Equation(msgspec.Struct, frozen=True):
    """A number, and what it is made of.

    Attributes:
        of: what it is called, such as z1, δ1, loss, or a parameter's name.
        kind: what it is.
        expression: what it is made of. Its value is that of the result, up to rounding.
        result: the number, as the trace has it.
        row: the index of the row; None if it belongs to all rows.
        layer: the index of the layer; None if it belongs to no layer.
        unit: the index of the unit, or of the output; None if it belongs to none.
        input: the index of the layer's input that a weight multiplies; None for other numbers.
    """

    of: str
    kind: Kind
    expression: Expression
    result: float
    row: int | None = None
    layer: int | None = None
    unit: int | None = None
    input: int | None = None


class Equations:
    """The equations of a trace. Units are counted from 1 through all layers, so that the last ones are the outputs.

    z1 is the preactivation of the first unit, h1 what it hands on, and δ1 the derivative of the loss by z1. The
    predictions are p, or ŷ in a regression, and the targets y; several of them are counted from 1.

    Args:
        traced: its arrays.
        inputs: what the columns of x are called; by default x1, x2 and so on.
        ends: whether parameters are called by what they connect, such as w[a→h1] and b[h1], and not as in a checkpoint.

    Attributes:
        operands: the numbers of the trace.
        trace: its arrays, as NumPy's.
        rows: how many rows there are.

    Raises:
        ValueError: if there is not a name for each input, or if a target is not the index of a class.

    Example:
        >>> import jax.numpy as jnp
        >>> from model.explaining.trace import trace
        >>> from model.network import Layer, Network
        >>> params = [Layer(jnp.array([[2.0]]), jnp.array([-1.0]))]
        >>> traced = trace(params, jnp.array([[0.5]]), jnp.array([1.0]), Network((1, 1)))
        >>> [(equation.of, equation.result) for equation in Equations(traced)][:2]
        [('z1', 0.0), ('p', 0.5)]
    """

    def __init__(self, traced: Trace, inputs: Sequence[str] = (), *, ends: bool = False) -> None:
        self.operands = Operands(traced, inputs, ends=ends)
        self.trace = self.operands.trace
        self.rows = len(self.trace.targets)

    def __iter__(self) -> Iterator[Equation]:
        """Every equation, in the order in which they are computed."""
        for row in range(self.rows):
            yield from self._forward(row)
        if self.operands.terms > 1:
            yield self.loss()
        for row in range(self.rows):
            for layer in reversed(range(self.operands.last + 1)):
                yield from (self.delta(row, layer, unit) for unit in self.operands.units(layer))
        for place in self.parameters():
            yield self.gradient(*place)
            yield self.update(*place)

    def _forward(self, row: int) -> Iterator[Equation]:
        last = self.operands.last
        for layer in range(last + 1):
            for unit in self.operands.units(layer):
                yield self.preactivation(row, layer, unit)
                if layer < last:
                    yield self.activation(row, layer, unit)
        yield from (self.prediction(row, output) for output in self.operands.units(last))
        yield from (self.row_loss(row, output) for output in range(self.trace.losses.shape[1]))

    def parameters(self) -> Iterator[tuple[int, int, int | None]]:
        """The layer, the unit and the input of every weight; of every bias, None is the input."""
        for layer, (weight, _) in enumerate(self.trace.params):
            units = self.operands.units(layer)
            yield from ((layer, unit, source) for source in range(len(weight)) for unit in units)
            yield from ((layer, unit, None) for unit in units)

    def preactivation(self, row: int, layer: int, unit: int) -> Equation:
        """The equation z = Σ input · weight + bias."""
        named = self.operands
        sources = range(self.trace.network.sizes[layer])
        products = [Product((named.input(row, layer, i), named.parameter(layer, unit, i))) for i in sources]
        expression = Sum((*products, named.parameter(layer, unit, None)))
        return _equation("preactivation", expression, named.z(row, layer, unit), row, layer, unit)

    def activation(self, row: int, layer: int, unit: int) -> Equation:
        """The equation of what a hidden unit hands on: the activation of z."""
        name: Any = self.trace.network.activation
        expression = Call(name, self.operands.z(row, layer, unit))
        return _equation("activation", expression, self.operands.input(row, layer + 1, unit), row, layer, unit)

    def prediction(self, row: int, output: int) -> Equation:
        """The equation of a prediction: sigmoid(z), softmax(z), or z."""
        expression, found = prediction_expression(self.operands, row, output), self.operands.prediction(row, output)
        return _equation("prediction", expression, found, row, self.operands.last, output)

    def row_loss(self, row: int, output: int) -> Equation:
        """The equation of one of the losses of which the loss is the mean; if there is only one, it is the loss."""
        kind: Kind = "loss" if self.operands.terms == 1 else "row loss"
        expression, found = loss_expression(self.operands, row, output), self.operands.row_loss(row, output)
        return _equation(kind, expression, found, row, self.operands.last, output)

    def loss(self) -> Equation:
        """The equation of the loss, the mean of several losses; of a single one, that of `row_loss`."""
        if self.operands.terms == 1:
            return self.row_loss(0, 0)
        losses = tuple(self.operands.row_loss(row, output) for row, output in np.ndindex(self.trace.losses.shape))
        expression = mean_expression(self.operands, Sum(losses))
        return _equation("loss", expression, Number(float(self.trace.loss), "loss"))

    def delta(self, row: int, layer: int, unit: int) -> Equation:
        """The equation of the derivative of the loss by z: at the output the error, and before it the chain rule."""
        named = self.operands
        expression = residual_expression(named, row, unit) if layer == named.last else self._chain(row, layer, unit)
        return _equation("delta", expression, named.delta(row, layer, unit), row, layer, unit)

    def _chain(self, row: int, layer: int, unit: int) -> Expression:
        named, following = self.operands, layer + 1
        pairs = [(named.delta(row, following, k), named.parameter(following, k, unit)) for k in named.units(following)]
        factors = pairs[0] if len(pairs) == 1 else (Sum(tuple(Product(pair) for pair in pairs)),)
        return Product((*factors, *named.slope(row, layer, unit)))

    def gradient(self, layer: int, unit: int, source: int | None) -> Equation:
        """The equation of the derivative of the loss by a parameter: delta times the input, summed over the rows."""
        named, terms = self.operands, list[Expression]()
        for row in range(self.rows):
            delta = named.delta(row, layer, unit)
            terms.append(delta if source is None else Product((delta, named.input(row, layer, source))))
        expression = terms[0] if len(terms) == 1 else Sum(tuple(terms))
        result = Number(named.gradient(layer, unit, source).value, named.parameter(layer, unit, source).symbol)
        return _equation("gradient", expression, result, None, layer, unit, source)

    def update(self, layer: int, unit: int, source: int | None) -> Equation:
        """The equation of a parameter after the step: parameter - learning rate · gradient."""
        named = self.operands
        rate = Number(float(self.trace.learning_rate), "learning rate")
        step = Product((rate, named.gradient(layer, unit, source)))
        expression = Sum((named.parameter(layer, unit, source), Negative(step)))
        return _equation("update", expression, named.updated(layer, unit, source), None, layer, unit, source)


def _equation(kind: Kind, expression: Expression, result: Number, *place: int | None) -> Equation:
    """The equation of a result. place: its row, layer, unit and input."""
    return Equation(result.symbol, kind, expression, result.value, *place)
