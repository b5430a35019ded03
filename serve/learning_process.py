"""The process that computes for learners, as gunicorn's master sees it. Nothing here loads JAX.

The master's loop looks after it once a second. So it is started again when it has ended, and the master needs no
thread. It ends by itself when the master is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# The longest path that the address of a unix socket holds on every system.
MAX_SOCKET_PATH = 100
# Seconds between two starts: the first and the most. They double each time that the process ends soon.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
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
        self._started, self._pause = 0.0, FIRST_PAUSE

    def look_after(self) -> None:
        """Start the process if it does not run. The master must go on, whatever happens."""
        try:
            self._look_after()
        except Exception:
            self._log.exception("The process that computes for learners cannot be started")

    def _look_after(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        ran, now = self._started and time.monotonic() - self._started, time.monotonic()
        if self.process is not None and ran:
            if ran < self._pause:
                return
            self._log.error("The process that computes for learners has ended, and is started again")
            self._pause = FIRST_PAUSE if ran > LONGEST_PAUSE else min(2 * self._pause, LONGEST_PAUSE)
        self._started = now
        self.process = self._start()

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
