"""Ctrl-C: the process ends with status 130 and a sentence, from the first import to the last line.

A thread of its own waits for the signal, which is blocked in every other. Python's handler would have to wait until the
main thread comes back from JAX, where an epoch of a large network takes long, and what it raises can be lost in an
import.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import NoReturn

SHOW_CURSOR = b"\x1b[?25h\n"


class Interrupts:
    """What Ctrl-C does: end the process at once, or, after `hold`, only when it is pressed again.

    pressed: whether it has been since `hold`. words: what the process says as it ends. whole: a lock; what is done
    under it is done wholly before the process ends.
    """

    def __init__(self) -> None:
        self.pressed = False
        self.words = "stopped; nothing was written."
        self.whole = threading.Lock()
        self._held = False

    def listen(self) -> None:
        """Begin; before any other thread starts, since those inherit that the signal is blocked."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        threading.Thread(target=self._wait, daemon=True).start()

    def hold(self) -> None:
        """From now on take only note of the first one."""
        self._held = True

    def release(self, words: str) -> None:
        """End the process with these words, if there was one, and else on the next."""
        self._held, self.words = False, words
        if self.pressed:
            self._leave()

    def _wait(self) -> None:
        while True:
            signal.sigwait({signal.SIGINT})
            with self.whole:
                if self.pressed or not self._held:
                    self._leave()
                self.pressed = True

    def _leave(self) -> NoReturn:
        """Without a buffer, a lock or a handler in between: the main thread may be anywhere."""
        with suppress(OSError):
            if os.isatty(1):
                os.write(1, SHOW_CURSOR)
            if self.words:
                os.write(2, os.fsencode(f"nudge: {self.words}\n"))
        os._exit(130)


interrupts = Interrupts()
