"""What the workers of one service share on disk: the last good checkpoints, and the default model's name."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.atomic_write import atomic_write
from model.checkpoint import SUFFIX, CheckpointError

log = logging.getLogger("gunicorn.error")


@dataclass(frozen=True)
class SharedFiles:
    """The files in the directory that workers share.

    Attributes:
        directory: the shared directory; None if this process shares nothing.
    """

    directory: Path | None

    def read_default(self) -> str | None:
        """The default model's name, if a worker of this service has started before."""
        path = self._path("default")
        return path.read_text() if path and path.exists() else None

    def write_default(self, name: str) -> None:
        """Write the default model's name for workers that start later."""
        path = self._path("default")
        if path:
            _write(path, name.encode())

    def copy_of(self, name: str) -> Path | None:
        """The path of the copy of a model's checkpoint; None if there is no copy."""
        path = self._copy_path(name)
        return path if path and path.exists() else None

    def copied_models(self) -> Iterator[str]:
        """Yield the names of all models that have a copy."""
        directory = self._path("models")
        for path in sorted(directory.glob(f"*{SUFFIX}")) if directory else ():
            yield path.stem

    def keep_copy(self, name: str, data: bytes) -> None:
        """Keep a copy of a good checkpoint, for a worker that starts while the file itself is broken."""
        path = self._copy_path(name)
        try:
            if path and not (path.exists() and path.read_bytes() == data):
                _write(path, data)
        except (OSError, CheckpointError) as error:
            log.warning("No copy of model %s is kept for workers that start later: %s", name, error)

    def remove_copy(self, name: str) -> None:
        """Remove the copy of a model that is retired."""
        path = self._copy_path(name)
        if path:
            path.unlink(missing_ok=True)

    def _copy_path(self, name: str) -> Path | None:
        return self._path(f"models/{name}{SUFFIX}")

    def _path(self, name: str) -> Path | None:
        return self.directory / name if self.directory else None


def _write(path: Path, data: bytes) -> None:
    with atomic_write(path, "set TMPDIR to a directory with room", CheckpointError) as (file, finish):
        file.write(data)
        finish()
