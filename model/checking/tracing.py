"""Finding a way to evaluate somebody's function: traced or called, in float64 or in its own dtypes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model.checking.checked_function import CheckedFunction
from model.checking.errors import TRACING_ERRORS, NotCheckableError, describe_value, summarize_error
from model.pytrees import Tree, is_floating, leaf_name


def prepare(fun: Any, params: Tree, args: tuple[Any, ...], double: bool = True) -> CheckedFunction:
    """Find a way to evaluate the function at this point; double: in float64, if it can be.

    Raises NotCheckableError, in one sentence, where there is none.
    """
    if not callable(fun):
        raise NotCheckableError(
            f"fun must be a function of params, but it is {describe_value(fun)}; pass the function itself"
        )
    paths, structure = jax.tree_util.tree_flatten_with_path(params)
    names, leaves = [leaf_name(path) for path, _ in paths], [leaf for _, leaf in paths]
    for name, leaf in zip(names, leaves, strict=True):
        _check_leaf(name, leaf)
    moving = tuple(index for index, leaf in enumerate(leaves) if is_floating(leaf))
    if not moving:
        found = ", ".join(f"{name} {describe_value(leaf)}" for name, leaf in list(zip(names, leaves, strict=True))[:3])
        raise NotCheckableError(
            f"params must have a floating-point leaf to be nudged, but found {found or 'no leaf'}; convert it to float"
        )
    problem = CheckedFunction(
        fun, tuple(leaves), tuple(path for path, _ in paths), structure, moving, args, "traced", True
    )
    failures: list[Exception] = []
    for precise in (True, False) if double else (False,):
        for how in ("traced", "constant", "numpy", "jax"):
            candidate = replace(problem, mode=how, in_float64=precise)
            try:
                result = returned(candidate)
            except NotCheckableError:
                raise
            except Exception as error:
                failures.append(error)
                continue
            return _with_weights(candidate, result)
    telling = [error for error in failures if not isinstance(error, TRACING_ERRORS)] or failures
    raise NotCheckableError(
        f"fun must return a number at params, but it raised {summarize_error(telling[0])}; "
        "call it with the same arguments to see where"
    ) from telling[0]


def _check_leaf(name: str, leaf: Any) -> None:
    if isinstance(leaf, jax.core.Tracer):
        raise NotCheckableError(f"params must hold numbers, but {name} is being traced; check outside of jit and grad")
    if isinstance(leaf, complex) or jnp.issubdtype(getattr(leaf, "dtype", np.bool_), jnp.complexfloating):
        raise NotCheckableError(
            f"params must be real, but {name} is {describe_value(leaf)}; pass its real and imaginary parts"
        )


def returned(problem: CheckedFunction) -> list[Any]:
    """The leaves of what the function returns; of a traced one their shapes."""
    with problem.jax_settings(), np.errstate(all="ignore"):
        if not problem.is_traced:
            return problem.output(problem.to_arguments(problem.flat), [])
        shapes: list[Any] = jax.eval_shape(problem.output, problem.point, problem.argument_arrays)
        return shapes


def _with_weights(problem: CheckedFunction, returned: list[Any]) -> CheckedFunction:
    """The problem, with weights where its function returns no scalar.

    They are random, of about the inverse of each leaf's own size, so that a small one counts as a large one.
    """
    if len(returned) == 1 and np.shape(returned[0]) == ():
        return problem
    if problem.is_traced:
        with problem.jax_settings():
            returned = jax.jit(problem.output)(problem.point, problem.argument_arrays)
    rng = np.random.default_rng(0)
    weights = []
    for leaf in returned:
        size = np.sqrt(np.mean(np.square(np.asarray(leaf, np.float64)))) if np.size(leaf) else 1.0
        scale = 1 / size if size > 0 and np.isfinite(size) else 1.0
        signs = rng.choice([-scale, scale], np.shape(leaf))
        weights.append(np.asarray(signs * rng.uniform(0.5, 1.5, np.shape(leaf))))
    return replace(problem, weights=tuple(weights))
