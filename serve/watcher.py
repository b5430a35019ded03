"""A thread that scans the directory of checkpoints while the service runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from serve.registry import Registry

log = logging.getLogger("gunicorn.error")

# The longest time between two calls of on_tick.
MAX_TICK_SECONDS = 0.5


class Watcher:
    """Scans a registry's directory in a thread of its own.

    Args:
        registry: the registry; its settings say how often it is scanned.
        on_tick: is called before each scan, and at least twice a second.
    """

    def __init__(self, registry: Registry, on_tick: Callable[[], None]) -> None:
        self.registry, self.on_tick = registry, on_tick
        self._stop = threading.Event()

    def start(self) -> None:
        """Watch until `stop`, or until the process ends."""
        threading.Thread(target=self._watch, name="registry", daemon=True).start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()

    def _watch(self) -> None:
        interval = self.registry.settings.poll_seconds
        next_scan = time.monotonic()
        while not self._stop.wait(min(interval, MAX_TICK_SECONDS)):
            self._run(self.on_tick)
            if time.monotonic() >= next_scan:
                next_scan = time.monotonic() + interval
                self._run(self.registry.scan)

    def _run(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:  # whatever is wrong, the service goes on, and the next scan may succeed
            log.exception("The directory of checkpoints could not be looked at")
