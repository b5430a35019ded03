"""The functions with custom derivative rules in a traced program: what each is called, and where it is defined."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

RULE_PRIMITIVES = ("custom_jvp_call", "custom_vjp_call")
# Where JAX defines the rule that it makes of a `custom_gradient`.
CUSTOM_GRADIENT_MODULE = "custom_derivatives.py"
PACKAGES_LEFT_OUT = (Path(jax.__file__).parent, Path(__file__).parent.parent)


class RuleOutput(NamedTuple):
    """One floating-point result of a function with a custom rule.

    Attributes:
        name: of the function, such as softplus.
        source: where it is defined, such as losses.py:12.
        shape: of the result; inside a scan, with the number of its steps in front.
        dtype: of the result.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    dtype: Any

    @property
    def label(self) -> str:
        """The function in words."""
        return f"{self.name} ({self.source})"


def rule_outputs(equation: Any) -> Iterator[RuleOutput]:
    """The floating-point results of a call of a function with a custom rule.

    Args:
        equation: any.

    Yields:
        The results; none for an equation that is no such call.
    """
    if equation.primitive.name not in RULE_PRIMITIVES:
        return
    name, source = _name_and_source(equation)
    for position in floating_results(equation) if name else ():
        aval = equation.outvars[position].aval
        yield RuleOutput(name, source, aval.shape, aval.dtype)


def _name_and_source(equation: Any) -> tuple[str, str]:
    """The name of a function with a rule, and where it is defined; empty for JAX's own and this package's."""
    rule = equation.params["bwd" if "bwd" in equation.params else "jvp_jaxpr_fun"]
    program = open_jaxpr(equation.params["call_jaxpr"])
    sources = [program.debug_info.func_src_info, rule.debug_info.func_src_info]
    for name, _, source in (str(each).partition(" at ") for each in sources):
        if not _is_left_out(source):
            return name, Path(source).name
    if Path(source).name.startswith(CUSTOM_GRADIENT_MODULE):
        frame = next((frame for inner in program.eqns if (frame := user_frame(inner))), None)
        return (frame.function_name.rpartition(".")[2], source_line(frame)) if frame else ("custom_gradient", "")
    return "", ""


def user_frame(equation: Any) -> Any | None:
    """The frame of the user's code that an equation comes from; None if it is not known.

    Args:
        equation: of a traced program.

    Returns:
        The innermost frame outside of JAX and this package.
    """
    traceback = equation.source_info.traceback
    frames = traceback.frames if traceback else ()
    return next((frame for frame in frames if not _is_left_out(frame.file_name)), None)


def source_line(frame: Any) -> str:
    """Say where a frame is.

    Args:
        frame: of a traceback.

    Returns:
        Its file and line, such as losses.py:12.
    """
    return f"{Path(frame.file_name).name}:{frame.line_num}"


def _is_left_out(source: str) -> bool:
    return any(Path(source).is_relative_to(package) for package in PACKAGES_LEFT_OUT)


def floating_results(equation: Any) -> list[int]:
    """Find the floating-point results of an equation.

    Args:
        equation: of a traced program.

    Returns:
        Their positions among all results.
    """
    return [
        position
        for position, var in enumerate(equation.outvars)
        if jnp.issubdtype(getattr(var.aval, "dtype", bool), jnp.floating)
    ]


def open_jaxpr(program: Any) -> Any:
    """Open a program.

    Args:
        program: a jaxpr, closed or not.

    Returns:
        The open jaxpr.
    """
    return getattr(program, "jaxpr", program)
