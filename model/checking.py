"""Whether a gradient is right: every derivation compared in float64, one parameter at a time, and the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from model.gradients import EPSILON, JUMP_STEPS, Scalar, Tree, jump, nudge, slopes
from model.network import Array
from model.text import aligned

# The largest relative error that counts as agreement, and the size below which a gradient is measured against this
# size rather than its own.
TOLERANCE = 1e-6
FLOOR = 1e-6
# The smallest jump of a slope, relative to the steepest slope around, that is a kink.
KINK = 1e-6


@dataclass(frozen=True)
class Parameter:
    """One parameter's derivative, each way. by_hand is None where no gradient by hand was given.

    name: its place in the pytree, such as 0.weight[0,1].
    kink: whether the slope jumps within ±epsilon, so that no finite difference can be right there.
    relative_error: the largest |a - b| / max(|a|, |b|, 1e-6) between any two ways, `nudge` left out at a kink.
    """

    name: str
    nudge: float
    jvp: float
    by_hand: float | None
    grad: float
    kink: bool
    relative_error: float


@dataclass(frozen=True)
class Report:
    """What `check_gradients` found; `print` shows it as a table.

    parameters: one Parameter each, in the order of the pytree. by_hand_name: the name of the function given as by_hand.
    """

    parameters: tuple[Parameter, ...]
    epsilon: float
    tolerance: float
    by_hand_name: str = "by_hand"

    @property
    def max_relative_error(self) -> float:
        """The largest relative error of any parameter; NaN where a gradient is not finite, 0 without parameters."""
        return float(np.max([parameter.relative_error for parameter in self.parameters], initial=0.0))

    @property
    def ok(self) -> bool:
        """Whether every parameter's derivatives agree to the tolerance."""
        return self.max_relative_error <= self.tolerance

    def to_json(self) -> str:
        """The report as a JSON object: max_relative_error, ok, epsilon, tolerance, and each parameter's numbers.

        A number that is not finite becomes null, as JSON has none.
        """
        fields = {
            "max_relative_error": _finite(self.max_relative_error),
            "ok": self.ok,
            "epsilon": self.epsilon,
            "tolerance": self.tolerance,
            "parameters": [self._row(parameter) for parameter in self.parameters],
        }
        return json.dumps(fields)

    def _row(self, parameter: Parameter) -> dict[str, str | float | bool | None]:
        by_hand = {} if parameter.by_hand is None else {self.by_hand_name: _finite(parameter.by_hand)}
        return {
            "name": parameter.name,
            "nudge": _finite(parameter.nudge),
            "jvp": _finite(parameter.jvp),
            **by_hand,
            "grad": _finite(parameter.grad),
            "kink": parameter.kink,
            "relative_error": _finite(parameter.relative_error),
        }

    def __str__(self) -> str:
        by_hand = any(parameter.by_hand is not None for parameter in self.parameters)
        header = ["parameter", "nudge", "jvp", *([self.by_hand_name] if by_hand else []), "grad", "relative error"]
        rows = [header]
        for parameter in self.parameters:
            values = [parameter.nudge, parameter.jvp, parameter.by_hand, parameter.grad]
            numbers = [f"{value:+.9f}" for value in values if value is not None]
            remark = " kink" if parameter.kink else "" if parameter.relative_error <= self.tolerance else " wrong"
            rows.append([parameter.name, *numbers, f"{parameter.relative_error:.1e}{remark}"])
        return f"{aligned(rows)}\n{self.summary()}"

    def summary(self) -> str:
        """One sentence: the worst relative error, where, and how many kinks there are."""
        if not self.parameters:
            return "No parameters to check."
        worst = max(self.parameters, key=lambda parameter: np.nan_to_num(parameter.relative_error, nan=np.inf))
        verdict = "The gradients agree" if self.ok else "The gradients DISAGREE"
        count = sum(parameter.kink for parameter in self.parameters)
        note = f"; {count} of {len(self.parameters)} parameters have a kink within the nudge" if count else ""
        return (
            f"{verdict}: worst relative error {worst.relative_error:.1e} at {worst.name}, "
            f"tolerance {self.tolerance:.0e}{note}."
        )


def check_gradients(
    fun: Scalar,
    params: Tree,
    *args: Any,
    by_hand: Callable[..., Tree] | None = None,
    epsilon: float = EPSILON,
    tolerance: float = TOLERANCE,
) -> Report:
    """Compare the gradients of `fun(params, *args)` by params: `nudge`, `jvp`, `jax.grad`, and `by_hand` if given.

    fun: any traceable function of a pytree of floating-point arrays to a scalar. by_hand: a gradient that someone
    wrote, called with the same arguments; its result has the structure and shapes of params. All floating-point
    arrays are taken as float64 inside, whatever they are outside; neither they nor JAX's settings are changed.
    epsilon: the nudge. tolerance: the largest relative error that is agreement.

    Returns a Report with every parameter's numbers. Raises ValueError where epsilon is not above 0 or by_hand returns
    another structure or other shapes.

    >>> def fun(p):
    ...     return jnp.sum(jnp.sin(p["angle"]))
    >>> report = check_gradients(
    ...     fun, {"angle": jnp.array([0.0, 1.0])}, by_hand=lambda p: {"angle": -jnp.cos(p["angle"])}
    ... )
    >>> report.ok, report.max_relative_error, report.parameters[0].name
    (False, 2.0, 'angle[0]')
    """
    if not epsilon > 0:
        raise ValueError(f"epsilon, the nudge, must be above 0, not {epsilon}")
    if not jax.tree.leaves(params):
        return Report((), epsilon, tolerance)
    with jax.enable_x64(True):
        params, args = jax.tree.map(_as_float64, (params, args))
        ways = jax.device_get(_every_way(fun, by_hand, params, args, np.asarray(epsilon)))
    columns = [_flat(ways[way]) for way in ("nudge", "jvp", "grad", "kink")]
    written = [None] * columns[0].size if by_hand is None else _flat(ways["by_hand"]).tolist()
    numbers = zip(parameter_names(params), *(column.tolist() for column in columns), written, strict=True)
    rows = tuple(_compare(*row) for row in numbers)
    by_hand_name = getattr(by_hand, "__name__", "")
    return Report(rows, epsilon, tolerance, by_hand_name if by_hand_name.isidentifier() else "by_hand")


@partial(jax.jit, static_argnames=("fun", "by_hand"))
def _every_way(
    fun: Scalar, by_hand: Callable[..., Tree] | None, params: Tree, args: tuple[Any, ...], epsilon: Float[Array, ""]
) -> dict[str, Tree]:
    written = None
    if by_hand is not None:
        written = by_hand(params, *args)
        _check_structure(params, written)
    around = slopes(fun, params, *args, steps=epsilon * jnp.array([*JUMP_STEPS, 0.0]))
    return {
        "nudge": nudge(fun, params, *args, epsilon=epsilon),
        "jvp": jax.tree.map(lambda slope: slope[..., -1], around),
        "by_hand": written,
        "grad": jax.grad(fun)(params, *args),
        "kink": jax.tree.map(_has_kink, around),
    }


def _has_kink(slopes: Float[Array, "*shape 9"]) -> Bool[jax.Array, "*shape"]:
    """Whether the slope jumps, seen against the steepest one around."""
    steepest = jnp.max(jnp.abs(slopes), axis=-1)
    return jump(slopes[..., :-1]) > KINK * jnp.maximum(steepest, FLOOR)


def _check_structure(params: Tree, written: Tree) -> None:
    expected, found = _shapes(params), _shapes(written)
    if expected != found:
        raise ValueError(f"by_hand must return the structure and shapes of params, {expected}, not {found}")


def _shapes(tree: Tree) -> dict[str, tuple[int, ...]]:
    return {_place(path): jnp.shape(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _place(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _compare(name: str, nudge: float, jvp: float, grad: float, kink: bool, by_hand: float | None) -> Parameter:
    counted = [jvp, grad]
    if by_hand is not None:
        counted.append(by_hand)
    if not kink:
        counted.append(nudge)
    a = np.array(counted)
    with np.errstate(invalid="ignore"):
        errors = np.abs(a[:, None] - a) / np.maximum(np.maximum(np.abs(a[:, None]), np.abs(a)), FLOOR)
    return Parameter(name, nudge, jvp, by_hand, grad, kink, relative_error=float(np.max(errors)))


def parameter_names(params: Tree) -> list[str]:
    """One name for each entry of each leaf, in the order of the pytree: its path and index, such as 0.weight[0,1].

    >>> parameter_names({"w": jnp.zeros((1, 2)), "b": jnp.zeros(())})
    ['b', 'w[0,0]', 'w[0,1]']
    """
    names = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        place = _place(path) or "params"
        for index in np.ndindex(jnp.shape(leaf)):
            names.append(f"{place}[{','.join(map(str, index))}]" if index else place)
    return names


def _as_float64(leaf: Any) -> Any:
    if isinstance(leaf, float) or (hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)):
        return np.asarray(leaf, np.float64)
    return leaf


def _flat(tree: Tree) -> np.ndarray:
    leaves = [np.ravel(leaf) for leaf in jax.tree.leaves(tree)]
    return np.concatenate(leaves) if leaves else np.zeros(0)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
