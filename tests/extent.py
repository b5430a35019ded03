"""How much the tests try: everything if NUDGE_THOROUGH is set, as `make thorough` sets it; otherwise a part."""

import os
import zlib
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

import jax

T = TypeVar("T")
THOROUGH = os.environ.get("NUDGE_THOROUGH", "0") != "0"

# The options with which Nudge itself compiles for small tables. XLA ends the process at a flag that it does not know:
# that of JAX 0.11 and later does not know the first one.
_QUICK_FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"


def extent(of_all: int, of_a_part: int) -> int:
    """The first number where everything is tried, and otherwise the second."""
    return of_all if THOROUGH else of_a_part


def sample(cases: Iterable[T], kind_of: Callable[[T], Hashable], name_of: Callable[[T], str], one_in: int) -> list[T]:
    """One of every `one_in` cases of each kind, at least one; all cases where everything is tried.

    The names decide which: the order in which the cases are made has a pattern, and a fixed step would follow it.
    """
    kinds: dict[Hashable, list[T]] = {}
    for case in sorted(cases, key=lambda case: zlib.crc32(name_of(case).encode())):
        kinds.setdefault(kind_of(case), []).append(case)
    return [case for kind in kinds.values() for case in kind[:: extent(1, one_in)]]


def quick_compilation_flags() -> str:
    """The flags with which XLA compiles quickly; empty where everything is tried, and with JAX 0.11 or later."""
    return "" if THOROUGH or jax.__version_info__ >= (0, 11) else _QUICK_FLAGS
