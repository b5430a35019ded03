"""A sentence for every number on the way forwards: what it means here."""

from __future__ import annotations

import math

import numpy as np

from model.explaining.arithmetic import number_text
from model.explaining.equations import Equations
from model.explaining.expressions import evaluate
from model.explaining.names import PartNames, capital
from model.tasks import DEFAULT_THRESHOLD

# A unit whose slope is smaller hardly reacts: it is saturated.
SATURATED_SLOPE = 0.01


def preactivation_sentence(equations: Equations, names: PartNames, row: int, layer: int, unit: int) -> str:
    """What the sum of a unit means.

    Args:
        equations: of the trace.
        names: of the parts of the network.
        row: the index of the row.
        layer: the index of the layer.
        unit: the index of the unit.

    Returns:
        The sentence.
    """
    operands, sources = equations.operands, range(equations.trace.network.sizes[layer])
    whose = capital(names.unit(layer, unit))
    inputs = [operands.input(row, layer, source).value for source in sources]
    if not any(inputs):
        what = "All its inputs are 0 for this row" if len(inputs) > 1 else "Its input is 0 for this row"
        return f"{what}, so of the sum of {names.unit(layer, unit)} only the bias is left."
    places = [*sources, None]
    sizes = [abs(operands.parameter(layer, unit, p).value * (1 if p is None else inputs[p])) for p in places]
    largest = places[int(np.argmax(sizes))]
    part = "its bias" if largest is None else names.source(layer, largest)
    if len(inputs) == 1:
        return f"{whose} multiplies its input by its weight and adds its bias."
    return f"{whose} adds its inputs times its weights, and its bias; the largest part comes from {part}."


def activation_sentence(equations: Equations, names: PartNames, row: int, layer: int, unit: int) -> str:
    """What a hidden unit makes of its sum.

    Args:
        equations: of the trace.
        names: of the parts of the network.
        row: the index of the row.
        layer: the index of the layer.
        unit: the index of the unit.

    Returns:
        The sentence.
    """
    z, name = equations.operands.z(row, layer, unit), equations.trace.network.activation
    whose, answer = names.unit(layer, unit), equations.activation(row, layer, unit).result
    if name == "relu":
        if z.value > 0:
            return f"{z.symbol} is above 0, so ReLU hands it on as it is: {whose} is on for this row."
        return (
            f"{z.symbol} is {'below' if z.value < 0 else 'exactly'} 0, so ReLU answers 0: {whose} is off for this row."
        )
    if name == "gelu":
        if not z.value:
            return f"{z.symbol} is exactly 0, so GELU answers 0."
        share = number_text(100 * answer / z.value) if math.isfinite(z.value) else "100"
        return f"GELU hands on {share} % of {z.symbol}: nearly all of a large number, hardly any of one far below 0."
    low, function = ("−1", "tanh") if name == "tanh" else ("0", "The sigmoid")
    slope = math.prod(map(evaluate, equations.operands.slope(row, layer, unit)))
    if slope < SATURATED_SLOPE:
        return f"{function} squeezes {z.symbol}, which is so far from 0 that a nudge of it hardly changes the answer."
    return f"{function} squeezes {z.symbol} to a number between {low} and 1."


def prediction_sentence(equations: Equations, names: PartNames, row: int, output: int) -> str:
    """What a prediction says, and what is true.

    Args:
        equations: of the trace.
        names: of the parts of the network.
        row: the index of the row.
        output: the index of the output.

    Returns:
        The sentence.
    """
    operands = equations.operands
    z, y = operands.z(row, operands.last, output), operands.target(row, output).value
    prediction, target = operands.prediction(row, output).value, names.target(output)
    said = number_text(prediction)
    if not operands.task.has_classes:
        truth = number_text(y)
        return f"The output is the prediction: the network says that {target} is {said}, and in truth it is {truth}."
    if operands.task.output_per_class:
        named, truth = names.class_name(output), "it is the right class" if y else "it is not the right class"
        return f"The softmax makes probabilities of all outputs: class {named} gets {said}, and {truth}."
    start = f"The sigmoid turns {z.symbol} into a probability: {said} that {target} is {names.class_name(1)}"
    if y not in (0, 1):
        return f"{start}, and the target is {number_text(y)}."
    verdict = "right" if (prediction >= DEFAULT_THRESHOLD) == (y == 1) else "wrong"
    return f"{start}; in truth {target} is {names.class_name(int(y))}, so the network is {verdict}."


def row_loss_sentence(equations: Equations, names: PartNames, row: int, output: int) -> str:
    """What the loss of one row, or of one output of it, says.

    Args:
        equations: of the trace.
        names: of the parts of the network.
        row: the index of the row.
        output: the index of the output.

    Returns:
        The sentence.
    """
    operands = equations.operands
    if not operands.task.has_classes:
        error = operands.prediction(row, output).value - operands.target(row, output).value
        return f"The prediction misses the target by {number_text(abs(error))}, and the loss is the square of that."
    y = operands.target(row, output).value
    if not operands.task.output_per_class and y not in (0, 1):
        return f"The target {number_text(y)} lies between 0 and 1, so the loss counts both answers, each by its share."
    choices = len(operands.units(operands.last)) if operands.task.output_per_class else 2
    guess, found = math.log(choices), equations.row_loss(row, output).result
    compared = "less" if found < guess else "more" if found > guess else "just this"
    return (
        "The loss is 0 if the network is sure of what is right, and large if it is sure of something else; "
        f"a guess among {choices} answers costs {number_text(guess)}, and this row costs {compared}."
    )


def loss_sentence(equations: Equations) -> str:
    """What the mean of several losses says.

    Args:
        equations: of the trace.

    Returns:
        The sentence.
    """
    outputs = equations.trace.losses.shape[1]
    rows = f"the {equations.rows:,} rows" if equations.rows > 1 else ""
    of = " and ".join(filter(None, [rows, f"the {outputs} outputs" if outputs > 1 else ""]))
    return f"The loss is the mean of the losses of {of}: this is the one number that training makes smaller."
