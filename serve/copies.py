"""Copies of the last good checkpoints, and the default model's name, for workers that start later."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from model.checkpoint import SUFFIX, CheckpointError, parse, read
from serve.checkpoint_directory import CheckpointDirectory
from serve.loaded_model import Model, load_model
from serve.settings import Settings
from serve.shared_directory import SharedDirectory

log = logging.getLogger("gunicorn.error")

FOLDER, DEFAULT = "models", "default"


class Copies:
    """What a worker that starts needs if a file is broken or gone by then.

    Args:
        directory: where they are.
    """

    def __init__(self, directory: SharedDirectory) -> None:
        self.directory = directory

    def read_default(self) -> str | None:
        """The default model's name, if a worker of this service has started before."""
        name = self.directory.read(DEFAULT)
        return None if name is None else name.decode()

    def write_default(self, name: str) -> None:
        """Write the default model's name."""
        self.directory.write(DEFAULT, name.encode())

    def names(self) -> list[str]:
        """The names of all models that have a copy."""
        return self.directory.names(FOLDER, SUFFIX)

    def load(self, name: str, settings: Settings) -> tuple[Model, bytes] | None:
        """The model in a copy, and its bytes; None if there is no copy, or if it cannot be used."""
        path = self.directory.path
        if path is None or self.directory.read(_place(name)) is None:
            return None
        try:
            return load_model(path / _place(name), settings)
        except CheckpointError as error:
            log.error("The copy of model %s cannot be used: %s", name, error)
            self.remove(name)
            return None

    def keep(self, name: str, data: bytes) -> None:
        """Keep a copy of a good checkpoint."""
        if self.directory.is_writable and self.directory.read(_place(name)) != data:
            self.directory.write(_place(name), data)

    def remove(self, name: str) -> None:
        """Remove a copy."""
        self.directory.remove(_place(name))

    def renew(self, default: str | None, digests: Mapping[str, str], checkpoints: CheckpointDirectory) -> None:
        """Write what has vanished, as it does if someone cleans the temporary directory.

        Args:
            default: the default model's name.
            digests: of the models that this worker serves, by name.
            checkpoints: where their files are. A file that has another version by now is not copied.
        """
        if not self.directory.is_writable:
            return
        if default and self.read_default() is None:
            self.write_default(default)
        for name in sorted({*digests} - {*self.names()}):
            path = checkpoints.file(name)
            try:
                data = read(path)
                is_served = parse(path, data).digest == digests[name]
            except CheckpointError:
                continue
            if is_served and not self.directory.write(_place(name), data):
                return

    def remove_unserved(self, served: Collection[str]) -> None:
        """Remove the copies of models that no worker serves."""
        for name in {*self.names()} - {*served}:
            self.remove(name)


def _place(name: str) -> str:
    return f"{FOLDER}/{name}{SUFFIX}"
