"""Threads of a worker that do something again and again while requests are answered."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from serve.registry import Registry

log = logging.getLogger("gunicorn.error")

PUBLISH_SECONDS = 0.5


class Repeater:
    """Calls a function again and again in a thread of its own.

    Args:
        name: of the thread.
        seconds: the time between two calls.
        step: what is called. If it returns true there is more to do, and it is called again at once.
    """

    def __init__(self, name: str, seconds: float, step: Callable[[], object]) -> None:
        self.name, self.seconds, self.step = name, seconds, step
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=name, daemon=True)

    def start(self) -> None:
        """Go on until `stop`, or until the process ends."""
        self._thread.start()

    def stop(self) -> None:
        """Call it no more, and wait for the call that is running."""
        self._stop.set()
        self._thread.join()

    def _repeat(self) -> None:
        seconds = 0.0
        while not self._stop.wait(seconds):
            seconds = 0.0 if self._has_more() else self.seconds

    def _has_more(self) -> bool:
        try:
            return bool(self.step())
        except Exception:  # whatever is wrong, the service goes on, and the next call may succeed
            log.exception("The thread %s has failed, and goes on", self.name)
            return False


class Watcher:
    """Looks at a registry's directory from time to time, and in between loads and compiles what is new.

    A second thread publishes what this worker serves and counts, so that this never waits for a compilation.

    Args:
        registry: the registry; its settings say how often it looks.
        publish: is called twice a second.
    """

    def __init__(self, registry: Registry, publish: Callable[[], None]) -> None:
        self.registry = registry
        self.poll_seconds = registry.settings.poll_seconds
        self._next_look = time.monotonic() + self.poll_seconds
        self._threads = (
            Repeater("registry", self.poll_seconds, self.step),
            Repeater("metrics", PUBLISH_SECONDS, publish),
        )

    def start(self) -> None:
        """Watch until `stop`, or until the process ends."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop watching."""
        for thread in self._threads:
            thread.stop()

    def step(self) -> bool:
        """Look if it is time, then load or compile one model. Returns whether there was one."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self.poll_seconds
            self.registry.look()
        return self.registry.load_next() or self.registry.compile_next()
