"""The compiled programs of a function, and what was learned while compiling them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from model.checking.checked_function import CheckedFunction
from model.checking.compilation import CompiledProgram, compile_program
from model.checking.errors import summarize_error

# The values that may be in memory at once while points are evaluated: 64 MB in float64.
MAX_VALUES_AT_ONCE = 2**23
# A program that computes fewer values than this is compiled quickly rather than well.
MAX_QUICK_VALUES = 2**22


class ProgramCache:
    """The compiled programs of a function that JAX traces, shared by functions that differ only in their args.

    Attributes:
        programs: compiled, by what they compute and for which shapes.
        wants_forward_mode: whether forward-mode derivatives are wanted.
        has_forward_mode: whether the function has forward-mode derivatives, as far as is known.
        can_map: whether the function can be mapped over points, as far as is known. A callback cannot, and a loop in a
            branch might not end.
        lines_per_batch: how many lines are evaluated at once; 0 until it is chosen.
        missing: why a method has no derivatives, by the method's name.
    """

    def __init__(self, can_map: bool = True, wants_forward_mode: bool = True) -> None:
        self.programs: dict[Hashable, CompiledProgram] = {}
        self.wants_forward_mode = self.has_forward_mode = wants_forward_mode
        self.can_map = can_map
        self.lines_per_batch = 0
        self.missing: dict[str, str] = {}

    def run(self, key: Hashable, program: Callable[..., Any], *inputs: Any, quick: bool) -> Any:
        """Run a program, which is compiled when it is first needed."""
        if key not in self.programs:
            self.programs[key] = self.compile(program, *inputs, quick=quick)
        return self.programs[key].run(*inputs)

    def compiled(self, key: Hashable, program: Callable[..., Any], *inputs: Any, quick: bool) -> CompiledProgram:
        """A program that does not use forward mode, which is compiled when it is first needed."""
        if key not in self.programs:
            self.programs[key] = compile_program(program, *inputs, quick=quick)
        return self.programs[key]

    def compile(self, program: Callable[..., Any], *inputs: Any, quick: bool) -> CompiledProgram:
        """Compile a program that uses forward mode; if there turns out to be none, without it."""
        try:
            return compile_program(program, *inputs, quick=quick)
        except Exception as error:  # a user's function or its rule may raise anything
            if not self.has_forward_mode:
                raise
            self.has_forward_mode = False
            self.missing["jvp"] = summarize_error(error)
            return compile_program(program, *inputs, quick=quick)

    def forget_forward_mode(self) -> None:
        """Assume again that there is forward mode, since what failed was something else."""
        self.has_forward_mode = self.wants_forward_mode
        self.missing.pop("jvp", None)


def value_count(function: CheckedFunction) -> int:
    """About how many values one evaluation computes.

    Args:
        function: in any mode.

    Returns:
        The size of the point, and of all intermediate results if JAX traces the function.
    """
    return function.flat.size + (function.precision.value_count if function.precision else 0)


def fits_at_once(function: CheckedFunction, points: int) -> bool:
    """Whether so many points fit into the memory that may be used.

    Args:
        function: in any mode.
        points: how many.

    Returns:
        True if JAX traces the function and all points may be evaluated at once.
    """
    return function.is_traced and points * value_count(function) < MAX_VALUES_AT_ONCE


def is_quick(function: CheckedFunction, points: int) -> bool:
    """Whether a program for so many points is compiled quickly rather than well.

    Args:
        function: in any mode.
        points: how many.

    Returns:
        True if the program computes few values.
    """
    return function.is_traced and points * value_count(function) < MAX_QUICK_VALUES
