"""A sentence for every number of a trace: what it means here, in words that need no mathematics."""

from __future__ import annotations

import math

from model.explaining.backward_sentences import delta_sentence, gradient_sentence, update_sentence
from model.explaining.equations import Equation, Equations
from model.explaining.expressions import numbers_in
from model.explaining.forward_sentences import (
    activation_sentence,
    loss_sentence,
    preactivation_sentence,
    prediction_sentence,
    row_loss_sentence,
)
from model.explaining.names import Names, PartNames
from model.explaining.notation import left_side


def sentence_of(equation: Equation, equations: Equations, names: Names) -> str:
    """What one number of a trace means.

    Args:
        equation: of the number.
        equations: of the whole trace.
        names: of the inputs, the target and its classes.

    Returns:
        A sentence. What it says of the number holds for these very rows and parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from model.explaining.trace import trace
        >>> from model.network import Layer, Network
        >>> params = [Layer(jnp.array([[2.0]]), jnp.array([-1.5]))]
        >>> equations = Equations(trace(params, jnp.array([[0.5]]), jnp.array([1.0]), Network((1, 1))))
        >>> sentence_of(equations.delta(0, 0, 0), equations, Names(("a",)))
        'δ1 says how fast the loss grows with z1: the prediction 0.3775 is below the target 1, so z1 should go up.'
    """
    if not math.isfinite(equation.result):
        what = "is not a number" if math.isnan(equation.result) else "is larger than a computer's numbers go"
        return f"{left_side(equation).text} {what}, so nothing that is computed with it makes sense."
    if any(math.isnan(number.value) for number in numbers_in(equation.expression)):
        return f"{left_side(equation).text} is computed with something that is not a number, so it makes no sense."
    parts = PartNames(equations.trace.network, names)
    row, layer, unit = equation.row or 0, equation.layer or 0, equation.unit or 0
    match equation.kind:
        case "preactivation":
            return preactivation_sentence(equations, parts, row, layer, unit)
        case "activation":
            return activation_sentence(equations, parts, row, layer, unit)
        case "prediction":
            return prediction_sentence(equations, parts, row, unit)
        case "delta":
            return delta_sentence(equations, parts, row, layer, unit)
        case "gradient":
            return gradient_sentence(equations, parts, layer, unit, equation.input)
        case "update":
            return update_sentence(equations, parts, layer, unit, equation.input)
        case "loss" if equations.operands.terms > 1:
            return loss_sentence(equations)
        case "loss" | "row loss":
            return row_loss_sentence(equations, parts, row, unit)
