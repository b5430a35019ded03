"""The watch over the processes of one run: when one dies or hangs, all others end with a sentence that names it.

JAX would let them wait: a collective waits for a stopped process for ever on some devices (jax #38503), and the
coordination service notices after minutes, and then aborts without a name.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import click

from model.training.processes import LONGEST_WAIT

INTERVAL = 1  # seconds between two signs of life
# After so many seconds without one a process is taken for dead, unless --process-timeout says otherwise.
DEFAULT_TIMEOUT = 20
STATUS = 1
ALIVE, ENDED, INTERRUPTED = "alive", "ended", "interrupted"
PLACE = "nudge/processes/"


class Sign(NamedTuple):
    """What a process tells of itself.

    Attributes:
        state: alive, interrupted (and alive), or ended.
        turn: how often it has told so.
        place: the name of its machine and its number there.
        words: why it ended, if something went wrong.
    """

    state: str
    turn: int
    place: str
    words: str = ""

    def as_text(self) -> str:
        """The sign as one text."""
        return "\n".join(map(str, self))

    @staticmethod
    def from_text(text: str) -> Sign:
        """The sign in a text that `as_text` made."""
        state, turn, place, words = text.split("\n", 3)
        return Sign(state, int(turn), place, words)


@dataclass
class Watch:
    """What one process knows of the others.

    Attributes:
        client: of the coordination service.
        process: the number of this process.
        processes: how many there are.
        timeout: the seconds without a sign of life after which a process is taken for dead, from 2.
        end: what is done when another is gone: it is given the sentence, and does not return.
        is_interrupted: whether this process was asked to stop.
    """

    client: Any
    process: int
    processes: int
    timeout: int
    end: Callable[[str], NoReturn]
    is_interrupted: Callable[[], bool] = lambda: False
    _place: str = field(default_factory=lambda: f"{socket.gethostname()}, process {os.getpid()}")
    _silence: dict[int, int] = field(default_factory=dict)
    _signs: dict[int, Sign] = field(default_factory=dict)
    _unanswered: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to watch, in two threads: one asks, and the other notices if it gets no answer."""
        for loop in (self._ask, self._wait_for_answers):
            threading.Thread(target=loop, daemon=True).start()

    def finish(self, words: str = "") -> None:
        """Tell the others that this process has ended, and why if it failed; then watch no more.

        Args:
            words: why it failed; empty if it did not.
        """
        self._stopped.set()
        last = Sign(ENDED, 0, self._place, words.replace("\n", " "))
        telling = threading.Thread(target=self._tell, args=(last,), daemon=True)
        telling.start()
        telling.join(3 * INTERVAL)  # the service may hang too

    def check_same(self, words: str) -> None:
        """Check that all processes were started alike.

        Args:
            words: what must be the same.

        Raises:
            click.UsageError: if those of process 0 are others.
        """
        digest = hashlib.sha256(f"{words} {self.processes}".encode()).hexdigest()
        if self.process == 0:
            self.client.key_value_set(f"{PLACE[:-1]}-digest", digest)
        elif self.client.blocking_key_value_get(f"{PLACE[:-1]}-digest", LONGEST_WAIT) != digest:
            raise click.UsageError(
                f"process {self.process} has another table, checkpoint or options than process 0; start all with the "
                "same command, and let them read the same files"
            )

    def any_interrupted(self) -> bool:
        """Whether a process was asked to stop, as far as this one knows."""
        return self.is_interrupted() or any(sign.state == INTERRUPTED for sign in self._signs.values())

    def find_lost(self, signs: dict[int, Sign]) -> str | None:
        """The sentence about a process that is gone; None if there is none.

        Silence is counted in turns of this process, not by a clock: so a pause of this process says nothing of others.

        Args:
            signs: the latest sign of each process that has given one.
        """
        for number in range(self.processes):
            sign = signs.get(number)
            is_new = sign is not None and sign != self._signs.get(number)
            self._silence[number] = 0 if is_new else self._silence.get(number, 0) + 1
            if number == self.process or (sign is not None and sign.state == ENDED and not sign.words):
                continue
            who = f"process {number} of {self.processes}" + (f" ({sign.place})" if sign else "")
            if sign is not None and sign.state == ENDED:
                return f"{who} has ended: {sign.words}"
            if self._silence[number] >= self.timeout:
                return (
                    f"{who} has given no sign of life for {self.timeout} seconds, so it is dead or hangs; "
                    "start all processes again, with --resume if a checkpoint was saved"
                )
        self._signs = signs
        return None

    def _ask(self) -> None:
        for count in itertools.count():
            if self._stopped.is_set():
                return
            try:
                state = INTERRUPTED if self.is_interrupted() else ALIVE
                self._tell(Sign(state, count, self._place))
                texts = self.client.key_value_dir_get(PLACE)
            except Exception as error:  # whatever JAX raises when the service is gone
                time.sleep(INTERVAL)
                if not self._stopped.is_set():
                    self.end(f"the process beside process 0 that connects all is gone: {str(error).splitlines()[0]}")
                return
            self._unanswered = 0
            lost = self.find_lost({int(key.rpartition("/")[2]): Sign.from_text(text) for key, text in texts})
            if lost and not self._stopped.is_set():
                self.end(lost)
            self._stopped.wait(INTERVAL)

    def _wait_for_answers(self) -> None:
        while not self._stopped.wait(INTERVAL):
            self._unanswered += 1
            if self._unanswered > self.timeout:
                self.end(
                    f"the machine of process 0 has not answered for {self.timeout} seconds, so it is dead or "
                    "cannot be reached; start all processes again, with --resume if a checkpoint was saved"
                )

    def _tell(self, sign: Sign) -> None:
        self.client.key_value_set(f"{PLACE}{self.process}", sign.as_text(), allow_overwrite=True)
