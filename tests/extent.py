"""How much is tried: all if NUDGE_THOROUGH is set, as `make thorough` sets it; otherwise a part, within minutes."""

import os
import zlib
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

import jax

T = TypeVar("T")
THOROUGH = os.environ.get("NUDGE_THOROUGH", "0") != "0"

# Those with which Nudge itself compiles for small tables. JAX 0.11 and later do not know the first one, and end.
_QUICK_FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"


def extent(of_all: int, of_a_part: int) -> int:
    """A number of examples, of cases or of steps: where everything is tried, and otherwise."""
    return of_all if THOROUGH else of_a_part


def sample(cases: Iterable[T], kind_of: Callable[[T], Hashable], name_of: Callable[[T], str], one_in: int) -> list[T]:
    """One of so many cases of each kind, and at least one, drawn by their names; all where everything is tried."""
    kinds: dict[Hashable, list[T]] = {}
    for case in sorted(cases, key=lambda case: zlib.crc32(name_of(case).encode())):
        kinds.setdefault(kind_of(case), []).append(case)
    return [case for kind in kinds.values() for case in kind[:: extent(1, one_in)]]


def quick_compilation_flags() -> str:
    """The flags with which XLA compiles all programs quickly; none where everything is tried, and with a later JAX."""
    return "" if THOROUGH or jax.__version_info__ >= (0, 11) else _QUICK_FLAGS
