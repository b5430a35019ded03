"""A client's connection while it is in the loop of gunicorn's worker."""

from __future__ import annotations

import socket
from typing import Any

from gunicorn.http import get_parser
from gunicorn.workers.gthread import TConn


class Connection(TConn):
    """A connection.

    Attributes:
        received: the bytes of requests that are not answered yet.
        unsent: the bytes of an answer that the client has not taken yet.
        is_finished: whether the last answer is sent, so that the client only has to close the connection.
        timeout: when the connection is closed if nothing happens, in seconds of the monotonic clock.
    """

    timeout: float

    def __init__(self, cfg: Any, client: socket.socket, address: Any, server_address: Any, timeout: float) -> None:
        super().__init__(cfg, client, address, server_address)  # type: ignore[no-untyped-call]
        self.parser: Any = get_parser(cfg, client, address)  # type: ignore[no-untyped-call]
        self.initialized = self.data_ready = True
        self.received = b""
        self.unsent = b""
        self.is_finished = False
        self.timeout = timeout


class Outbox:
    """Replaces a connection's socket while the loop makes an answer, and keeps what is sent."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.parts = sock, list[bytes]()
        self.sendall = self.parts.append

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)
