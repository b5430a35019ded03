"""Compiling the programs of a check: quickly for small ones, well for large ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

# Options with which XLA compiles as quickly as it can. The first set that this XLA knows is used.
QUICK_OPTIONS: tuple[dict[str, bool | int | str], ...] = (
    {
        "xla_backend_optimization_level": 0,
        "xla_cpu_parallel_codegen_split_count": 1,
        "xla_cpu_use_fusion_emitters": False,
    },
    {"xla_backend_optimization_level": 0, "xla_cpu_opt_preset": "CPU_OPT_PRESET_FAST_COMPILE"},
)


class CompiledProgram(NamedTuple):
    """A program.

    Attributes:
        traced: as JAX traced it, with its `jaxpr`.
        run: the compiled program, called with the inputs that it was compiled for.
    """

    traced: Any
    run: Callable[..., Any]


def compile_program(program: Callable[..., Any], *inputs: Any, quick: bool) -> CompiledProgram:
    """Trace and compile a program.

    Args:
        program: a function of arrays that JAX can trace.
        inputs: arrays of the shapes and dtypes that it is called with.
        quick: whether compiling is to be quick; otherwise the program is.

    Returns:
        The program.

    Example:
        >>> import jax.numpy as jnp
        >>> float(compile_program(jnp.sum, jnp.ones(3), quick=True).run(jnp.ones(3)))
        3.0
    """
    # A new function: JAX would remember how a method was traced when its object had other values.
    traced = jax.jit(lambda *inputs: program(*inputs)).trace(*inputs)
    lowered = traced.lower()
    for options in QUICK_OPTIONS if quick and jax.default_backend() == "cpu" else ():
        try:
            return CompiledProgram(traced, lowered.compile(compiler_options=options))
        except jax.errors.JaxRuntimeError as error:
            if "No such compile option" not in str(error):
                raise
    return CompiledProgram(traced, lowered.compile())
