"""The sockets on which a worker accepts connections."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from gunicorn.config import Config
from gunicorn.sock import ssl_context

from serve.clients import REQUEST_SECONDS, Clients
from serve.connection import accept

# The most connections that are accepted in one turn of the loop; by one of several workers that have nothing else to
# do, so that the others get some; and at the cost of other connections.
MAX_ACCEPTS, MAX_IDLE_ACCEPTS, MAX_EVICTIONS = 1024, 2, 16


class Listeners:
    """The sockets on which a worker accepts connections.

    Args:
        sockets: the sockets, which gunicorn has opened.
        clients: get the connections.
        config: gunicorn's configuration.
        log: gunicorn's log.

    Attributes:
        max_accepts: the most connections that are accepted at a time.
    """

    def __init__(self, sockets: Sequence[socket.socket], clients: Clients, config: Config, log: Any) -> None:
        self.sockets, self.clients, self.config, self.log = sockets, clients, config, log
        self.tls = ssl_context(config) if config.is_ssl else None  # type: ignore[no-untyped-call]
        self.max_accepts, self.next_warning = MAX_ACCEPTS, 0.0
        for listener in sockets:
            listener.setblocking(False)
            clients.poller.register(listener, selectors.EVENT_READ, partial(self._accept, listener))

    def share(self, is_idle: bool) -> None:
        """Leave connections to the other workers if this one has nothing else to do, so that all get some."""
        self.max_accepts = MAX_IDLE_ACCEPTS if is_idle and self.config.workers > 1 else MAX_ACCEPTS

    def stop(self) -> None:
        """Accept the connections that are already made, and refuse later ones."""
        self.max_accepts = self.config.backlog
        for listener in self.sockets:
            self._accept(listener)
            self.clients.poller.unregister(listener)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        """Accept connections that are there."""
        evictions = 0
        for _ in range(self.max_accepts):
            try:
                connection = accept(listener, self.tls, REQUEST_SECONDS)
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # no file descriptor is left
                self._warn(error)
                self.clients.make_room()
                return
            if connection is not None:
                evictions += self.clients.add(connection)
            if evictions >= MAX_EVICTIONS:
                return

    def _warn(self, error: OSError) -> None:
        """Log that a connection was not accepted, but no more than once a second."""
        if time.monotonic() >= self.next_warning:
            self.next_warning = time.monotonic() + 1
            self.log.warning("A connection was not accepted: %s", error)
