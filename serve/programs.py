"""What XLA compiles: how programs are counted, and how the memory of compiling is given back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import jax

_COMPILED = "/jax/core/compile/backend_compile_duration"


def on_compilation(note: Callable[[], None]) -> None:
    """Call a function after each program that JAX compiles in this process.

    Args:
        note: the function.
    """

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == _COMPILED:
            note()

    jax.monitoring.register_event_duration_secs_listener(listen)


def return_memory() -> None:
    """Give the memory of compiling back to the system, which the C library would keep."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim:
        trim(0)
