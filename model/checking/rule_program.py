"""One program that holds the results of differentiation against the function and against each other.

A rule's forward pass must return what the function returns. Forward mode must be linear in the tangent, and reverse
mode in the cotangent. No finite differences are needed for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.directions import NO_CHANGE, SENSITIVITY_STEP
from model.checking.exposed_function import ExposedFunction
from model.checking.line_programs import moved_point
from model.pytrees import Leaves

Outputs = Callable[[Leaves], list[jax.Array]]

# Factors of tangents and cotangents. As powers of two they change no rounding, so a linear rule gives the same digits.
FACTORS = (-(2.0**11), 2.0**-3)
# The same for arithmetic with a narrow range.
SMALL_FACTORS = (-2.0, 0.25)


class Allowed(NamedTuple):
    """How far two numbers may differ.

    Attributes:
        share: of the larger one.
        share_of_largest: of the largest number in the array.
    """

    share: float
    share_of_largest: float


class Deviation(NamedTuple):
    """The largest difference between an array and what it should be.

    Attributes:
        excess: how far the difference is above what is allowed; above 0 it is a fault.
        position: of the entry, in the raveled array.
        expected: its value.
        found: the value that differs.
    """

    excess: Any
    position: Any
    expected: Any
    found: Any


class RuleProgramResults(NamedTuple):
    """What the program found.

    Attributes:
        weights: one array for each result: random, and 0 where a rule's result does not influence the function.
        reverse_values: the deviation of each result in reverse mode's forward pass; None without reverse mode.
        forward_values: the same of forward mode; None without it.
        reverse_linearity: [groups] for each leaf of params and each factor, of the gradient divided by the factor.
        forward_linearity: for each result and each factor, of the derivative divided by the factor.
    """

    weights: list[Any]
    reverse_values: list[Deviation] | None
    forward_values: list[Deviation] | None
    reverse_linearity: list[list[Deviation]] | None
    forward_linearity: list[list[Deviation]] | None


@dataclass(frozen=True)
class RuleProgram:
    """The program, to be called with the point, the argument arrays, a vector, and random numbers for each result.

    Attributes:
        exposed: the function and its rules.
        modes: the modes that there are, of grad and jvp.
        factors: of tangents and cotangents.
        allowed: how far two numbers may differ.
        map_over: maps a function over the leading axis of an array, as `jax.lax.map` does.
    """

    exposed: ExposedFunction
    modes: tuple[str, ...]
    factors: tuple[float, ...]
    allowed: Allowed
    map_over: Callable[..., Any]

    def __call__(self, point: Leaves, arrays: Leaves, vector: Leaves, random: list[Any]) -> RuleProgramResults:
        """Compute everything; to be compiled, or run as it is."""

        def outputs(point: Leaves) -> list[jax.Array]:
            return self.exposed.outputs(point, arrays)

        values = outputs(point)
        changes = _changes(values, outputs(moved_point(point, vector, SENSITIVITY_STEP)))
        live = [*[1.0] * self.exposed.results, *self._natural_cotangents(point, arrays)]
        weights = [
            jnp.where(jnp.asarray(cotangent) != 0, numbers / change, 0.0).astype(value.dtype)
            for value, numbers, change, cotangent in zip(values, random, changes, live, strict=True)
        ]
        reverse = self._reverse(outputs, point, values, weights) if "grad" in self.modes else (None, None)
        forward = self._forward(outputs, point, values, weights, vector) if "jvp" in self.modes else (None, None)
        return RuleProgramResults(weights, reverse[0], forward[0], reverse[1], forward[1])

    def _natural_cotangents(self, point: Leaves, arrays: Leaves) -> list[Any]:
        """The cotangent that each rule's result has in the function."""
        exposed = self.exposed
        if "grad" not in self.modes or not exposed.rules or exposed.is_one_rule:
            return [1.0] * len(exposed.rules)

        def scalar(nudges: list[Any]) -> Any:
            return exposed.function.weighted_sum(exposed.evaluate(point, arrays, nudges)[0])

        cotangents: list[Any] = jax.grad(scalar)(exposed.zero_nudges())
        return cotangents

    def _reverse(self, outputs: Outputs, point: Leaves, values: list[Any], weights: list[Any]) -> Any:
        primals, pull_back = jax.vjp(outputs, point)
        group_of = self.exposed.group_of

        def pull(cotangents: list[Any]) -> list[Any]:
            leaves: list[Any] = pull_back(cotangents)[0]
            return leaves

        def linearity(group: Any) -> list[list[Deviation]]:
            cotangents = [jnp.where(own == group, weight, 0) for own, weight in zip(group_of, weights, strict=True)]
            return self._linearity(pull, cotangents, pull(cotangents))

        return self._value_deviations(values, primals, weights), self.map_over(linearity, np.arange(group_of.max() + 1))

    def _forward(self, outputs: Outputs, point: Leaves, values: list[Any], weights: list[Any], vector: Leaves) -> Any:
        tangent = [part.astype(leaf.dtype) for leaf, part in zip(point, vector, strict=True)]
        primals, base = jax.jvp(outputs, (point,), (tangent,))

        def push(tangent: list[Any]) -> list[Any]:
            slopes: list[Any] = jax.jvp(outputs, (point,), (tangent,))[1]
            return slopes

        return self._value_deviations(values, primals, weights), self._linearity(push, tangent, base)

    def _value_deviations(self, values: list[Any], primals: list[Any], weights: list[Any]) -> list[Deviation]:
        """The deviations of the entries that count."""
        counted = [jnp.where(w != 0, primal, value) for w, primal, value in zip(weights, primals, values, strict=True)]
        return _deviations(values, counted, self.allowed)

    def _linearity(
        self, linear: Callable[[list[Any]], list[Any]], inputs: list[Any], base: list[Any]
    ) -> list[list[Deviation]]:
        """For each factor, how far the results at inputs times it, divided by it, are from those at the inputs."""
        deviations = []
        for factor in self.factors:
            found = linear([each * jnp.asarray(factor, each.dtype) for each in inputs])
            deviations.append(_deviations(base, [each / factor for each in found], self.allowed))
        return deviations


def _changes(values: list[Any], moved: list[Any]) -> list[Any]:
    """How much each result changes along the vector, or its size if it does not change."""
    changes = []
    for value, other in zip(values, moved, strict=True):
        change = _root_mean_square(other - value) / SENSITIVITY_STEP
        size = _root_mean_square(value)
        scale = jnp.where(change > NO_CHANGE * size, change, size)
        changes.append(jnp.where(scale > 0, scale, 1.0))
    return changes


def _root_mean_square(values: Any) -> Any:
    finite = jnp.where(jnp.isfinite(values), values, 0.0).astype(float)
    return jnp.sqrt(jnp.mean(jnp.square(finite))) if finite.size else jnp.zeros(())


def _deviations(expected: Sequence[Any], found: Sequence[Any], allowed: Allowed) -> list[Deviation]:
    return [_deviation(one, other, allowed) for one, other in zip(expected, found, strict=True)]


def _deviation(expected: Any, found: Any, allowed: Allowed) -> Deviation:
    expected, found = (jnp.ravel(jnp.asarray(each)) for each in (expected, found))
    if not expected.size:
        return Deviation(-jnp.inf, 0, 0.0, 0.0)
    sizes = jnp.where(jnp.isfinite(expected), jnp.abs(expected), 0.0).astype(float)
    both = jnp.maximum(sizes, jnp.where(jnp.isfinite(found), jnp.abs(found), 0.0))
    limits = allowed.share * both + allowed.share_of_largest * jnp.max(sizes)
    excess = jnp.abs(found.astype(float) - expected) - limits
    excess = jnp.where(jnp.isfinite(expected), jnp.where(jnp.isfinite(found), excess, jnp.inf), -jnp.inf)
    position = jnp.argmax(excess)
    return Deviation(excess[position], position, expected[position], found[position])
