"""Fixtures of the tests of the service."""

from collections.abc import Iterator
from typing import Any

import jax
import pytest


@pytest.fixture
def compilations() -> Iterator[list[float]]:
    """A list that grows by the seconds of each program that JAX compiles during the test."""
    durations: list[float] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            durations.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield durations
    jax.monitoring.unregister_event_duration_listener(listen)
