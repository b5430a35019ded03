"""The programs of a check, compiled where JAX can trace the function: values and slopes along lines, gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from model.checking import user_gradient as by_hand
from model.checking.checked_function import CheckedFunction
from model.checking.directions import Directions
from model.checking.errors import NotCheckableError, summarize_error
from model.checking.finite_differences import LADDER_LEVELS
from model.checking.rounding import inspect_program, unit_roundoff
from model.pytrees import Flat, Leaves, Tree, flatten

# Numbers that may be in memory at once while points are evaluated: 64 MB in float64.
MAX_VALUES_AT_ONCE = 2**23

# A program that works out fewer numbers than this is compiled in the quickest way rather than in the best: with the
# first of these options that this XLA knows.
MAX_QUICK_VALUES = 2**22
QUICK: tuple[dict[str, bool | int | str], ...] = (
    {
        "xla_backend_optimization_level": 0,
        "xla_cpu_parallel_codegen_split_count": 1,
        "xla_cpu_use_fusion_emitters": False,
    },
    {"xla_backend_optimization_level": 0, "xla_cpu_opt_preset": "CPU_OPT_PRESET_FAST_COMPILE"},
)


def compile_program(program: Callable[..., Any], *inputs: Any, quick: bool) -> tuple[Any, Any]:
    """The traced and the compiled program for inputs like these; quick: in the quickest way."""
    # A function of its own: JAX would remember how a method was traced when its object was another.
    traced = jax.jit(lambda *inputs: program(*inputs)).trace(*inputs)
    lowered = traced.lower()
    for options in QUICK if quick and jax.default_backend() == "cpu" else ():
        try:
            return traced, lowered.compile(compiler_options=options)
        except jax.errors.JaxRuntimeError as error:
            if "No such compile option" not in str(error):
                raise
    return traced, lowered.compile()


class Along(NamedTuple):
    """What was seen along lines: values [lines, points], and slopes [lines] at the point by forward mode, or None."""

    values: np.ndarray
    slopes: np.ndarray | None


class Evaluator:
    """A problem's values along lines and its gradients, from programs that are compiled where JAX can trace it.

    notes: why a derivation is not to be had, by its name.
    """

    def __init__(self, problem: CheckedFunction) -> None:
        self.problem = problem
        self.notes: dict[str, str] = {}
        self._compiled: dict[Any, Callable[..., Any]] = {}
        self._kept: dict[Any, Any] = {}
        self._forward = True
        self._at_once = True
        self._batch = 0
        self._hurry = True

    def of(self, problem: CheckedFunction) -> Evaluator:
        """An evaluator of the same function with other args of the same shapes, which needs no other programs."""
        other = Evaluator(problem)
        if problem.mode == "traced" and problem.argument_shapes == self.problem.argument_shapes:
            other._compiled, other._forward, other._hurry = self._compiled, self._forward, self._hurry
            other._batch, other._at_once = self._batch, self._at_once
        return other

    def coarseness(self) -> tuple[float, ...]:
        """For each leaf, the largest rounding on its way to the function's value."""
        problem = self.problem
        if problem.precision is not None:
            return problem.precision.input_roundoff
        with np.errstate(all="ignore"):
            leaves = problem.output(problem.to_arguments(problem.flat), [])
        return (max(unit_roundoff(np.asarray(leaf).dtype) for leaf in leaves),) * len(problem.point)

    def fits(self, points: int) -> bool:
        """Whether so many points can be evaluated at once."""
        precision = self.problem.precision
        return self._at_once and precision is not None and points * self.value_count < MAX_VALUES_AT_ONCE

    @property
    def value_count(self) -> int:
        """How many numbers one evaluation works out, about."""
        precision = self.problem.precision
        return self.problem.flat.size + (precision.value_count if precision else 0)

    def _is_little(self, points: int) -> bool:
        return self.problem.is_traced and points * self.value_count < MAX_QUICK_VALUES

    @property
    def is_large(self) -> bool:
        """Whether not even one line can be evaluated at once, so that few evaluations must do."""
        return self.problem.is_traced and (2 * LADDER_LEVELS + 1) * self.value_count >= MAX_VALUES_AT_ONCE

    def precompute(
        self,
        written_by: Callable[..., Tree] | None,
        direction: Flat,
        offsets: np.ndarray,
        lines: Directions,
        steps: np.ndarray,
    ) -> None:
        """Compile all that `gradients`, `by_hand` and `along` need for a small problem into one program.

        It takes half the time that three take. What it cannot hold each will make for itself, and say why.
        """
        problem = self.problem
        if not self._is_little(steps.size):
            return
        directions = lines.vectors(np.arange(len(lines)))
        far, near = problem.points_along(directions, steps), problem.points_along(direction[None], offsets[None])
        everywhere = [np.concatenate(both) for both in zip(far, near, strict=True)]

        def program(point: Leaves, arrays: Leaves, everywhere: Leaves, directions: Leaves) -> Any:
            values, grads = jax.vmap(lambda point: jax.value_and_grad(problem.program)(point, arrays))(everywhere)
            written = None if written_by is None else by_hand.traced_gradient(problem, written_by, point, arrays)
            return values, self._slopes_or_zeros(point, arrays, directions), grads, written

        inputs = (problem.point, problem.argument_arrays, everywhere, problem.unflatten(directions))
        try:
            traced, compiled = self._compile(program, *inputs)
        except Exception:
            self._forward = True
            self.notes.clear()
            return
        coarsest, leaves = inspect_program(traced.jaxpr).output_roundoff[2:], len(problem.point)

        def along(point: Leaves, arrays: Leaves, far: Leaves, directions: Leaves) -> Any:
            moved = [np.concatenate(both) for both in zip(far, near, strict=True)]
            values, slopes, *_ = compiled(point, arrays, moved, directions)
            return values[: steps.size], slopes

        values, slopes, grads, written = map(jax.device_get, compiled(*inputs))
        self._batch = len(lines)
        self._compiled["along", steps.shape] = along
        self._kept["along", steps.shape, steps.tobytes()] = values[: steps.size].reshape(steps.shape), slopes
        self._kept["gradients"] = [leaf[steps.size :] for leaf in grads], coarsest[:leaves]
        if written is not None:
            self._kept["by_hand"] = flatten(written), coarsest[leaves:]

    def along(self, lines: Directions, steps: Float[np.ndarray, "lines points"]) -> Along:
        """The scalar at point + step · direction for each line and step."""
        problem = self.problem
        count, points = steps.shape
        if not problem.is_traced:
            pairs = zip(lines, steps, strict=True)
            rows = [[self._call(problem.flat + step * direction) for step in row] for direction, row in pairs]
            return Along(np.array(rows, np.float64).reshape(steps.shape), self._slopes(lines))
        if ("along", steps.shape, steps.tobytes()) in self._kept:
            found, slopes = self._kept.pop(("along", steps.shape, steps.tobytes()))
            return Along(np.asarray(found, np.float64), np.asarray(slopes, np.float64) if self._forward else None)
        batch = self._batch = self._batch or self._share(count, points)
        self._hurry = self._is_little(steps.size)
        parts = []
        for start in range(0, count, batch):
            chosen = np.minimum(np.arange(start, start + batch), count - 1)
            found, tangents = self._run_along(lines.vectors(chosen), steps[chosen])
            found = np.asarray(found, np.float64).reshape(batch, points)
            parts.append((found[: count - start], np.asarray(tangents, np.float64)[: count - start]))
        values, slopes = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Along(values, slopes if self._forward else None)

    def _share(self, lines: int, points: int) -> int:
        """How many lines to evaluate at once, so that all batches but the last are full."""
        most = next(count for count in range(lines, 0, -1) if count == 1 or self.fits(count * points))
        return -(-lines // -(-lines // most))

    def _run_along(self, directions: np.ndarray, steps: np.ndarray) -> tuple[Any, Any]:
        problem = self.problem
        if not self.fits(steps.size):
            return self._one_by_one(problem.unflatten(directions), steps)
        inputs = (
            problem.point,
            problem.argument_arrays,
            problem.points_along(directions, steps),
            problem.unflatten(directions),
        )
        try:
            found: tuple[jax.Array, jax.Array] = self._program(("along", steps.shape), self._all_at_once, *inputs)
        except jax.errors.JaxRuntimeError:
            raise
        except Exception:  # the function cannot be mapped over, as a callback cannot
            self._at_once, self._forward = False, True
            self.notes.pop("jvp", None)
            return self._one_by_one(problem.unflatten(directions), steps)
        return found

    def _one_by_one(self, directions: Leaves, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each point of large problems by itself, so that its matrix products have all processors."""
        problem = self.problem
        point, arrays = jax.device_put((problem.point, problem.argument_arrays))
        values = np.zeros(steps.shape)
        slopes = np.zeros(len(steps))
        for line, row in enumerate(steps):
            direction = jax.device_put([leaf[line] for leaf in directions])
            for column, step in enumerate(row):
                values[line, column] = self._program("value", self._value, point, arrays, direction, step)
            slopes[line] = self._program("slope", self._slope, point, arrays, direction)
        return values, slopes

    def _program(self, key: Any, program: Callable[..., Any], *inputs: Any) -> Any:
        """Run a program, compiled when it is first wanted."""
        if key not in self._compiled:
            self._compiled[key] = self._compile(program, *inputs)[1]
        return self._compiled[key](*inputs)

    def _compile(self, program: Callable[..., Any], *inputs: Any) -> tuple[Any, Any]:
        """Compile a program, with forward mode, or without where there turns out to be none."""
        quick = self._hurry
        try:
            return compile_program(program, *inputs, quick=quick)
        except Exception as error:
            if not self._forward:
                raise
            self._forward = False
            self.notes["jvp"] = summarize_error(error)
            return compile_program(program, *inputs, quick=quick)

    def _value(self, point: Leaves, arrays: Leaves, direction: Leaves, step: jax.Array) -> jax.Array:
        return self.problem.program(_moved(point, direction, step), arrays)

    def _slope(self, point: Leaves, arrays: Leaves, direction: Leaves) -> jax.Array:
        if not self._forward:
            return jnp.zeros(())
        tangents = [d.astype(leaf.dtype) for leaf, d in zip(point, direction, strict=True)]
        slope: jax.Array = jax.jvp(lambda point: self.problem.program(point, arrays), (point,), (tangents,))[1]
        return slope

    def _all_at_once(
        self, point: Leaves, arrays: Leaves, moved: Leaves, directions: Leaves
    ) -> tuple[jax.Array, jax.Array]:
        """The values at all moved points, and the slope along each direction."""
        values = jax.vmap(lambda point: self.problem.program(point, arrays))(moved)
        return values, self._slopes_or_zeros(point, arrays, directions)

    def _slopes_or_zeros(self, point: Leaves, arrays: Leaves, directions: Leaves) -> jax.Array:
        if not self._forward:
            return jnp.zeros(len(directions[0]))
        slopes: jax.Array = jax.vmap(lambda direction: self._slope(point, arrays, direction))(directions)
        return slopes

    def gradients(
        self, direction: Flat, steps: Float[np.ndarray, " points"]
    ) -> tuple[np.ndarray, tuple[float, ...]] | None:
        """Reverse mode at point + step · direction: [points, size], and how coarsely each leaf's is computed.

        None where there is no reverse mode.
        """
        problem = self.problem
        try:
            if not problem.is_traced:
                points = [self._as_jax(problem.flat + step * direction) for step in steps]
                found = [flatten(jax.grad(lambda point: problem.scalar(point, []))(point)) for point in points]
                return np.stack(found), tuple(unit_roundoff(leaf.dtype) for leaf in problem.point)
            if "gradients" in self._kept:
                leaves, coarsest = self._kept["gradients"]
            else:
                leaves, coarsest = self._run_gradients(problem.unflatten(direction), steps)
        except jax.errors.JaxRuntimeError:
            raise
        except Exception as error:
            self._at_once = True
            self.notes["grad"] = summarize_error(error)
            return None
        rows = [np.asarray(leaf, np.float64).reshape(len(steps), -1) for leaf in leaves]
        return np.concatenate(rows, axis=1), coarsest

    def _run_gradients(self, direction: Leaves, steps: np.ndarray) -> tuple[list[Any], tuple[float, ...]]:
        problem = self.problem
        point, arrays, direction = jax.device_put((problem.point, problem.argument_arrays, direction))

        def at(point: Leaves, arrays: Leaves, direction: Leaves, step: jax.Array) -> Any:
            return jax.grad(problem.program)(_moved(point, direction, step), arrays)

        if self.fits(len(steps)):
            all_at_once = jax.vmap(at, in_axes=(None, None, None, 0))
            quick = self._is_little(len(steps))
            try:
                traced, compiled = compile_program(all_at_once, point, arrays, direction, steps, quick=quick)
                return compiled(point, arrays, direction, steps), inspect_program(traced.jaxpr).output_roundoff
            except jax.errors.JaxRuntimeError:
                raise
            except Exception:  # see below, where each point is evaluated by itself
                self._at_once = False
        traced, compiled = compile_program(at, point, arrays, direction, steps[0], quick=False)
        found = [compiled(point, arrays, direction, step) for step in steps]
        return [np.stack(leaves) for leaves in zip(*found, strict=True)], inspect_program(traced.jaxpr).output_roundoff

    def by_hand(self, function: Callable[..., Tree]) -> tuple[Flat, tuple[float, ...]]:
        """A gradient that somebody wrote, in one row, and how coarsely each leaf of it is computed.

        Raises NotCheckableError where it raises, or returns another tree than params.
        """
        problem = self.problem
        if "by_hand" in self._kept:
            kept: tuple[Flat, tuple[float, ...]] = self._kept["by_hand"]
            return kept
        if problem.is_traced:
            try:
                program = partial(by_hand.traced_gradient, problem, function)
                traced, compiled = compile_program(
                    program, problem.point, problem.argument_arrays, quick=self._is_little(1)
                )
                return flatten(compiled(problem.point, problem.argument_arrays)), inspect_program(
                    traced.jaxpr
                ).output_roundoff
            except NotCheckableError:
                raise
            except Exception as error:
                return by_hand.called_gradient(problem, function, error)
        return by_hand.called_gradient(problem, function)

    def outputs(self, direction: Flat, steps: Float[np.ndarray, " points"]) -> tuple[np.ndarray, np.ndarray | None]:
        """Every number of the function's result along one line, [points, results], and its slope by forward mode."""
        problem = self.problem

        def results(step: Any) -> Any:
            leaves = problem.output(_moved(problem.point, problem.unflatten(direction), step), problem.argument_arrays)
            return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])

        if not problem.is_traced:
            values = [
                flatten(problem.output(problem.to_arguments(problem.flat + step * direction), [])) for step in steps
            ]
            return np.stack(values), None
        values = jax.jit(lambda steps: jax.lax.map(results, steps))(steps)
        slopes = None
        if self._forward:
            slopes = np.asarray(jax.jit(lambda: jax.jvp(results, (0.0,), (1.0,))[1])(), np.float64)
        return np.asarray(values, np.float64), slopes

    def _call(self, flat: Flat) -> float:
        """One value; NaN outside of the function's domain, where Python's arithmetic raises."""
        try:
            with np.errstate(all="ignore"):
                return float(self.problem.scalar(self.problem.to_arguments(flat), []))
        except (ArithmeticError, ValueError):
            return np.nan

    def _slopes(self, lines: Directions) -> np.ndarray | None:
        """Forward mode along each line, of a function that JAX cannot trace but perhaps differentiate."""
        problem = self.problem
        if "jvp" in self.notes:
            return None
        point = self._as_jax(problem.flat)
        try:
            tangents = [[jnp.asarray(d) for d in problem.unflatten(direction)] for direction in lines]
            slopes = [jax.jvp(lambda point: problem.scalar(point, []), (point,), (t,))[1] for t in tangents]
            return np.array([float(slope) for slope in slopes])
        except Exception as error:
            self.notes["jvp"] = summarize_error(error)
            return None

    def _as_jax(self, flat: Flat) -> list[jax.Array]:
        return [jnp.asarray(leaf) for leaf in self.problem.to_arguments(flat)]


def _moved(point: Sequence[Any], direction: Sequence[Any], step: Any) -> list[Any]:
    return [leaf + (step * d).astype(leaf.dtype) for leaf, d in zip(point, direction, strict=True)]
