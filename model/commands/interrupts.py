"""Ctrl-C: the process ends with status 130 and a sentence, from the first import to the last line.

A thread of its own waits for the signal, which is blocked in all others. Python's own handler would not do: it runs
only when the main thread comes back from JAX, which can take long, and an exception that it raises during an import can
get lost.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

STATUS = 130
SHOW_CURSOR = b"\x1b[?25h\n"


class Interrupts:
    """What Ctrl-C does: it ends the process at once; after `hold`, only when it is pressed a second time.

    Attributes:
        pressed: whether it was pressed since `hold`.
        words: what the process says as it ends.
        lock: the process does not end while it is held.
        farewell: is called with the words before the process ends.
    """

    def __init__(self) -> None:
        self.pressed = False
        self.words = "stopped; nothing was written."
        self.lock = threading.Lock()
        self.farewell: Callable[[str], None] = lambda words: None
        self._holding = False

    def listen(self) -> None:
        """Begin to listen. To be called before any other thread starts, because threads inherit the blocked signal."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        threading.Thread(target=self._wait, daemon=True).start()

    def press(self) -> None:
        """Do as if Ctrl-C was pressed once."""
        self.pressed = True

    def hold(self) -> None:
        """From now on only take note of the first Ctrl-C."""
        self._holding = True

    def release(self, words: str) -> None:
        """End the process with these words if Ctrl-C was pressed; otherwise end it at the next."""
        self._holding, self.words = False, words
        if self.pressed:
            self._exit()

    def _wait(self) -> None:
        while True:
            signal.sigwait({signal.SIGINT})
            with self.lock:
                if self.pressed or not self._holding:
                    self._exit()
                self.pressed = True

    def _exit(self) -> NoReturn:
        """End the process without a buffer, a lock or a handler, because the main thread may be anywhere."""
        with suppress(Exception):
            self.farewell(self.words)
        with suppress(OSError):
            if os.isatty(1):
                os.write(1, SHOW_CURSOR)
            if self.words:
                os.write(2, os.fsencode(f"nudge: {self.words}\n"))
        os._exit(STATUS)


interrupts = Interrupts()
