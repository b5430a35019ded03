"""The directory that the workers of one service share. It may be full, and it may vanish while the service runs."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from pathlib import Path

from model.messages import describe_error

log = logging.getLogger("gunicorn.error")

# Seconds in which nothing more is written after a write has failed.
PAUSE_SECONDS = 5.0


class SharedDirectory:
    """A directory whose files are written whole or not at all. It is made again when it is gone.

    Only `make` raises OSError: what cannot be written or read is left out, and one warning says so.

    Args:
        path: the directory; None if this process shares nothing.
        owner: the user to whom it belongs; by default that of this process.
    """

    def __init__(self, path: Path | None, owner: int | None = None) -> None:
        self.path = path
        self._owner = os.geteuid() if owner is None else owner
        self._lock = threading.Lock()
        self._is_failing = False
        self._paused_until = 0.0

    @property
    def is_writable(self) -> bool:
        """Whether it is worth trying to write."""
        return self.path is not None and time.monotonic() >= self._paused_until

    def write(self, name: str, data: bytes) -> bool:
        """Write a file, and return whether it is there now."""
        if self.path is None or not self.is_writable:
            return False
        with self._lock:
            try:
                self._write(self.path / name, data)
            except OSError as error:
                self._fail(error)
                return False
            if self._is_failing:
                log.info("%s can be written again", self.path)
            self._is_failing = False
            return True

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None if it cannot be read."""
        if self.path is None:
            return None
        try:
            self._check_owner(self.path)
            return (self.path / name).read_bytes()
        except OSError:
            return None

    def names(self, folder: str, suffix: str) -> list[str]:
        """The names of the files in a folder, without their common ending."""
        if self.path is None:
            return []
        try:
            found = sorted(os.listdir(self.path / folder))
        except OSError:
            return []
        return [name.removesuffix(suffix) for name in found if name.endswith(suffix) and not name.startswith(".")]

    def move(self, name: str, new_name: str) -> None:
        """Move a file if it is there."""
        if self.path:
            try:
                (self.path / new_name).parent.mkdir(exist_ok=True)
                os.replace(self.path / name, self.path / new_name)
            except OSError as error:
                log.debug("%s was not moved: %s", name, describe_error(error))

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        if self.path:
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                log.debug("%s was not removed: %s", name, describe_error(error))

    def remove_unfinished(self, pid: int) -> None:
        """Remove what a process that has ended was writing."""
        for path in self.path.rglob(f".{pid}.tmp") if self.path else ():
            path.unlink(missing_ok=True)

    def make(self) -> None:
        """Make the directory if it is gone. Raises OSError if that fails, or if another user could have made it."""
        assert self.path is not None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.path.mkdir(mode=0o700)
        except FileExistsError:
            pass
        else:
            if self._owner != os.geteuid():  # the master may be root, and the workers another user
                os.chown(self.path, self._owner, -1)
        self._check_owner(self.path)

    def _write(self, place: Path, data: bytes) -> None:
        self.make()
        place.parent.mkdir(exist_ok=True)
        temporary = place.with_name(f".{os.getpid()}.tmp")
        try:
            temporary.write_bytes(data)
            os.replace(temporary, place)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def _fail(self, error: OSError) -> None:
        if not self._is_failing:
            log.warning(
                "%s cannot be written (%s): workers keep their counts to themselves, and no copies of checkpoints",
                self.path,
                describe_error(error),
            )
        self._is_failing = True
        self._paused_until = time.monotonic() + PAUSE_SECONDS

    def _check_owner(self, path: Path) -> None:
        """Raise OSError if another user could have put files there: anyone can take the name of a cleaned directory."""
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != self._owner or status.st_mode & 0o022:
            raise PermissionError("it belongs to another user")
