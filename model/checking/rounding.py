"""What a traced program says of itself before it runs: how coarsely it rounds, how much it computes, and with what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

# The distance from 1 to the next number, in float64.
EPS = float(np.finfo(np.float64).eps)

# Primitives whose values are stairs by intent, and where the slope of a stair, 0, is meant.
QUANTIZING_PRIMITIVES = frozenset({"round", "floor", "ceil", "sign", "rem", "argmax", "argmin"})


@dataclass(frozen=True)
class ProgramPrecision:
    """What a traced program says of itself.

    coarsest: for each output, the largest rounding on its way from an input; EPS where all of it is float64. through:
    for each input, the largest rounding on its way to an output. numbers: how many there are in all results, an upper
    bound of what is in memory at once. stairs: whether values are cut to stairs on purpose. loops: whether there is a
    loop that ends when its values say so.
    """

    output_roundoff: tuple[float, ...]
    input_roundoff: tuple[float, ...]
    value_count: int
    quantizes: bool
    has_while_loop: bool


def unit_roundoff(dtype: Any) -> float:
    """The distance from 1 to the next number of a floating-point dtype; 0 for any other.

    >>> unit_roundoff(np.float64), unit_roundoff(jnp.bfloat16), unit_roundoff(np.int32)
    (2.220446049250313e-16, 0.0078125, 0.0)
    """
    if not jnp.issubdtype(dtype, jnp.floating):
        return 0.0
    return float(jnp.finfo(dtype).eps)  # type: ignore[no-untyped-call]


def inspect_program(closed: jax.extend.core.ClosedJaxpr, inputs: int = 0) -> ProgramPrecision:
    """Follow every input of a traced program to its outputs; the first so many one by one.

    The body of a loop and the branches of a condition count whole: what is coarse anywhere in one is taken to be coarse
    on every way through it.

    >>> def fun(p, q):
    ...     return p.astype(jnp.bfloat16).astype(jnp.float32), q * 2
    >>> seen = inspect_program(jax.make_jaxpr(fun)(jnp.ones(3), jnp.ones(3)), inputs=1)
    >>> seen.output_roundoff, seen.input_roundoff, seen.value_count, seen.quantizes
    ((0.0078125, 1.1920928955078125e-07), (0.0078125,), 9, False)
    """
    jaxpr = closed.jaxpr
    coarsest = _follow(jaxpr, [EPS] * len(jaxpr.invars))
    one_by_one = [[EPS if other == one else None for other in range(len(jaxpr.invars))] for one in range(inputs)]
    through = [max(filter(None, _follow(jaxpr, given)), default=EPS) for given in one_by_one]
    names = {equation.primitive.name for equation in _equations(jaxpr)}
    stairs = bool(names & QUANTIZING_PRIMITIVES) or any(map(_cuts_to_whole_numbers, _equations(jaxpr)))
    return ProgramPrecision(
        tuple(found or EPS for found in coarsest), tuple(through), _numbers(jaxpr), stairs, "while" in names
    )


def _follow(jaxpr: Any, given: list[float | None]) -> list[float | None]:
    """The coarsest rounding on the way to each output; None for one that does not depend on a given input."""
    known = {var: found for var, found in zip(jaxpr.invars, given, strict=True) if found}

    def of(var: Any) -> float | None:
        return None if isinstance(var, jax.extend.core.Literal) else known.get(var)

    for equation in jaxpr.eqns:
        ways = [of(var) for var in equation.invars]
        if not any(ways):
            continue
        programs = list(_programs(equation))
        if (
            len(programs) == 1
            and equation.primitive.name not in ("scan", "while", "cond")
            and _same_ends(equation, programs[0])
        ):
            results = _follow(programs[0], ways)
        else:
            results = [max(filter(None, [*ways, *map(_coarsest_within, programs)]))] * len(equation.outvars)
        for var, result in zip(equation.outvars, results, strict=True):
            if result:
                known[var] = max(result, _rounding_of(var), _reduced(equation))
    return [of(var) for var in jaxpr.outvars]


def _same_ends(equation: Any, program: Any) -> bool:
    return len(program.invars) == len(equation.invars) and len(program.outvars) == len(equation.outvars)


def _reduced(equation: Any) -> float:
    """The rounding of a value that is cut to fewer digits without another dtype."""
    return float(2.0 ** -equation.params["mantissa_bits"]) if equation.primitive.name == "reduce_precision" else 0.0


def _rounding_of(var: Any) -> float:
    return unit_roundoff(getattr(var.aval, "dtype", np.bool_))


def _cuts_to_whole_numbers(equation: Any) -> bool:
    if equation.primitive.name != "convert_element_type":
        return False
    (before,), (after,) = equation.invars, equation.outvars
    return bool(_rounding_of(before)) and jnp.issubdtype(after.aval.dtype, jnp.integer)


def _programs(equation: Any) -> Iterator[Any]:
    """The programs that an equation holds: the body of a loop, the branches of a condition, a function's own."""
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else [value]:
            inner = getattr(item, "jaxpr", item)
            if hasattr(inner, "eqns"):
                yield inner


def _equations(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        yield equation
        for program in _programs(equation):
            yield from _equations(program)


def _coarsest_within(jaxpr: Any) -> float:
    return max((max(_rounding_of(var), _reduced(eqn)) for eqn in _equations(jaxpr) for var in eqn.outvars), default=0.0)


def _numbers(jaxpr: Any) -> int:
    total = 0
    for equation in jaxpr.eqns:
        total += sum(int(np.prod(getattr(var.aval, "shape", ()))) for var in equation.outvars)
        total += sum(map(_numbers, _programs(equation)))
    return total
