"""Where a derivative stops being finite: the first operation of the traced program, with its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.custom_rules import (
    CALL_PRIMITIVES,
    evaluate_equation,
    inner_program,
    is_literal,
    open_program,
)
from model.checking.rule_sources import rule_outputs, source_line, user_frame
from model.pytrees import is_floating

# Operations whose derivative is infinite or not defined at the edge of their domain.
EDGED_PRIMITIVES = (
    "sqrt",
    "rsqrt",
    "cbrt",
    "log",
    "log1p",
    "div",
    "pow",
    "acos",
    "asin",
    "acosh",
    "atanh",
    "integer_pow",
)
# Operations that are looked at; a longer program takes too long.
MAX_OPERATIONS = 2000


class Origin(NamedTuple):
    """An operation whose derivative is not finite.

    Attributes:
        operation: its name, as JAX calls it.
        line: of the source, such as losses.py:12; empty if it is not known.
    """

    operation: str
    line: str

    def __str__(self) -> str:
        place = f", in {self.line}" if self.line else ""
        hint = ""
        if self.operation in EDGED_PRIMITIVES:
            hint = f"; if a where leaves that value out, another where must give {self.operation} a safe argument too"
        return f"the first derivative that is not finite is that of {self.operation}{place}{hint}."


def find_nan_origin(function: CheckedFunction) -> Origin | None:
    """The first operation of a function whose own derivative is not finite although its arguments are.

    Args:
        function: at its point.

    Returns:
        The operation; None if there is none, or if JAX cannot trace the function.

    Example:
        >>> from model.checking.tracing import prepare
        >>> fun = prepare(lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0), jnp.zeros(()), ())
        >>> find_nan_origin(fun).operation
        'sqrt'
    """
    if not function.is_traced:
        return None
    with function.jax_settings(), np.errstate(all="ignore"):
        program = jax.make_jaxpr(function.output)(function.point, function.argument_arrays)
        for count, (equation, is_finite) in enumerate(
            _operations(program, [*function.point, *function.argument_arrays])
        ):
            if not is_finite:
                rules = [rule.label for rule in rule_outputs(equation)]
                return Origin(f"the rule of {rules[0]}" if rules else equation.primitive.name, _line(equation))
            if count >= MAX_OPERATIONS:
                break
    return None


def _operations(program: Any, inputs: Sequence[Any]) -> Iterator[tuple[Any, bool]]:
    """Yield each operation in the order of the program, and whether its derivative is as finite as its arguments."""
    jaxpr, consts = open_program(program)
    values = dict(zip(jaxpr.constvars, consts, strict=True)) | dict(zip(jaxpr.invars, inputs, strict=True))
    for equation in jaxpr.eqns:
        operands = [jnp.asarray(var.val if is_literal(var) else values[var]) for var in equation.invars]
        if equation.primitive.name in CALL_PRIMITIVES:
            yield from _operations(inner_program(equation), operands)
            results = evaluate_equation(jaxpr, equation, operands)
        else:
            yield equation, _has_finite_derivative(jaxpr, equation, operands)
            results = evaluate_equation(jaxpr, equation, operands)
        values |= dict(zip(equation.outvars, results, strict=True))


def _has_finite_derivative(jaxpr: Any, equation: Any, operands: list[Any]) -> bool:
    floating = [index for index, operand in enumerate(operands) if is_floating(operand)]
    if not floating or not all(bool(jnp.isfinite(operands[index]).all()) for index in floating):
        return True

    def of_floats(floats: list[Any]) -> list[Any]:
        given = dict(zip(floating, floats, strict=True))
        moved = [given.get(index, operand) for index, operand in enumerate(operands)]
        return [result for result in evaluate_equation(jaxpr, equation, moved) if is_floating(result)]

    floats = [operands[index] for index in floating]
    try:
        primals, pull_back = jax.vjp(of_floats, floats)
        derivatives = jax.tree.leaves(pull_back([jnp.ones_like(primal) for primal in primals]))
    except Exception:  # a user's rule may raise anything, and a loop has no reverse mode
        return True
    return all(bool(jnp.isfinite(derivative).all()) for derivative in derivatives)


def _line(equation: Any) -> str:
    """The line of the user's code that an operation comes from."""
    frame = user_frame(equation)
    return source_line(frame) if frame else ""
