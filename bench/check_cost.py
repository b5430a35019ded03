"""What the check of gradients costs: of a small network with all compiling, and of a million parameters.

    python -m bench.check_cost [--turns 3]

The small network is checked in a process that has done nothing else, and so it is by `jax.test_util.check_grads`, which
looks along one direction. The large one is compared with one evaluation of its loss and gradient.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.comparisons import Comparison, Part
from bench.contestants import ask_once
from bench.epochs import random_rows
from bench.part import Options, run_part

LARGE, TINY = ((784, 1024, 192, 10), 256), ((8, 16, 4), 16)
# At most so many times one loss and gradient.
LARGE_BAR = 200.0


def measure(options: Options) -> Part:
    """The seconds of the checks, and of what they are compared with, in turns."""
    small: dict[str, list[float]] = {"check_gradients": [], "check_grads": []}
    large: list[dict[str, float]] = []
    tiny = ["--tiny"] if options.tiny else []
    for turn in range(1 + options.turns):  # the first reads everything from the disk, and does not count
        for name, seconds in small.items():
            found = ask_once("bench.check_cost", "--worker", name, *tiny)["seconds"]
            seconds.extend([found] if turn else [])
        large.extend([ask_once("bench.check_cost", "--worker", "large", *tiny)] if turn else [])
    (layers, rows), parameters = TINY if options.tiny else LARGE, large[0]["parameters"]
    what = f"the check of {'-'.join(map(str, layers))} ({parameters:,.0f} parameters), {rows} rows"
    checks, gradients = ([each[name] for each in large] for name in ("seconds", "gradient"))
    return Part(
        [
            Comparison("the check of 2-2-1, compiling included", "`check_grads` of JAX", "s", *small.values()),
            Comparison(what, "one loss and gradient", "s", checks, gradients, LARGE_BAR),
        ]
    )


def check_small(name: str) -> dict[str, float]:
    """The seconds of a check of XOR's network, with all compiling."""
    import jax
    import jax.test_util

    from model import Network, chain_rule, check_gradients, init_params, loss, truth_table

    network, table = Network((2, 2, 1)), truth_table("xor")
    params = jax.block_until_ready(init_params(network, key=jax.random.key(0)))

    def by_jax() -> None:
        jax.test_util.check_grads(lambda params: loss(params, table.x, table.y, network), (params,), order=1)

    def by_nudge() -> None:
        assert check_gradients(loss, params, table.x, table.y, network, by_hand=chain_rule).ok

    return {"seconds": seconds_of(by_nudge if name == "check_gradients" else by_jax)}


def check_large(layers: tuple[int, ...], rows: int) -> dict[str, float]:
    """The seconds of a check with all compiling, and of one loss and gradient, compiled before."""
    import jax

    from model import Network, chain_rule, check_gradients, init_params, loss

    network = Network(layers, task="multiclass")
    params = init_params(network, key=jax.random.key(0), init="he")
    x, y = random_rows(rows, layers[0], layers[-1])
    y = y.astype("int32")
    gradient = jax.jit(jax.value_and_grad(loss), static_argnums=3)

    def evaluate() -> None:
        jax.block_until_ready(gradient(params, x, y, network))

    def check() -> None:
        assert check_gradients(loss, params, x, y, network, by_hand=chain_rule).ok

    evaluate()
    before = statistics.median(seconds_of(evaluate) for _ in range(10))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(params))
    return {"seconds": seconds_of(check), "gradient": before, "parameters": float(parameters)}


def seconds_of(action: Callable[[], Any]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    if "--worker" in sys.argv:
        _, _, work, *tiny = sys.argv
        print(json.dumps(check_large(*(TINY if tiny else LARGE)) if work == "large" else check_small(work)))
    else:
        run_part(measure, __doc__)
