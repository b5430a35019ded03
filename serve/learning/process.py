"""The server of the process that computes for learners: a thread for each connection, and a few that compute."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import warnings
from pathlib import Path
from typing import ClassVar

from werkzeug.serving import WSGIRequestHandler, make_server

from serve.learning.application import create_learning_app
from serve.learning.slots import FORGET_BYTES, MAX_BYTES, Slots, watch

# What the process takes from the workers: little of the processor, and memory only as long as there is enough.
NICENESS, KILLED_FIRST = 15, "500"


class _Handler(WSGIRequestHandler):
    """Handles a connection without a line of log for each request: the worker logs it."""

    slots: ClassVar[Slots]

    def handle(self) -> None:
        """Handle a connection, and count it as long as it lasts."""
        with self.slots.connected():
            super().handle()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


def serve(host: str, port: int, socket_path: str | None, parent: int | None) -> None:
    """Serve until a signal, or until the parent is gone.

    Args:
        host: the address to listen on.
        port: the port.
        socket_path: the path of a unix socket to listen on instead; None for the port.
        parent: the ID of the process that has started this one; None if it may end first.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    _log_as_gunicorn_does()
    # A learner's numbers may be too large. The answer says so, and the operator need not know.
    warnings.simplefilter("ignore", RuntimeWarning)
    if parent is not None:
        step_back()
    slots = _Handler.slots = Slots(max_bytes=(FORGET_BYTES, MAX_BYTES))
    if socket_path is not None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(socket_path)
    address = f"unix://{socket_path}" if socket_path is not None else host
    server = make_server(address, port, create_learning_app(slots), threaded=True, request_handler=_Handler)
    socket = None if socket_path is None else Path(socket_path)
    threading.Thread(target=watch, args=(slots, parent, socket), daemon=True).start()
    where = "its socket" if socket_path is not None else f"http://{host}:{server.server_port}/learn/presets"
    logging.getLogger("gunicorn.error").info("The process that computes for learners listens at %s", where)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


def _log_as_gunicorn_does() -> None:
    level = (os.environ.get("NUDGE_LOG_LEVEL") or "info").upper()
    line = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s"
    logging.basicConfig(level=logging.WARNING, format=line, datefmt="%Y-%m-%d %H:%M:%S %z")
    logging.getLogger("gunicorn.error").setLevel(level)


def step_back() -> None:
    """Let the workers go first: this process has the lower priority, and is ended first if memory runs out."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # other systems have no such file
        Path("/proc/self/oom_score_adj").write_text(KILLED_FIRST)
