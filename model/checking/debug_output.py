"""What a function prints or calls back while it runs, taken out of its traced program.

A check evaluates a function a hundred times, so that its `jax.debug.print` would bury the report.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.extend

from model.checking.rounding import equations
from model.checking.rule_sources import open_jaxpr

DEBUG_PRIMITIVES = frozenset({"debug_print", "debug_callback"})

Outputs = Callable[..., list[Any]]


def has_debug_output(program: Any) -> bool:
    """Whether a traced program prints or calls back.

    Args:
        program: a closed jaxpr.

    Returns:
        True if it does, in a loop or a branch too.

    Example:
        >>> has_debug_output(jax.make_jaxpr(lambda x: jax.debug.print("{}", x))(1.0))
        True
    """
    return any(equation.primitive.name in DEBUG_PRIMITIVES for equation in equations(program.jaxpr))


def without_debug_output(outputs: Outputs) -> Outputs:
    """The same function without what it prints.

    Args:
        outputs: takes pytrees of arrays and returns a list of arrays, and can be traced by JAX.

    Returns:
        A function of the same arguments. The derivative rules inside stay, with what they print themselves.

    Example:
        >>> def outputs(x):
        ...     jax.debug.print("{}", x)
        ...     return [2 * x]
        >>> float(without_debug_output(outputs)(3.0)[0])
        6.0
    """

    def silent(*arguments: Any) -> list[Any]:
        program = jax.make_jaxpr(outputs)(*arguments)
        results: list[Any] = jax.extend.core.jaxpr_as_fun(_silence(program))(*jax.tree.leaves(arguments))
        return results

    return silent


def _silence(program: Any) -> Any:
    """A jaxpr, closed or not, without debug output in it or in the programs that it calls."""
    jaxpr = open_jaxpr(program)
    kept = [equation for equation in jaxpr.eqns if equation.primitive.name not in DEBUG_PRIMITIVES]
    silenced = jaxpr.replace(eqns=[_silence_inside(equation) for equation in kept], effects=_silent(jaxpr.effects))
    return silenced if jaxpr is program else program.replace(jaxpr=silenced)


def _silence_inside(equation: Any) -> Any:
    params = {name: _silence_param(value) for name, value in equation.params.items()}
    return equation.replace(params=params, effects=_silent(equation.effects))


def _silence_param(value: Any) -> Any:
    if isinstance(value, tuple | list):
        if not any(map(_is_program, value)):
            return value
        silenced = map(_silence_param, value)
        return value._make(silenced) if hasattr(value, "_make") else type(value)(silenced)
    return _silence(value) if _is_program(value) else value


def _is_program(value: Any) -> bool:
    return isinstance(value, jax.extend.core.ClosedJaxpr | jax.extend.core.Jaxpr)


def _silent(effects: Any) -> Any:
    return type(effects)(effect for effect in effects if "Debug" not in type(effect).__name__)
