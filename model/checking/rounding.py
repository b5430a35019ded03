"""What a traced program tells about its arithmetic before it runs: how coarsely it rounds, and how much it computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from model.pytrees import Leaves

# The unit roundoff of float64 and of float32, as the distance from 1 to the next number.
FLOAT64_ROUNDOFF = float(np.finfo(np.float64).eps)
FLOAT32_ROUNDOFF = float(np.finfo(np.float32).eps)
# How many points are tried nearby, and how many roundings away each is.
NEARBY_POINTS, NEARBY_ROUNDINGS = 8, 4

# Primitives whose values are steps on purpose. The slope of a step, 0, is what is meant.
QUANTIZING_PRIMITIVES = frozenset({"round", "floor", "ceil", "sign", "rem", "argmax", "argmin"})
# Those among them whose steps are many and small.
GRID_PRIMITIVES = frozenset({"round", "floor", "ceil", "rem"})
# Primitives whose inner programs have other inputs or outputs than the equation itself.
CONTROL_FLOW_PRIMITIVES = ("scan", "while", "cond")


@dataclass(frozen=True)
class ProgramPrecision:
    """What a traced program tells about its arithmetic.

    Attributes:
        output_roundoff: for each output, the coarsest unit roundoff on any path from an input to it.
        input_roundoff: for each input, the coarsest unit roundoff on any path from it to an output.
        value_count: the number of values in all intermediate results: an upper bound of what is in memory at once.
        quantizes: whether values are quantized on purpose, as by `round` or `sign`.
        has_grid: whether this is done on a grid, as by `round`, so that values may form a sawtooth on purpose.
        has_while_loop: whether there is a loop that ends when its values say so.
        has_loop_in_branch: whether there is such a loop in a branch of a condition. If the function were mapped over
            points, the loop would run for points that take another branch, and perhaps never end.
    """

    output_roundoff: tuple[float, ...]
    input_roundoff: tuple[float, ...]
    value_count: int
    quantizes: bool
    has_grid: bool
    has_while_loop: bool
    has_loop_in_branch: bool


def unit_roundoff(dtype: Any) -> float:
    """The distance from 1 to the next number of a floating-point dtype.

    Args:
        dtype: of JAX or NumPy.

    Returns:
        The distance; 0 for a dtype that is not floating-point.

    Example:
        >>> unit_roundoff(np.float64), unit_roundoff(jnp.bfloat16), unit_roundoff(np.int32)
        (2.220446049250313e-16, 0.0078125, 0.0)
    """
    if not jnp.issubdtype(dtype, jnp.floating):
        return 0.0
    return float(jnp.finfo(dtype).eps)  # type: ignore[no-untyped-call]


def points_nearby(point: Leaves) -> Iterator[Leaves]:
    """Yield points whose entries are a few roundings away, at which the rounding of a function's values shows.

    Args:
        point: arrays.

    Yields:
        Arrays of the same shapes and dtypes.

    Example:
        >>> [len(leaves) for leaves in points_nearby([np.ones(3)])]
        [1, 1, 1, 1, 1, 1, 1, 1]
    """
    rng = np.random.default_rng(0)
    for _ in range(NEARBY_POINTS):
        moved = [
            leaf * (1 + NEARBY_ROUNDINGS * unit_roundoff(leaf.dtype) * rng.choice([-1, 1], leaf.shape))
            for leaf in point
        ]
        yield [part.astype(leaf.dtype) for part, leaf in zip(moved, point, strict=True)]


def inspect_program(closed: jax.extend.core.ClosedJaxpr, inputs: int = 0) -> ProgramPrecision:
    """Follow the values of a traced program from its inputs to its outputs.

    A loop's body and a condition's branches count as a whole: what is coarse anywhere in one counts as coarse on every
    path through it.

    Args:
        closed: the traced program.
        inputs: how many of its first inputs are followed one by one, for `input_roundoff`.

    Returns:
        What the program tells.

    Example:
        >>> def fun(p, q):
        ...     return p.astype(jnp.bfloat16).astype(jnp.float32), q * 2
        >>> found = inspect_program(jax.make_jaxpr(fun)(jnp.ones(3), jnp.ones(3)), inputs=1)
        >>> found.output_roundoff, found.input_roundoff, found.value_count, found.quantizes
        ((0.0078125, 1.1920928955078125e-07), (0.0078125,), 9, False)
    """
    jaxpr = closed.jaxpr
    indices = range(len(jaxpr.invars))
    from_all = _propagate(jaxpr, [FLOAT64_ROUNDOFF] * len(jaxpr.invars))
    from_each = [
        _propagate(jaxpr, [FLOAT64_ROUNDOFF if other == index else None for other in indices])
        for index in range(inputs)
    ]
    primitives = {equation.primitive.name for equation in equations(jaxpr)}
    has_integers = any(map(_converts_to_integers, equations(jaxpr)))
    return ProgramPrecision(
        output_roundoff=tuple(roundoff or FLOAT64_ROUNDOFF for roundoff in from_all),
        input_roundoff=tuple(max(filter(None, outputs), default=FLOAT64_ROUNDOFF) for outputs in from_each),
        value_count=_count_values(jaxpr),
        quantizes=bool(primitives & QUANTIZING_PRIMITIVES) or has_integers,
        has_grid=bool(primitives & GRID_PRIMITIVES) or has_integers,
        has_while_loop="while" in primitives,
        has_loop_in_branch=any(map(_has_loop_in_branch, equations(jaxpr))),
    )


def _propagate(jaxpr: Any, inputs: Sequence[float | None]) -> list[float | None]:
    """The coarsest roundoff on the paths to each output; None if it depends on no input that is given."""
    known = {var: roundoff for var, roundoff in zip(jaxpr.invars, inputs, strict=True) if roundoff}

    def roundoff_of(var: Any) -> float | None:
        return None if isinstance(var, jax.extend.core.Literal) else known.get(var)

    for equation in jaxpr.eqns:
        operands = [roundoff_of(var) for var in equation.invars]
        if not any(operands):
            continue
        results = _propagate_equation(equation, operands)
        for var, result in zip(equation.outvars, results, strict=True):
            if result:
                known[var] = max(result, _roundoff_of_dtype(var), _reduced_roundoff(equation))
    return [roundoff_of(var) for var in jaxpr.outvars]


def _propagate_equation(equation: Any, operands: list[float | None]) -> list[float | None]:
    programs = list(_inner_programs(equation))
    is_call = len(programs) == 1 and equation.primitive.name not in CONTROL_FLOW_PRIMITIVES
    if is_call and _has_same_arguments(equation, programs[0]):
        return _propagate(programs[0], operands)
    coarsest = max(filter(None, [*operands, *map(_coarsest_within, programs)]))
    return [coarsest] * len(equation.outvars)


def _has_same_arguments(equation: Any, program: Any) -> bool:
    return len(program.invars) == len(equation.invars) and len(program.outvars) == len(equation.outvars)


def _reduced_roundoff(equation: Any) -> float:
    """The roundoff of a value that is cut to fewer digits without another dtype."""
    return float(2.0 ** -equation.params["mantissa_bits"]) if equation.primitive.name == "reduce_precision" else 0.0


def _roundoff_of_dtype(var: Any) -> float:
    return unit_roundoff(getattr(var.aval, "dtype", np.bool_))


def _converts_to_integers(equation: Any) -> bool:
    if equation.primitive.name != "convert_element_type":
        return False
    (before,), (after,) = equation.invars, equation.outvars
    return bool(_roundoff_of_dtype(before)) and jnp.issubdtype(after.aval.dtype, jnp.integer)


def _has_loop_in_branch(equation: Any) -> bool:
    is_condition = equation.primitive.name == "cond"
    return is_condition and any(
        inner.primitive.name == "while" for program in _inner_programs(equation) for inner in equations(program)
    )


def _inner_programs(equation: Any) -> Iterator[Any]:
    """Yield the programs that an equation holds: a loop's body, a condition's branches, a function's own program."""
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else [value]:
            inner = getattr(item, "jaxpr", item)
            if hasattr(inner, "eqns"):
                yield inner


def equations(jaxpr: Any) -> Iterator[Any]:
    """Yield all equations of a program and of the programs in it.

    Args:
        jaxpr: not closed.

    Yields:
        The equations.
    """
    for equation in jaxpr.eqns:
        yield equation
        for program in _inner_programs(equation):
            yield from equations(program)


def _coarsest_within(jaxpr: Any) -> float:
    roundoffs = (
        max(_roundoff_of_dtype(var), _reduced_roundoff(equation))
        for equation in equations(jaxpr)
        for var in equation.outvars
    )
    return max(roundoffs, default=0.0)


def _count_values(jaxpr: Any) -> int:
    total = 0
    for equation in jaxpr.eqns:
        total += sum(int(np.prod(getattr(var.aval, "shape", ()))) for var in equation.outvars)
        total += sum(map(_count_values, _inner_programs(equation)))
    return total
