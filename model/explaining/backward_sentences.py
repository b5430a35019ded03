"""A sentence for every number on the way backwards, and for the step: what it means here."""

from __future__ import annotations

import numpy as np

from model.explaining.arithmetic import change_texts, number_text
from model.explaining.equations import Equations
from model.explaining.forward_sentences import SATURATED_SLOPE
from model.explaining.names import PartNames, capital


def delta_sentence(equations: Equations, names: PartNames, row: int, layer: int, unit: int) -> str:
    """What the derivative of the loss by the sum of a unit says.

    Args:
        equations: of the trace.
        names: of the parts of the network.
        row: the index of the row.
        layer: the index of the layer.
        unit: the index of the unit.

    Returns:
        The sentence.
    """
    operands = equations.operands
    delta, z = operands.delta(row, layer, unit), operands.z(row, layer, unit)
    if layer == operands.last:
        return (
            f"{delta.symbol} says how fast the loss grows with {z.symbol}: {_error_words(equations, names, row, unit)}."
        )
    whose, slope = names.unit(layer, unit), float(equations.trace.slopes[layer][row, unit])
    if slope == 0:
        return f"{capital(whose)} is {_still_word(equations)} for this row: a nudge of {z.symbol} changes nothing."
    weights = [operands.parameter(layer + 1, following, unit).value for following in operands.units(layer + 1)]
    if delta.value == 0:
        why = "its weights to the next layer are 0" if not any(weights) else "no error comes back to it"
        return f"{delta.symbol} is 0, because {why}: a nudge of {z.symbol} changes nothing."
    way = f"the weight {number_text(weights[0])}" if len(weights) == 1 else f"its {len(weights)} weights"
    hardly = ", of which the small slope lets hardly any through" if abs(slope) < SATURATED_SLOPE else ""
    start = f"{delta.symbol} is the error that comes back to {whose} through {way}{hardly}"
    return f"{start}: {_direction(delta.value, z.symbol)}."


def _error_words(equations: Equations, names: PartNames, row: int, output: int) -> str:
    """What the error of an output is, and where it should go."""
    operands = equations.operands
    p, y = operands.prediction(row, output).value, operands.target(row, output).value
    delta, z = operands.delta(row, operands.last, output).value, operands.z(row, operands.last, output).symbol
    if operands.task.output_per_class:
        whether = "right" if y else "wrong"
        what = f"class {names.class_name(output)} is {whether} and gets {number_text(p)}"
    elif delta == 0:
        what = "the prediction equals the target"
    else:
        what = f"the prediction {number_text(p)} is {'above' if delta > 0 else 'below'} the target {number_text(y)}"
    return f"{what}, so {_direction(delta, z)}"


def _direction(slope: float, what: str) -> str:
    """Where something should go so that the loss falls."""
    return f"{what} should {'stay as it is' if slope == 0 else 'go down' if slope > 0 else 'go up'}"


def _still_word(equations: Equations) -> str:
    return "off" if equations.trace.network.activation == "relu" else "saturated"


def gradient_sentence(equations: Equations, names: PartNames, layer: int, unit: int, source: int | None) -> str:
    """What the derivative of the loss by a parameter says.

    Args:
        equations: of the trace.
        names: of the parts of the network.
        layer: the index of the layer.
        unit: the index of the unit.
        source: the index of the layer's input that the weight multiplies; None for a bias.

    Returns:
        The sentence.
    """
    gradient, parameter = equations.operands.gradient(layer, unit, source).value, names.parameter(layer, unit, source)
    if gradient == 0:
        reason = _reason_for_zero(equations, names, layer, unit, source)
        return f"{capital(parameter)} gets no gradient, because {reason}."
    changes = "grows" if gradient > 0 else "falls"
    return (
        f"If {parameter} grows by a little, the loss {changes} {number_text(abs(gradient))} times as much, "
        f"so {_direction(gradient, 'it')}."
    )


def _reason_for_zero(equations: Equations, names: PartNames, layer: int, unit: int, source: int | None) -> str:
    traced, operands = equations.trace, equations.operands
    rows = "this row" if equations.rows == 1 else "every row"
    deltas = traced.deltas[layer][:, unit]
    inputs = np.ones(equations.rows) if source is None else traced.inputs[layer][:, source]
    if source is not None and not inputs.any():
        if layer and traced.network.activation == "relu":
            return f"{names.source(layer, source)} is off for {rows}"
        return f"{names.source(layer, source)} {'answers' if layer else 'is'} 0 {'for' if layer else 'in'} {rows}"
    if not deltas.any():
        if layer < operands.last and not traced.slopes[layer][:, unit].any():
            return f"{names.unit(layer, unit)} is {_still_word(equations)} for {rows}"
        return f"{operands.delta(0, layer, unit).symbol} is 0 for {rows}"
    if not (inputs * deltas).any():
        return f"for every row its input or {operands.delta(0, layer, unit).symbol} is 0"
    return "what some rows want is just the opposite of what the others want"


def update_sentence(equations: Equations, names: PartNames, layer: int, unit: int, source: int | None) -> str:
    """What the step does to a parameter.

    Args:
        equations: of the trace.
        names: of the parts of the network.
        layer: the index of the layer.
        unit: the index of the unit.
        source: the index of the layer's input that the weight multiplies; None for a bias.

    Returns:
        The sentence.
    """
    operands, parameter = equations.operands, capital(names.parameter(layer, unit, source))
    before, after = (each(layer, unit, source).value for each in (operands.parameter, operands.updated))
    gradient = operands.gradient(layer, unit, source).value
    if before == after:
        rate = float(equations.trace.learning_rate)
        why = (
            "its gradient is 0"
            if not gradient
            else "the learning rate is 0"
            if not rate
            else ("the step is too small to change its last digit")
        )
        return f"{parameter} stays as it is, because {why}."
    first, second = change_texts(before, after)
    why = "the loss grows with it" if gradient > 0 else "the loss falls as it grows"
    return f"{parameter} goes {'up' if after > before else 'down'} from {first} to {second}, because {why}."
