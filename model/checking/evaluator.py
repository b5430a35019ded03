"""Values along lines and gradients of a function, whether JAX can trace it or it has to be called."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float

from model.checking.called_evaluation import call_along_lines, call_gradients, call_outputs, call_roundoff
from model.checking.checked_function import CheckedFunction, EvaluationMode
from model.checking.directions import Directions
from model.checking.errors import summarize_error
from model.checking.finite_differences import LADDER_LEVELS
from model.checking.float32_rounding import float32_error
from model.checking.gradient_programs import (
    NearbyGradients,
    NearbyPoints,
    evaluate_outputs,
    evaluate_user_gradient,
    reverse_gradients,
)
from model.checking.line_programs import LineEvaluation, evaluate_lines
from model.checking.program_cache import MAX_VALUES_AT_ONCE, ProgramCache, value_count
from model.checking.small_program import Precomputed, precompute
from model.checking.user_gradient import RoundedGradient, UserGradient, called_gradient


class Evaluator:
    """Evaluates a function along lines, and its gradients.

    Attributes:
        function: what is evaluated.
        modes: the derivations that are wanted, of grad and jvp.
        cache: its compiled programs.
    """

    def __init__(
        self, function: CheckedFunction, cache: ProgramCache | None = None, modes: Sequence[str] = ("grad", "jvp")
    ) -> None:
        self.function, self.modes = function, tuple(modes)
        can_map = not (function.precision and function.precision.has_loop_in_branch)
        self.cache = cache or ProgramCache(can_map, wants_forward_mode="jvp" in modes)
        self._precomputed: Precomputed | None = None
        self._float32_error: float | None = None

    def for_args_of(self, function: CheckedFunction) -> Evaluator:
        """An evaluator of the same function with other args. Args of the same shapes need no other programs."""
        is_traced = function.mode is EvaluationMode.TRACED
        shapes = [list(map(np.shape, each.argument_arrays)) for each in (function, self.function)]
        is_same = is_traced and shapes[0] == shapes[1]
        return Evaluator(function, self.cache if is_same else None, self.modes)

    def has(self, mode: str) -> bool:
        """Whether derivatives by a mode, grad or jvp, are wanted and can be had, as far as is known."""
        return mode in self.modes and mode not in self.missing

    @property
    def missing(self) -> dict[str, str]:
        """Why a method has no derivatives, by the method's name."""
        return self.cache.missing

    @property
    def value_count(self) -> int:
        """About how many values one evaluation computes."""
        return value_count(self.function)

    @property
    def is_large(self) -> bool:
        """Whether not even one line fits into memory at once. Then few evaluations must do."""
        return self.function.is_traced and (2 * LADDER_LEVELS + 1) * self.value_count >= MAX_VALUES_AT_ONCE

    def input_roundoff(self) -> tuple[float, ...]:
        """For each floating-point leaf, the coarsest unit roundoff on any path from it to the value."""
        if self.function.precision is not None:
            return self.function.precision.input_roundoff
        return (call_roundoff(self.function),) * len(self.function.point)

    def float32_error(self, value: float) -> float:
        """How far off the value of the function, which is given, is in float32."""
        if self._float32_error is None:
            self._float32_error = float32_error(self.function, value)
        return self._float32_error

    def precompute(
        self,
        user_gradient: UserGradient | None,
        nearby: NearbyPoints,
        directions: Directions,
        offsets: Float[np.ndarray, "lines points"],
    ) -> None:
        """Compute with one program, if the function is small, what the other methods need."""
        self._precomputed = precompute(self.function, self.cache, user_gradient, nearby, directions, offsets)

    def along(self, directions: Directions, offsets: Float[np.ndarray, "lines points"]) -> LineEvaluation:
        """The function at point + offset · vector, for each direction and offset, and the slopes at the point."""
        if not self.function.is_traced:
            return call_along_lines(self.function, self.cache, directions, offsets)
        done = self._precomputed
        if done is not None and np.array_equal(done.offsets, offsets):
            return done.lines
        return evaluate_lines(self.function, self.cache, directions, offsets)

    def gradients(self, nearby: NearbyPoints) -> NearbyGradients | None:
        """The gradients at nearby points by reverse mode; None if there is no reverse mode, or if it is not wanted."""
        if "grad" not in self.modes:
            return None
        if self._precomputed is not None:
            return self._precomputed.gradients
        try:
            if not self.function.is_traced:
                return call_gradients(self.function, nearby)
            return reverse_gradients(self.function, self.cache, nearby)
        except jax.errors.JaxRuntimeError:
            raise
        except Exception as error:  # a user's function may raise anything
            self.missing["grad"] = summarize_error(error)
            return None

    def user_gradient(self, user_gradient: UserGradient) -> RoundedGradient:
        """A gradient that somebody wrote. Raises NotCheckableError if it raises, or returns another tree."""
        if self._precomputed is not None and self._precomputed.user_gradient is not None:
            return self._precomputed.user_gradient
        if not self.function.is_traced:
            return called_gradient(self.function, user_gradient)
        return evaluate_user_gradient(self.function, user_gradient)

    def outputs(self, line: NearbyPoints) -> tuple[np.ndarray, np.ndarray | None]:
        """Every number of the result along a line, [points, results], and its slope by forward mode or None."""
        if not self.function.is_traced:
            return call_outputs(self.function, line), None
        return evaluate_outputs(self.function, self.cache, line)
