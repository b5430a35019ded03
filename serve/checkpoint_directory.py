"""The directory of checkpoints: which files are in it, and which of them have changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from model.checkpoint import SUFFIX
from model.messages import describe_error

# What distinguishes a file from another one of the same name, even if both have the same size and time: its size, the
# times of its content and of its last change of any kind, its inode and its device.
Signature = tuple[int, ...]
UNREADABLE: Signature = ()


class CheckpointDirectory:
    """A directory of checkpoints.

    Args:
        path: the directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault = ""

    def look(self) -> dict[str, Signature]:
        """The signature of every checkpoint, by the model's name. If there is none, `fault` says why.

        A file whose name is not printable is left out, because answers contain the names of models.
        """
        try:
            names = sorted(filter(is_model_file, os.listdir(self.path)))
        except OSError as error:
            self.fault = f"cannot be read ({describe_error(error)})"
            return {}
        signatures = {name.removesuffix(SUFFIX): _signature(self.path / name) for name in names}
        found = {name: signature for name, signature in signatures.items() if signature is not None}
        self.fault = "" if found else "has no checkpoint in it"
        return found

    def file(self, name: str) -> Path:
        """The file of a model."""
        return self.path / f"{name}{SUFFIX}"

    def signature(self, name: str) -> Signature | None:
        """The signature of a model's file; None if there is none."""
        return _signature(self.file(name))


def is_model_file(name: str) -> bool:
    """Whether a file of this name is a model."""
    return name.endswith(SUFFIX) and not name.startswith(".") and name.isprintable()


def _signature(path: Path) -> Signature | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return UNREADABLE
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev
