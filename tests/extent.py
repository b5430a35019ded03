"""How much is tried: all if NUDGE_THOROUGH is set, as `make thorough` sets it; otherwise a part, within minutes."""

import os

import jax

THOROUGH = bool(os.environ.get("NUDGE_THOROUGH"))

# Those with which Nudge itself compiles for small tables. JAX 0.11 and later do not know the first one, and end.
_QUICK_FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"


def extent(of_all: int, of_a_part: int) -> int:
    """How many examples there are, or the step from one case to the next."""
    return of_all if THOROUGH else of_a_part


def quick_compilation_flags() -> str:
    """The flags with which XLA compiles all programs quickly; none where everything is tried, and on later Pythons."""
    return "" if THOROUGH or jax.__version_info__ >= (0, 11) else _QUICK_FLAGS
