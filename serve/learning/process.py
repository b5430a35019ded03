"""The server of the process that computes for learners: a thread for each connection."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time

from werkzeug.serving import WSGIRequestHandler, make_server

from serve.learning.application import create_learning_app

PARENT_SECONDS = 0.5


class _Handler(WSGIRequestHandler):
    """Handles a connection without a line of log for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing; the worker logs the request."""


def serve(host: str, port: int, socket_path: str | None, parent: int | None) -> None:
    """Serve until a signal, or until the parent is gone.

    Args:
        host: the address to listen on.
        port: the port.
        socket_path: the path of a unix socket to listen on instead; None for the port.
        parent: the ID of the process that has started this one; None if it may end first.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(process)d] [%(levelname)s] %(message)s")
    logging.getLogger("jax").setLevel(logging.WARNING)
    if socket_path is not None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(socket_path)
    address = f"unix://{socket_path}" if socket_path is not None else host
    server = make_server(address, port, create_learning_app(), threaded=True, request_handler=_Handler)
    logging.getLogger("gunicorn.error").info(
        "Learning at %s", address if socket_path is not None else f"http://{host}:{port}/learn"
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


def _end_with(parent: int) -> None:
    """End this process when its parent has ended."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(0)
