"""How many requests compute at once, and how much of what is compiled is kept."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

from model.tables.memory import return_memory
from serve.errors import RequestError
from serve.programs import on_compilation
from serve.settings import MEBIBYTE

log = logging.getLogger("gunicorn.error")

# Requests that compute at once. The others wait.
SLOTS = 2
# Seconds that a request waits for a slot.
WAIT_SECONDS = 20.0
# Programs that are kept. A network of a new shape needs about ten, and each takes about 3 MB.
MAX_PROGRAMS = 100
# Seconds after which a request counts as stuck, and the process ends, to be started again.
STUCK_SECONDS = 300.0
# Memory of the process above which programs are forgotten, and above which it ends if that does not help. Linux only.
FORGET_BYTES, MAX_BYTES = 500 * MEBIBYTE, 650 * MEBIBYTE


class Slots:
    """Slots in which requests compute, and the programs that JAX has compiled for them.

    Args:
        count: how many slots there are.
        max_programs: how many programs are kept.
        max_bytes: the memory of the process above which programs are forgotten, and above which it ends if that does
            not help; by default, only programs are counted, because the process may hold more than this.

    Attributes:
        programs: how many were compiled since they were last forgotten.
        connections: how many requests are being read, computed or answered.
        is_full: whether the process has too much memory, and ends as soon as there are no connections.
    """

    def __init__(
        self,
        count: int = SLOTS,
        max_programs: int = MAX_PROGRAMS,
        max_bytes: tuple[float, float] = (math.inf, math.inf),
    ) -> None:
        self.count, self.max_programs, self.programs = count, max_programs, 0
        self._forget_bytes, self._max_bytes = max_bytes
        self.connections, self.is_full = 0, False
        self._counting = threading.Lock()
        self._free = threading.Semaphore(count)
        self._forgetting = threading.Lock()
        self._started: dict[object, float] = {}
        on_compilation(self.note)

    def note(self) -> None:
        """Count a program that is compiled."""
        self.programs += 1

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take a slot. Raises RequestError if none becomes free."""
        if self.is_full:
            raise RequestError("the process that computes for learners starts anew; ask again soon", 503)
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise RequestError("fewer learners at a time were expected; ask again soon", 503)
        request = object()
        self._started[request] = time.monotonic()
        try:
            yield
        finally:
            del self._started[request]
            self._free.release()
            if self._has_much():
                self._forget()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Count a connection as long as it lasts."""
        with self._counting:
            self.connections += 1
        try:
            yield
        finally:
            with self._counting:
                self.connections -= 1

    def _has_much(self) -> bool:
        if self.programs > self.max_programs:
            return True
        if resident_bytes() <= self._forget_bytes:
            return False
        return_memory()  # what only the request needed
        return resident_bytes() > self._forget_bytes

    def _forget(self) -> None:
        """Forget all programs, while nothing computes."""
        with self._forgetting:
            if not self._has_much():
                return
            for _ in range(self.count):
                self._free.acquire()
            try:
                jax.clear_caches()  # type: ignore[no-untyped-call]
                self.programs = 0
                return_memory()
                self.is_full = resident_bytes() > self._max_bytes
            finally:
                for _ in range(self.count):
                    self._free.release()

    def has_stuck(self) -> bool:
        """Whether a request computes for longer than any should."""
        now = time.monotonic()
        return any(now - started > STUCK_SECONDS for started in list(self._started.values()))

    def reason_to_end(self) -> str | None:
        """Why this process should end now; None if it should go on."""
        if self.has_stuck():
            return f"a request computes for more than {STUCK_SECONDS:.0f} seconds"
        if self.is_full and not self.connections:
            return f"it has more than {self._max_bytes / MEBIBYTE:.0f} MiB of memory, even without programs"
        return None


def watch(
    slots: Slots,
    parent: int | None,
    socket: Path | None = None,
    seconds: float = 0.5,
    leave: Callable[[int], None] = os._exit,
) -> None:
    """Touch the socket as a sign of life. End this process when its parent or its socket is gone, or a request stuck.

    Args:
        slots: in which requests compute.
        parent: the process that has started this one; None if it may end first.
        socket: the unix socket on which this process listens; None if it listens on a port.
        seconds: between two looks.
        leave: ends the process with a status.
    """
    first = file_id(socket)
    while parent is None or os.getppid() == parent:
        reason = slots.reason_to_end()
        if socket and (first is None or file_id(socket) != first):
            reason = "its socket is gone"
        if reason:
            log.error("The process that computes for learners ends: %s", reason)
            leave(1)
            return
        if socket:
            with contextlib.suppress(OSError):  # the next look sees that it is gone
                os.utime(socket, (time.monotonic(),) * 2)
        time.sleep(seconds)
    leave(0)


def file_id(path: Path | None) -> tuple[int, int] | None:
    """What tells a file from another one at the same path; None if there is none."""
    try:
        status = os.lstat(path) if path else None
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status else None


def resident_bytes() -> int:
    """The memory that this process has; 0 on systems that do not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
