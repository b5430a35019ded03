"""The file by which a worker tells gunicorn's master that it lives, in memory instead of a temporary directory.

gunicorn makes one before it forks a worker. If the temporary directory is full or gone, that would end the master, and
with it the service.
"""

from __future__ import annotations

import os
from typing import Any

from gunicorn.workers import base
from gunicorn.workers.workertmp import WorkerTmp


class Heartbeat(WorkerTmp):
    """gunicorn's file, without a directory.

    Args:
        cfg: gunicorn's configuration.
    """

    def __init__(self, cfg: Any) -> None:
        descriptor = os.memfd_create("nudge-heartbeat")
        if (cfg.uid, cfg.gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, cfg.uid, cfg.gid)
        self._tmp = os.fdopen(descriptor, "w+b", 0)


def install() -> None:
    """Let gunicorn use it. Systems other than Linux have no files in memory, and keep gunicorn's own."""
    if hasattr(os, "memfd_create"):
        vars(base)["WorkerTmp"] = Heartbeat
