"""Options with which XLA compiles more quickly and the programs of small tables run about as fast."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from itertools import pairwise
from threading import Lock
from typing import Any

import jax

from model.network import Network

# A table of at most so many rows is trained in less time than a slower compilation would save.
QUICK_ROWS = 10_000
# Layers with at least so many weights are faster with the quick options: 256-256 and 784-512 were, 128-128 was not.
WIDE_WEIGHTS = 2**15
_QUICK_OPTIONS: dict[str, bool | str] = {
    "xla_cpu_parallel_codegen_split_count": "1",
    "xla_cpu_use_fusion_emitters": False,
}

# Threads that compile side by side ask for the options once.
_asking = Lock()


def suits_quick_options(network: Network, rows: int) -> bool:
    """Whether training with the quick options is as fast, or so short that compiling counts more.

    Args:
        network: the description of the network.
        rows: of the table.

    Returns:
        True for few rows and for wide layers.

    Example:
        >>> [suits_quick_options(Network((30, width, width, 1)), 100_000) for width in (64, 256)]
        [False, True]
    """
    return rows <= QUICK_ROWS or max(a * b for a, b in pairwise(network.sizes)) >= WIDE_WEIGHTS


def jit_quickly(function: Callable[..., Any], *static_names: str) -> Callable[..., Any]:
    """`jax.jit` with the quick options, which are looked up at the first call, so that importing starts no device.

    Args:
        function: what is compiled.
        static_names: of its static arguments.

    Returns:
        The compiled function.

    Example:
        >>> int(jit_quickly(lambda x, power: x**power, "power")(3, power=2))
        9
    """

    @cache
    def compiled() -> Any:
        with _asking:
            options = quick_options()
        return jax.jit(function, static_argnames=static_names, compiler_options=options)

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        return compiled()(*arguments, **named)

    return call


@cache
def quick_options() -> dict[str, bool | str] | None:
    """The options, as `jax.jit` takes them.

    Returns:
        Their names and values; None if this XLA does not know them or does not compile for the CPU.

    Example:
        >>> (quick_options() or {}).get("xla_cpu_use_fusion_emitters") in (False, None)
        True
    """
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(lambda x: x).lower(0.0).compile(compiler_options=dict(_QUICK_OPTIONS))
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return None
    return dict(_QUICK_OPTIONS)
