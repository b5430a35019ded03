"""Options with which XLA compiles more quickly and the programs of small tables run about as fast."""

from __future__ import annotations

from functools import cache

import jax

# A table of at most so many rows is trained in less time than a slower compilation would save.
QUICK_ROWS = 10_000
_QUICK_OPTIONS: dict[str, bool | str] = {
    "xla_cpu_parallel_codegen_split_count": "1",
    "xla_cpu_use_fusion_emitters": False,
}


@cache
def quick_options() -> dict[str, bool | str] | None:
    """The options, as `jax.jit` takes them; None if this XLA does not know them or does not compile for the CPU.

    Returns:
        The names and values of the options, or None.

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
