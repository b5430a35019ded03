"""What XLA compiles: how programs are counted."""

from __future__ import annotations

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
