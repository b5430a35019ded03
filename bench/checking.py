"""Right and wrong gradients judged by this check and by others.

    python -m bench.checking [SEED ...]

All checkers judge the functions of the first seed, and this check those of the other seeds too. torch (gradcheck) and
numdifftools take part if they are installed, with the extra `bench`, on the functions that can be written for them.
Takes fifteen minutes, and four for each further seed. Writes docs/checking.svg.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.test_util
import numpy as np

from model import Network, check_gradients, init_params, loss, truth_table
from model.checking.epsilon_errors import measure_epsilon_errors
from model.checking.epsilon_plot import draw_epsilon_errors
from model.commands.shared import save_figure
from model.pytrees import is_floating
from tests.checking import corpus, rule_corpus
from tests.checking.corpus import Case

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "checking.svg"
# numdifftools judges a gradient wrong if it differs by more than so many times its error estimate, plus this share.
NUMDIFFTOOLS_ERRORS, NUMDIFFTOOLS_SHARE = 10, 1e-6
# numdifftools takes minutes for more parameters.
MAX_NUMDIFFTOOLS_SIZE = 200

# Whether a case passes; None if it cannot be judged.
Judge = Callable[[Case], bool | None]


def judge_by_nudge(case: Case) -> bool:
    return check_gradients(case.fun, case.params, *case.args, by_hand=case.by_hand, **case.options).ok


def with_own_gradient(case: Case) -> Callable[[Any], Any]:
    """The function of params alone, with the gradient by hand, if there is one, as its rule."""
    fun = corpus.function_of_params(case)
    return fun if case.by_hand is None else corpus.with_vjp(fun, lambda params: case.by_hand(params, *case.args))


def judge_by_jax(case: Case) -> bool | None:
    """`check_grads` at its default settings, in float32 as its users have it; a gradient by hand in reverse mode."""
    for modes in (("fwd", "rev"), ("rev",), ("fwd",)):
        try:
            fun, order = with_own_gradient(case), case.options.get("order", 1)
            jax.test_util.check_grads(fun, (case.params,), order, modes=modes)
            return True
        except AssertionError:
            return False
        except Exception as error:  # a case's function may raise anything in a mode that it has not
            reason = error
    return None if isinstance(reason, jax.errors.TracerArrayConversionError) else False


class FlatProblem(NamedTuple):
    """A case for libraries that take a vector, in float64: the point, the function, and the gradient to be judged."""

    point: np.ndarray
    value: Callable[[np.ndarray], float]
    gradient: np.ndarray


def flat_problem(case: Case) -> FlatProblem | None:
    """The case as a function of one vector; None if it has options, other leaves, or cannot be called in float64."""
    with jax.enable_x64(True):
        leaves, structure = jax.tree.flatten(case.params)
        if not all(is_floating(leaf) for leaf in leaves) or case.options:
            return None
        leaves = [np.asarray(leaf, np.float64) for leaf in leaves]
        bounds = np.cumsum([leaf.size for leaf in leaves])[:-1]

        def to_params(vector: np.ndarray) -> Any:
            parts = zip(np.split(vector, bounds), leaves, strict=True)
            return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in parts])

        args = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64) if is_floating(leaf) else leaf, case.args)
        point = np.concatenate([leaf.ravel() for leaf in leaves])
        try:
            grads = (case.by_hand or jax.grad(case.fun))(to_params(point), *args)
            fun = case.fun if case.by_hand is not None and "NumPy" in case.name else jax.jit(case.fun)
            float(fun(to_params(point), *args))
        except Exception:  # a case's function may raise anything in float64
            return None
        gradient = np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(grads)])
        return FlatProblem(point, lambda vector: float(fun(to_params(vector), *args)), gradient)


def judge_by_torch(case: Case) -> bool | None:
    """`gradcheck`, of a function whose values and gradient are the case's own, in float64."""
    import torch

    problem = flat_problem(case)
    if problem is None:
        return None

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            with jax.enable_x64(True):
                return torch.tensor(problem.value(x.detach().numpy()), dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, ct: Any) -> Any:
            return ct * torch.from_numpy(problem.gradient)

    point = torch.tensor(problem.point, requires_grad=True)
    return torch.autograd.gradcheck(Function.apply, point, raise_exception=False)


def judge_by_numdifftools(case: Case) -> bool | None:
    """Its adaptive gradient: wrong if it differs by more than ten times its own error plus a millionth."""
    import numdifftools

    problem = flat_problem(case)
    if problem is None or problem.point.size > MAX_NUMDIFFTOOLS_SIZE:
        return None
    with jax.enable_x64(True), np.errstate(all="ignore"):
        try:
            found = numdifftools.Gradient(problem.value, full_output=True)(problem.point)
        except (ArithmeticError, ValueError, IndexError):
            return False
    allowed = NUMDIFFTOOLS_ERRORS * np.ravel(found.error_estimate) + NUMDIFFTOOLS_SHARE * np.abs(problem.gradient)
    return bool(np.all(np.abs(np.ravel(found.estimate) - problem.gradient) <= allowed))


def all_cases(seed: int) -> dict[str, list[Case]]:
    """The cases of a seed by the kind of function."""
    return {
        "functions": [*corpus.right_cases(seed), *corpus.wrong_cases(seed)],
        "rules": [*rule_corpus.rule_cases(seed)],
    }


def all_judges() -> dict[str, Judge]:
    """The judges that are installed."""
    judges: dict[str, Judge] = {"check_gradients": judge_by_nudge, "jax.test_util.check_grads": judge_by_jax}
    judges |= {"torch.autograd.gradcheck": judge_by_torch} if find_spec("torch") else {}
    judges |= {"numdifftools.Gradient": judge_by_numdifftools} if find_spec("numdifftools") else {}
    return judges


def print_judgements(seeds: list[int]) -> None:
    """How many right and wrong gradients each judge passes."""
    print(" | ".join(["", "right, passed", "false alarms", "wrong, caught", "missed", "not for it", "seconds"]))
    for index, seed in enumerate(seeds):
        judges = all_judges() if index == 0 else {"check_gradients": judge_by_nudge}
        for kind, cases in all_cases(seed).items():
            for name, judge in judges.items():
                print(" | ".join(judgement(f"seed {seed}, {kind}: {name}", judge, cases)), flush=True)


def judgement(name: str, judge: Judge, cases: list[Case]) -> list[str]:
    """The cells of one line."""
    start = time.perf_counter()
    counts = Counter((case.mistake is not None, judge(case)) for case in cases)
    seconds = time.perf_counter() - start
    cells = [counts[False, True], counts[False, False], counts[True, False], counts[True, True]]
    skipped = counts[False, None] + counts[True, None]
    return [name, *map(str, cells), str(skipped), f"{seconds:.0f}"]


def draw_picture() -> None:
    network, table = Network((2, 2, 1), "tanh"), truth_table("xor")
    params = init_params(network, key=jax.random.key(0))
    measured = measure_epsilon_errors(loss, params, table.x, table.y, network, parameter="0.weight[0,1]")
    save_figure(draw_epsilon_errors(measured), PICTURE)


if __name__ == "__main__":
    draw_picture()
    print_judgements([int(seed) for seed in sys.argv[1:]] or [0])
