"""Right and wrong gradients judged by this check and by others, and what the check costs.

    python -m bench.checking [SEED]

torch (gradcheck) and numdifftools take part where they are installed, with the extra `bench`, on the functions that can
be written for them. Takes ten minutes. Writes docs/checking.svg.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.test_util
import numpy as np

from model import Network, chain_rule, check_gradients, init_params, loss, truth_table
from model.checking.epsilon_errors import measure_epsilon_errors
from model.checking.epsilon_plot import draw_epsilon_errors
from model.messages import align_columns
from model.pytrees import is_floating
from tests.checking import corpus
from tests.checking.corpus import Case

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "checking.svg"
Judge = Callable[[Case], bool | None]


def ours(case: Case) -> bool:
    return check_gradients(case.fun, case.params, *case.args, by_hand=case.by_hand, **case.options).ok


def with_gradient(case: Case) -> Callable[[Any], Any]:
    """The function of params alone, with the gradient by hand, where there is one, for its rule."""
    fun = corpus.of_params(case)
    return fun if case.by_hand is None else corpus.with_vjp(fun, lambda params: case.by_hand(params, *case.args))


def check_grads(case: Case) -> bool | None:
    """JAX's own, at its default settings, in float32 as its users have it; in reverse mode for a gradient by hand."""
    for modes in (("fwd", "rev"), ("rev",), ("fwd",)):
        try:
            jax.test_util.check_grads(with_gradient(case), (case.params,), case.options.get("order", 1), modes=modes)
            return True
        except AssertionError:
            return False
        except Exception as error:
            reason = error
    return None if isinstance(reason, jax.errors.TracerArrayConversionError) else False


def flattened(case: Case) -> tuple[np.ndarray, Callable[[np.ndarray], float], np.ndarray] | None:
    """The point as one row, the value at a row, and the gradient in question, in float64; None where there is none."""
    with jax.enable_x64(True):
        leaves, structure = jax.tree.flatten(case.params)
        if not all(is_floating(leaf) for leaf in leaves) or case.options:
            return None
        point = [np.asarray(leaf, np.float64) for leaf in leaves]
        bounds = np.cumsum([leaf.size for leaf in point])[:-1]

        def tree(row: np.ndarray) -> Any:
            parts = zip(np.split(row, bounds), point, strict=True)
            return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in parts])

        args = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64) if is_floating(leaf) else leaf, case.args)
        row = np.concatenate([leaf.ravel() for leaf in point])
        try:
            gradient = (case.by_hand or jax.grad(case.fun))(tree(row), *args)
            value = case.fun if case.by_hand is not None and "NumPy" in case.name else jax.jit(case.fun)
            float(value(tree(row), *args))
        except Exception:
            return None
        written = np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(gradient)])
        return row, lambda row: float(value(tree(row), *args)), written


def gradcheck(case: Case) -> bool | None:
    """PyTorch's, of a function whose values and gradient are the case's own, in float64."""
    import torch

    problem = flattened(case)
    if problem is None:
        return None
    row, value, gradient = problem

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            with jax.enable_x64(True):
                return torch.tensor(value(x.detach().numpy()), dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, ct: Any) -> Any:
            return ct * torch.from_numpy(gradient)

    return torch.autograd.gradcheck(Function.apply, torch.tensor(row, requires_grad=True), raise_exception=False)


def numdifftools(case: Case) -> bool | None:
    """Its adaptive gradient; wrong where it is further off than ten times its own error and a millionth."""
    import numdifftools as nd

    problem = flattened(case)
    if problem is None or problem[0].size > 200:
        return None
    row, value, gradient = problem
    with jax.enable_x64(True), np.errstate(all="ignore"):
        try:
            found = nd.Gradient(value, full_output=True)(row)
        except (ArithmeticError, ValueError, IndexError):
            return False
    slack = 10 * np.ravel(found.error_estimate) + 1e-6 * np.abs(gradient)
    return bool(np.all(np.abs(np.ravel(found.estimate) - gradient) <= slack))


def judge(seed: int) -> None:
    judges: dict[str, Judge] = {"check_gradients": ours, "jax.test_util.check_grads": check_grads}
    judges |= {"torch.autograd.gradcheck": gradcheck} if find_spec("torch") else {}
    judges |= {"numdifftools.Gradient": numdifftools} if find_spec("numdifftools") else {}
    rows = [["", "right, passed", "false alarms", "wrong, caught", "missed", "not for it", "seconds"]]
    for name, of in judges.items():
        count: Counter[tuple[bool, bool | None]] = Counter()
        start = time.perf_counter()
        for wrong, cases in ((False, corpus.right(seed)), (True, corpus.wrong(seed))):
            count.update((wrong, of(case)) for case in cases)
        seconds = time.perf_counter() - start
        cells = [count[False, True], count[False, False], count[True, False], count[True, True]]
        skipped = count[False, None] + count[True, None]
        rows.append([name, *map(str, cells), str(skipped), f"{seconds:.0f}"])
    print(align_columns(rows))


def cost() -> None:
    """A large and a small network, beside one loss and gradient."""
    network, table = Network((2, 2, 1)), truth_table("xor")
    params = init_params(network, key=jax.random.key(0))
    start = time.perf_counter()
    check_gradients(loss, params, table.x, table.y, network, by_hand=chain_rule)
    print(f"2-2-1, compiled for the first time: {time.perf_counter() - start:.2f} s (bar 0.2 s)")

    network = Network((784, 1024, 192, 10))
    params = init_params(network, key=jax.random.key(0))
    params = jax.tree.map(lambda leaf: leaf / np.sqrt(leaf.shape[0]), params)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(256, 784)).astype(np.float32), rng.integers(0, 2, (256, 10)).astype(np.float32)
    gradient = jax.jit(jax.value_and_grad(loss))
    jax.block_until_ready(gradient(params, x, y, network))
    start = time.perf_counter()
    for _ in range(10):
        jax.block_until_ready(gradient(params, x, y, network))
    one = (time.perf_counter() - start) / 10
    start = time.perf_counter()
    report = check_gradients(loss, params, x, y, network, by_hand=chain_rule)
    seconds = time.perf_counter() - start
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    print(f"{size:,} parameters, 256 rows: {seconds:.1f} s, {seconds / one:.0f} × one loss and gradient (bar 200)")
    print(report.summary())


def picture() -> None:
    network, table = Network((2, 2, 1), "tanh"), truth_table("xor")
    params = init_params(network, key=jax.random.key(0))
    found = measure_epsilon_errors(loss, params, table.x, table.y, network, parameter="0.weight[0,1]")
    draw_epsilon_errors(found).savefig(PICTURE)


if __name__ == "__main__":
    cost()
    picture()
    judge(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
