"""What the outputs of a network become, as expressions: predictions, losses, and derivatives of the loss."""

from __future__ import annotations

from collections.abc import Sequence

from model.explaining.expressions import ONE, Call, Expression, Negative, Number, Product, Quotient, Sum
from model.explaining.operands import Operands

# In a softmax, the largest z is subtracted from every z if one is beyond this one: float32 holds e^88.
LARGEST_EXPONENT = 80.0
# The probability of what is true is written in the loss if it is at least so far from 0 and from 1. Otherwise float32
# has too few digits of its logarithm, and the logits are written.
FROM_ZERO, FROM_ONE = 1e-3, 1e-4


def prediction_expression(operands: Operands, row: int, output: int) -> Expression:
    """A prediction: sigmoid(z), softmax(z), or z.

    Args:
        operands: the numbers of a trace.
        row: the index of the row.
        output: the index of the output.

    Returns:
        The expression.
    """
    zs = _logits(operands, row)
    if not operands.task.output_per_class:
        return Call("sigmoid", zs[output]) if operands.task.has_classes else zs[output]
    exponents: list[Expression] = [*zs]
    if max(abs(z.value) for z in zs) > LARGEST_EXPONENT:
        largest = max(zs, key=lambda z: z.value)
        exponents = [Sum((z, Negative(largest))) for z in zs]
    powers = tuple(Call("exp", exponent) for exponent in exponents)
    return Quotient(powers[output], Sum(powers))


def loss_expression(operands: Operands, row: int, output: int) -> Expression:
    """One of the losses of which the loss is the mean: a cross-entropy, or a squared error.

    Args:
        operands: the numbers of a trace.
        row: the index of the row.
        output: the index of the output; 0 in a multiclass task.

    Returns:
        The expression.
    """
    if operands.task.output_per_class:
        target = int(operands.trace.targets[row].argmax())
        return softmax_cross_entropy_expression(_logits(operands, row), operands.prediction(row, target), target)
    if operands.task.has_classes:
        z = operands.z(row, operands.last, output)
        return cross_entropy_expression(z, operands.prediction(row, output), operands.target(row, output))
    return Call("square", _error(operands, row, output))


def residual_expression(operands: Operands, row: int, output: int) -> Expression:
    """The derivative of the loss by the z of an output: prediction minus target, twice that in a regression.

    Args:
        operands: the numbers of a trace.
        row: the index of the row.
        output: the index of the output.

    Returns:
        The expression, with the number of losses as the divisor if there are several.
    """
    error = _error(operands, row, output)
    return mean_expression(operands, error if operands.task.has_classes else Product((Number(2.0), error)))


def mean_expression(operands: Operands, expression: Expression) -> Expression:
    """An expression divided by the number of losses.

    Args:
        operands: the numbers of a trace.
        expression: any.

    Returns:
        The expression itself if there is one loss.
    """
    return expression if operands.terms == 1 else Quotient(expression, Number(float(operands.terms)))


def _logits(operands: Operands, row: int) -> list[Number]:
    return [operands.z(row, operands.last, unit) for unit in operands.units(operands.last)]


def _error(operands: Operands, row: int, output: int) -> Sum:
    return Sum((operands.prediction(row, output), Negative(operands.target(row, output))))


def cross_entropy_expression(z: Number, p: Number, y: Number) -> Expression:
    """The cross-entropy of one target: -log(p), -log(1 - p), or their mean with the weights y and 1 - y.

    Args:
        z: the logit.
        p: the probability that the target is 1.
        y: the target, from 0 to 1.

    Returns:
        The expression; in z if p is so near to 0 or 1 that float32 has few digits of its difference.

    Example:
        >>> cross_entropy_expression(Number(0.0, "z"), Number(0.5, "p"), ONE)
        Negative(of=Call(function='log', argument=Number(value=0.5, symbol='p')))
    """
    of_one, of_zero = Call("log", p), Call("log", Sum((ONE, Negative(p))))
    if y.value in (0, 1):
        is_exact = FROM_ZERO <= (p.value if y.value else 1 - p.value) <= 1 - FROM_ONE
        return Negative(of_one if y.value else of_zero) if is_exact else _of_logit(z, y)
    if not FROM_ZERO <= p.value <= 1 - FROM_ZERO:
        return _of_logit(z, y)
    first = Negative(Product((y, of_one)))
    return Sum((first, Negative(Product((Sum((ONE, Negative(y))), of_zero)))))


def _of_logit(z: Number, y: Number) -> Expression:
    """max(z, 0) - z y + log(1 + exp(-|z|)), as in `model.tasks.cross_entropy`, without terms that are 0."""
    is_positive = z.value > 0
    logarithm = Call("log", Sum((ONE, Call("exp", Negative(z) if is_positive else z))))
    if y.value == is_positive:
        return logarithm
    if y.value in (0, 1):
        return Sum((logarithm, z if is_positive else Negative(z)))
    product = Negative(Product((z, y)))
    return Sum((logarithm, z, product) if is_positive else (logarithm, product))


def softmax_cross_entropy_expression(zs: Sequence[Number], p: Number, target: int) -> Expression:
    """The cross-entropy of a row with several classes: -log(p).

    Args:
        zs: the logits.
        p: the probability of the class that is right.
        target: the index of that class.

    Returns:
        The expression; in the logits if p is so near to 0 or 1 that float32 has few digits of its difference.

    Example:
        >>> softmax_cross_entropy_expression([Number(0.0), Number(0.0)], Number(0.5, "p1"), 0)
        Negative(of=Call(function='log', argument=Number(value=0.5, symbol='p1')))
    """
    if FROM_ZERO <= p.value <= 1 - FROM_ONE:
        return Negative(Call("log", p))
    largest = max(range(len(zs)), key=lambda index: zs[index].value)
    others = [z for index, z in enumerate(zs) if index != largest]
    powers = [Call("exp", Sum((z, Negative(zs[largest])))) for z in others]
    logarithm = Call("log", Sum((ONE, *powers)))
    return logarithm if target == largest else Sum((logarithm, zs[largest], Negative(zs[target])))
