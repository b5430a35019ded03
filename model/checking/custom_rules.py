"""The custom derivative rules in a traced function, whose results become further outputs of the function.

The rules of JAX itself and of this package are left out. A rule inside a `while_loop` or another rule is not seen.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp

from model.checking.rule_sources import RULE_PRIMITIVES, RuleOutput, floating_results, open_jaxpr, rule_outputs

CALL_PRIMITIVES = ("jit", "pjit", "closed_call", "core_call")
REMAT_PRIMITIVES = ("remat2", "remat", "checkpoint")


def find_rule_outputs(program: Any) -> list[RuleOutput]:
    """The results of all functions with a custom rule, in the order of the program.

    Args:
        program: a jaxpr, closed or not.

    Returns:
        One for each floating-point result of each call.

    Example:
        >>> double = jax.custom_jvp(lambda x: 2 * x)
        >>> _ = double.defjvp(lambda primals, tangents: (2 * primals[0], 2 * tangents[0]))
        >>> [output.shape for output in find_rule_outputs(jax.make_jaxpr(lambda x: double(x[0]))(jnp.ones(3)))]
        [()]
    """
    return [output for equation in open_jaxpr(program).eqns for output in _outputs_of(equation)]


def returns_a_rule(program: Any) -> bool:
    """Whether all that a program returns is what a function with a custom rule returned.

    Args:
        program: a jaxpr, closed or not.

    Returns:
        True for a function that is such a function itself.

    Example:
        >>> double = jax.custom_jvp(lambda x: 2 * x)
        >>> _ = double.defjvp(lambda primals, tangents: (2 * primals[0], 2 * tangents[0]))
        >>> [returns_a_rule(jax.make_jaxpr(each)(1.0)) for each in (double, jax.jit(double), lambda x: double(x) + 1)]
        [True, True, False]
    """
    jaxpr = open_jaxpr(program)
    if len(jaxpr.outvars) != 1 or is_literal(jaxpr.outvars[0]):
        return False
    for equation in jaxpr.eqns:
        if list(equation.outvars) == list(jaxpr.outvars):
            is_call = equation.primitive.name in (*CALL_PRIMITIVES, *REMAT_PRIMITIVES)
            return bool(list(rule_outputs(equation))) or (is_call and returns_a_rule(inner_program(equation)))
    return False


def evaluate_exposed(program: Any, inputs: Sequence[Any], nudges: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Evaluate a program, and return what its functions with custom rules returned.

    Args:
        program: a jaxpr, closed or not.
        inputs: of the program.
        nudges: one array for each of `find_rule_outputs`, which is added to that result.

    Returns:
        The outputs of the program, and the results of its functions with rules, zeros in a branch that is not taken.
    """
    jaxpr, consts = open_program(program)
    values = dict(zip(jaxpr.constvars, consts, strict=True))
    values |= dict(zip(jaxpr.invars, inputs, strict=True))

    def read(var: Any) -> Any:
        return var.val if is_literal(var) else values[var]

    remaining, exposed = iter(nudges), []
    for equation in jaxpr.eqns:
        own = list(itertools.islice(remaining, len(_outputs_of(equation))))
        operands = [read(var) for var in equation.invars]
        if not own:
            results, found = evaluate_equation(jaxpr, equation, operands), []
        elif equation.primitive.name in RULE_PRIMITIVES:
            results = evaluate_equation(jaxpr, equation, operands)
            found = [results[position] + nudge for position, nudge in zip(floating_results(equation), own, strict=True)]
            results = _with_replaced(results, floating_results(equation), found)
        else:
            results, found = _nested_evaluator(equation)(equation, operands, own)
        values |= dict(zip(equation.outvars, results, strict=True))
        exposed += found
    return [read(var) for var in jaxpr.outvars], exposed


def _outputs_of(equation: Any) -> list[RuleOutput]:
    name = equation.primitive.name
    if name in RULE_PRIMITIVES:
        return list(rule_outputs(equation))
    if name in (*CALL_PRIMITIVES, *REMAT_PRIMITIVES):
        return find_rule_outputs(inner_program(equation))
    if name == "scan":
        length = equation.params["length"]
        return [output._replace(shape=(length, *output.shape)) for output in find_rule_outputs(inner_program(equation))]
    if name == "cond":
        return [output for branch in equation.params["branches"] for output in find_rule_outputs(branch)]
    return []


def _nested_evaluator(equation: Any) -> Callable[..., tuple[list[Any], list[Any]]]:
    name = equation.primitive.name
    if name in CALL_PRIMITIVES:
        return _evaluate_call
    return {"scan": _evaluate_scan, "cond": _evaluate_cond}.get(name, _evaluate_remat)


def _with_replaced(values: list[Any], positions: list[int], others: list[Any]) -> list[Any]:
    replaced = dict(zip(positions, others, strict=True))
    return [replaced.get(position, value) for position, value in enumerate(values)]


def evaluate_equation(jaxpr: Any, equation: Any, operands: Sequence[Any]) -> list[Any]:
    """Evaluate a single equation, as a program of its own.

    Args:
        jaxpr: that the equation is in.
        equation: of it.
        operands: its inputs.

    Returns:
        Its results; None for one that is not used.
    """
    given = {var: operand for var, operand in zip(equation.invars, operands, strict=True) if not is_literal(var)}
    named = [var for var in equation.outvars if not isinstance(var, jax.extend.core.DropVar)]
    alone = jaxpr.replace(
        constvars=[],
        invars=list(given),
        outvars=named,
        eqns=[equation],
        debug_info=jaxpr.debug_info.with_unknown_names(),
    )
    results = dict(zip(named, jax.extend.core.jaxpr_as_fun(_close(alone))(*given.values()), strict=True))
    return [results.get(var) for var in equation.outvars]


def _evaluate_call(equation: Any, operands: Sequence[Any], nudges: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    return evaluate_exposed(inner_program(equation), operands, nudges)


def _evaluate_remat(equation: Any, operands: Sequence[Any], nudges: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    options = {key: equation.params[key] for key in ("policy", "prevent_cse")}
    inner = jax.checkpoint(functools.partial(evaluate_exposed, inner_program(equation)), **options)
    found: tuple[list[Any], list[Any]] = inner(list(operands), list(nudges))
    return found


def _evaluate_scan(equation: Any, operands: Sequence[Any], nudges: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Rebuild the scan. What is a constant, carried or scanned over follows from the shapes."""
    program = inner_program(equation)
    body = open_jaxpr(program)
    carried, kept = _count_same_shapes(equation.outvars, body.outvars), _count_same_shapes(equation.invars, body.invars)
    constants, carry, scanned = operands[: kept - carried], operands[kept - carried : kept], operands[kept:]

    def step(carry: Any, slices: Any) -> Any:
        scanned, nudges = slices
        results, found = evaluate_exposed(program, [*constants, *carry, *scanned], nudges)
        return results[:carried], (results[carried:], found)

    options = {key: equation.params[key] for key in ("length", "reverse", "unroll")}
    carry, (stacked, exposed) = jax.lax.scan(step, list(carry), (list(scanned), list(nudges)), **options)
    return [*carry, *stacked], exposed


def _count_same_shapes(outer: Sequence[Any], inner: Sequence[Any]) -> int:
    return sum(one.aval.shape == other.aval.shape for one, other in zip(outer, inner, strict=True))


def _evaluate_cond(equation: Any, operands: Sequence[Any], nudges: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    branches = equation.params["branches"]
    counts = [len(find_rule_outputs(branch)) for branch in branches]

    def make(index: int) -> Callable[..., Any]:
        start = sum(counts[:index])
        inside = slice(start, start + counts[index])

        def branch(operands: list[Any], nudges: list[Any]) -> Any:
            results, found = evaluate_exposed(branches[index], operands, nudges[inside])
            exposed = [jnp.zeros_like(nudge) for nudge in nudges]
            exposed[inside] = found
            return results, exposed

        return branch

    switch = [make(index) for index in range(len(branches))]
    found: tuple[list[Any], list[Any]] = jax.lax.switch(operands[0], switch, list(operands[1:]), list(nudges))
    return found


def inner_program(equation: Any) -> Any:
    """The program that an equation calls or loops over.

    Args:
        equation: with one program.

    Returns:
        The jaxpr, closed or not.
    """
    return equation.params["call_jaxpr" if "call_jaxpr" in equation.params else "jaxpr"]


def _close(jaxpr: Any) -> Any:
    closed = jax.extend.core.ClosedJaxpr
    return jaxpr if isinstance(jaxpr, closed) else closed(jaxpr, [])


def open_program(program: Any) -> tuple[Any, Sequence[Any]]:
    """Take a program apart.

    Args:
        program: a jaxpr, closed or not.

    Returns:
        The open jaxpr, and its constants.
    """
    return open_jaxpr(program), getattr(program, "consts", ())


def is_literal(var: Any) -> bool:
    """Whether an operand of an equation is a number in the program.

    Args:
        var: the operand.

    Returns:
        True for a number; its attribute `val` is the number.
    """
    return isinstance(var, jax.extend.core.Literal)
