"""How many requests compute at once, and how much of what is compiled is kept."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax

from serve.errors import RequestError

log = logging.getLogger("gunicorn.error")

# Requests that compute at once. The others wait.
SLOTS = 2
# Seconds that a request waits for a slot.
WAIT_SECONDS = 20.0
# Programs that are kept. A network of a new shape needs about ten, and each takes about 3 MB.
MAX_PROGRAMS = 100
# Seconds after which a request counts as stuck, and the process ends, to be started again.
STUCK_SECONDS = 300.0
_COMPILED = "/jax/core/compile/backend_compile_duration"


class Slots:
    """Slots in which requests compute, and the programs that JAX has compiled for them.

    Args:
        count: how many slots there are.
        max_programs: how many programs are kept.

    Attributes:
        programs: how many were compiled since they were last forgotten.
    """

    def __init__(self, count: int = SLOTS, max_programs: int = MAX_PROGRAMS) -> None:
        self.count, self.max_programs, self.programs = count, max_programs, 0
        self._free = threading.Semaphore(count)
        self._forgetting = threading.Lock()
        self._started: dict[object, float] = {}
        jax.monitoring.register_event_duration_secs_listener(self.note)

    def note(self, event: str, duration_secs: float, **_: str | int) -> None:
        """Count a program that is compiled."""
        if event == _COMPILED:
            self.programs += 1

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take a slot. Raises RequestError if none becomes free."""
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise RequestError("fewer learners at a time were expected; ask again soon", 503)
        request = object()
        self._started[request] = time.monotonic()
        try:
            yield
        finally:
            del self._started[request]
            self._free.release()
            if self.programs > self.max_programs:
                self._forget()

    def _forget(self) -> None:
        """Forget all programs, while nothing computes."""
        with self._forgetting:
            if self.programs <= self.max_programs:
                return
            for _ in range(self.count):
                self._free.acquire()
            try:
                jax.clear_caches()  # type: ignore[no-untyped-call]
                self.programs = 0
                _return_memory()
            finally:
                for _ in range(self.count):
                    self._free.release()

    def has_stuck(self) -> bool:
        """Whether a request computes for longer than any should."""
        now = time.monotonic()
        return any(now - started > STUCK_SECONDS for started in list(self._started.values()))


def watch(slots: Slots, parent: int | None, seconds: float = 0.5, leave: Callable[[int], None] = os._exit) -> None:
    """End this process when its parent has ended, or when a request is stuck.

    Args:
        slots: in which requests compute.
        parent: the process that has started this one; None if it may end first.
        seconds: between two looks.
        leave: ends the process with a status.
    """
    while parent is None or os.getppid() == parent:
        if slots.has_stuck():
            log.error("A learner's request computes for more than %d seconds: the process ends", STUCK_SECONDS)
            leave(1)
            return
        time.sleep(seconds)
    leave(0)


def _return_memory() -> None:
    """Give the memory of programs back to the system, which the C library would keep."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim:
        trim(0)
