"""A checked function whose results are those of the function itself and those of the rules inside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.custom_rules import evaluate_exposed, find_rule_outputs, returns_a_rule
from model.checking.rule_sources import RuleOutput
from model.pytrees import Leaves, entry_name

# Results that are judged one by one, and rules; of more, the rest is judged together.
MAX_RESULT_GROUPS, MAX_RULE_GROUPS = 8, 8


@dataclass(frozen=True)
class ExposedFunction:
    """A function and the rules inside it.

    Attributes:
        function: that is checked.
        evaluate: called with the point, the argument arrays and one nudge for each rule's result, it returns the leaves
            of the function's own result and the rules' results.
        rules: the rules' results.
        results: the number of leaves of the function's own result.
        is_one_rule: whether the function returns what its only rule returns.
    """

    function: CheckedFunction
    evaluate: Callable[[Leaves, Leaves, Sequence[Any]], tuple[list[Any], list[Any]]]
    rules: tuple[RuleOutput, ...]
    results: int
    is_one_rule: bool = False

    def zero_nudges(self) -> list[jax.Array]:
        """A nudge of 0 for each rule's result."""
        return [jnp.zeros(rule.shape, rule.dtype) for rule in self.rules]

    def outputs(self, point: Leaves, arrays: Leaves) -> list[jax.Array]:
        """All results, those of the rules last."""
        results, exposed = self.evaluate(point, arrays, self.zero_nudges())
        return [jnp.asarray(leaf) for leaf in (*results, *exposed)]

    @cached_property
    def groups(self) -> list[str]:
        """The names of the groups of results that are judged together, those of the function's own result first."""
        return list(dict.fromkeys(self._labels))

    @cached_property
    def group_of(self) -> np.ndarray:
        """[results and rules' results], the index of each one's group."""
        return np.array([self.groups.index(label) for label in self._labels])

    @property
    def by_rules_first(self) -> list[int]:
        """The indices of all results: those of the rules in the order of the program, then the function's own."""
        return [*range(self.results, self.results + len(self.rules)), *range(self.results)]

    @property
    def groups_by_rules_first(self) -> list[int]:
        """The indices of all groups in the same order."""
        return list(dict.fromkeys(int(self.group_of[index]) for index in self.by_rules_first))

    @cached_property
    def _labels(self) -> list[str]:
        labels = [f"result {index}" if index < MAX_RESULT_GROUPS else "other results" for index in range(self.results)]
        names = list(dict.fromkeys(rule.label for rule in self.rules))
        return labels + [
            rule.label if names.index(rule.label) < MAX_RULE_GROUPS else "other rules" for rule in self.rules
        ]

    def is_rule(self, group: int) -> bool:
        """Whether a group is of rules' results."""
        return bool(np.min(np.flatnonzero(self.group_of == group)) >= self.results)

    def name(self, index: int) -> str:
        """The name of a result's group."""
        return self._labels[index]

    def entry_name(self, leaf: int, position: int) -> str:
        """The name of an entry of params, by the index of its leaf and the position in the raveled leaf."""
        shape = self.function.shapes[leaf]
        name = self.function.leaf_names[self.function.floating[leaf]]
        return entry_name(name, np.unravel_index(position, shape) if shape else ())

    def output_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of all results."""
        function = self.function
        if function.is_traced:
            leaves = jax.eval_shape(self.outputs, function.point, function.argument_arrays)
        else:
            leaves = self.outputs(function.to_arguments(function.flat), [])
        return [np.shape(leaf) for leaf in leaves]


def expose(function: CheckedFunction) -> ExposedFunction:
    """Find the rules in a function.

    Args:
        function: in any mode; in a function that JAX cannot trace, no rules are found.

    Returns:
        The function with its rules.
    """
    if not function.is_traced:
        results = len(function.output(function.to_arguments(function.flat), []))
        return ExposedFunction(function, lambda point, arrays, _: (function.output(point, arrays), []), (), results)
    program = jax.make_jaxpr(function.output)(function.point, function.argument_arrays)

    def evaluate(point: Leaves, arrays: Leaves, nudges: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        return evaluate_exposed(program, [*point, *arrays], nudges)

    rules = tuple(find_rule_outputs(program))
    return ExposedFunction(
        function, evaluate, rules, len(program.out_avals), len(rules) == 1 and returns_a_rule(program)
    )
