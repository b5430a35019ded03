"""A row through a network, step by step, each as a formula, with its numbers, and as a sentence."""

from __future__ import annotations

import math
from typing import Any

import jax
import msgspec
import numpy as np
from jaxtyping import Num

from model.arrays import Array
from model.explaining.arithmetic import text_of
from model.explaining.equations import Equation, Equations, Kind
from model.explaining.mathml import formula_mathml, numbers_mathml, numbers_notation
from model.explaining.names import Names, input_symbols
from model.explaining.notation import left_side
from model.explaining.sentences import sentence_of
from model.explaining.trace import LEARNING_RATE, trace
from model.network import Network, Params
from model.pytrees import entry_name


class Step(msgspec.Struct, frozen=True):
    """One number that is computed.

    Attributes:
        name: what it is called, such as z1, δ1, loss, or a parameter's name, as in a checkpoint.
        symbol: what it is called in the formula, such as z1, new w[a→h1] and gradient of b[h1].
        kind: what it is.
        result: the number; None if it is not finite.
        formula: what it is made of, in MathML, with symbols.
        numbers: the same, with the numbers plugged in and the result.
        text: what numbers draws, as plain text.
        sentence: what it means here.
        row: the index of the row among those that are traced; None if it belongs to all rows.
        layer: the index of the layer; None if it belongs to no layer.
        unit: the index of the unit, or of the output; None if it belongs to none.
        input: the index of the layer's input that a weight multiplies; None for other numbers.
    """

    name: str
    symbol: str
    kind: Kind
    result: float | None
    formula: str
    numbers: str
    text: str
    sentence: str
    row: int | None
    layer: int | None
    unit: int | None
    input: int | None


class Steps(msgspec.Struct, frozen=True):
    """All that is computed for some rows.

    Attributes:
        symbols: what each input is called in formulas.
        predictions: of each row: the probability, the number, or those of all outputs.
        loss: of the rows; None if it is not finite.
        loss_after: the same after the step.
        steps: forwards, then backwards, then the updates.
    """

    symbols: tuple[str, ...]
    predictions: list[Any]
    loss: float | None
    loss_after: float | None
    steps: list[Step]


def explain_rows(
    params: Params,
    x: Num[Array, "rows columns"],
    y: Num[Array, "rows *outputs"],
    network: Network,
    learning_rate: float = LEARNING_RATE,
    *,
    names: Names | None = None,
) -> Steps:
    """A row, or several, forwards and backwards through a network, and one step of gradient descent, for a learner.

    The numbers are those of `trace` in a compiled program. Without compilation, the last digit may be another one.

    Args:
        params: of one network.
        x: [rows, columns], at least one row.
        y: the targets as `loss` takes them.
        network: the description of the network.
        learning_rate: of the step.
        names: of the inputs, the target and its classes; by default x1, x2 and so on, and y. With names, a weight is
            called by what it connects, such as w[a→h1], and a bias b[h1]; without, as in a checkpoint.

    Returns:
        Every number in the order in which it is computed.

    Raises:
        ValueError: if something does not fit the network.

    Example:
        >>> from model.network import Layer
        >>> params = [Layer(np.array([[2.0]]), np.array([-1.0]))]
        >>> explained = explain_rows(params, np.array([[0.5]]), np.array([1.0]), Network((1, 1)), names=Names(("a",)))
        >>> [step.text for step in explained.steps][:3]
        ['z1 = 0.5·2 − 1 = 0', 'p = sigmoid(0) = 0.5', 'loss = −log(0.5) = 0.6931']
    """
    ends = names is not None
    names = names or Names(tuple(f"x{index + 1}" for index in range(network.sizes[0])))
    symbols = input_symbols(names.inputs)
    traced = _compiled_trace(params, x, y, network, learning_rate)
    equations = Equations(traced, symbols, ends=ends)
    predictions = equations.trace.predictions
    return Steps(
        symbols,
        (predictions[:, 0] if predictions.shape[1] == 1 else predictions).tolist(),
        _finite(equations.trace.loss),
        _finite(equations.trace.loss_after),
        [_step(equation, equations, names) for equation in equations],
    )


_compiled_trace = jax.jit(trace)


def _step(equation: Equation, equations: Equations, names: Names) -> Step:
    return Step(
        name=_name(equation),
        symbol=left_side(equation).text,
        kind=equation.kind,
        result=_finite(equation.result),
        formula=formula_mathml(equation),
        numbers=numbers_mathml(equation),
        text=text_of(numbers_notation(equation)),
        sentence=sentence_of(equation, equations, names),
        row=equation.row,
        layer=equation.layer,
        unit=equation.unit,
        input=equation.input,
    )


def _name(equation: Equation) -> str:
    """What a number is called; a gradient and an update as the parameter in a checkpoint."""
    if equation.kind not in ("gradient", "update"):
        return equation.of
    if equation.input is None:
        return entry_name(f"{equation.layer}.bias", (int(equation.unit or 0),))
    return entry_name(f"{equation.layer}.weight", (equation.input, int(equation.unit or 0)))


def _finite(value: float | np.ndarray) -> float | None:
    return float(value) if math.isfinite(value) else None
