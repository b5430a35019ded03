"""The process that computes for learners, as gunicorn's master sees it. Nothing here loads JAX.

The master's loop looks after it once a second. So it is started again when it has ended, and the master needs no
thread. It ends by itself when the master or its socket is gone.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from model.messages import describe_error
from serve.shared_directory import SharedDirectory

# The longest path that the address of a unix socket holds on every system.
MAX_SOCKET_PATH = 100
# Seconds between two starts: the first and the most. They double each time that the process ends soon.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
# Seconds without a sign of life after which the process is killed: as it runs, as it starts, and as the service ends.
SILENT_SECONDS, START_SECONDS, SILENT_AT_END_SECONDS = 60.0, 300.0, 3.0
SOCKET_NAME = "learn.sock"


class LearningProcess:
    """Starts the process, and starts it again when it has ended.

    Args:
        directory: the private directory of the service, where its socket goes if its path is short enough.
        config: gunicorn's configuration.
        log: gunicorn's log.

    Attributes:
        socket: the path of its socket.
        process: the process; None before the first start.
    """

    def __init__(self, directory: Path, config: Any, log: Any) -> None:
        self._uid, self._gid, self._log = config.uid, config.gid, log
        self._own_directory: str | None = None
        if len(os.fsencode(directory / SOCKET_NAME)) > MAX_SOCKET_PATH:
            self._own_directory = tempfile.mkdtemp(
                prefix="nudge-", dir="/dev/shm" if os.path.isdir("/dev/shm") else "/tmp"
            )
            os.chown(self._own_directory, self._uid, self._gid)
            directory = Path(self._own_directory)
        self.socket = directory / SOCKET_NAME
        self.process: subprocess.Popen[bytes] | None = None
        self._directory = SharedDirectory(directory, self._uid)
        self._started, self._pause, self._is_ending = -math.inf, FIRST_PAUSE, False

    def look_after(self) -> None:
        """Start the process if it does not run, and end it if it is silent. The master must go on, whatever happens."""
        try:
            self._look_after()
        except OSError as error:
            self._log.error("The process that computes for learners cannot be started: %s", describe_error(error))
        except Exception:
            self._log.exception("The process that computes for learners cannot be started")

    def _look_after(self) -> None:
        now = time.monotonic()
        ran = now - self._started
        if self.process is not None and self.process.poll() is None:
            if self.is_silent(SILENT_SECONDS if self._last_sign() > self._started else START_SECONDS):
                self._log.error("The process that computes for learners gives no sign of life, and is killed")
                self.process.kill()
            return
        if ran < self._pause:
            return
        if self.process is not None:
            how = how_it_ended(self.process.returncode)
            self._log.error("The process that computes for learners has ended (%s), and is started again", how)
        if ran < math.inf:
            self._pause = FIRST_PAUSE if ran > LONGEST_PAUSE else min(2 * self._pause, LONGEST_PAUSE)
        self._started, self.process = now, None
        self._directory.make()
        self.process = self._start()

    def notice_end(self) -> None:
        """Ask how the process has ended: gunicorn, which asks for all children, would keep that to itself.

        While the service ends, also end a process that answers nothing, so that no worker waits for it.
        """
        is_running = self.process is not None and self.process.poll() is None
        if self.process is not None and is_running and self._is_ending and self.is_silent(SILENT_AT_END_SECONDS):
            self.process.kill()

    def prepare_end(self) -> None:
        """Note that the service ends."""
        self._is_ending = True

    def is_silent(self, seconds: float) -> bool:
        """Whether the process has given no sign of life for so long: it touches its socket as long as it runs."""
        return time.monotonic() - max(self._last_sign(), self._started) > seconds

    def _last_sign(self) -> float:
        try:
            touched = os.lstat(self.socket).st_mtime
        except OSError:
            return -math.inf
        # The process writes the time since the start of the system, and the system itself that of the clock.
        return touched if touched <= time.monotonic() else -math.inf

    def _start(self) -> subprocess.Popen[bytes]:
        root = Path(__file__).resolve().parents[1]
        path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
        user: dict[str, Any] = {}
        if (self._uid, self._gid) != (os.geteuid(), os.getegid()):
            user = {"user": self._uid, "group": self._gid, "extra_groups": []}
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "serve.learning", "--socket", str(self.socket), "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
            # The signals of a terminal are the master's.
            start_new_session=True,
            **user,
        )

    def end(self) -> None:
        """End the process. It keeps nothing that could be lost."""
        if self.process is not None:
            self.process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=5)
        if self._own_directory:
            shutil.rmtree(self._own_directory, ignore_errors=True)


def how_it_ended(returncode: int) -> str:
    """How a process has ended, for the log.

    >>> how_it_ended(-9), how_it_ended(1)
    ('by the signal SIGKILL; perhaps the memory was full', 'with the status 1')
    """
    if returncode >= 0:
        return f"with the status {returncode}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-returncode).name
        return f"by the signal {name}" + ("; perhaps the memory was full" if name == "SIGKILL" else "")
    return f"by the signal {-returncode}"
