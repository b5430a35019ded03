"""All connections of a worker: what its loop listens to, what it holds for them, and which it closes."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from gunicorn.config import Config
from gunicorn.sock import ssl_context

from serve.connection import Connection

# Seconds that a client may take to send a request, or to take some of its answer.
REQUEST_SECONDS = int(os.environ.get("NUDGE_REQUEST_SECONDS") or 30)
# Seconds that a client may take to close the connection after its last answer.
GRACE_SECONDS = 2
# The most connections that are accepted in one turn of the loop.
MAX_ACCEPTS = 1024
# The most bytes that are held for all clients together: requests that arrive, and answers that are not taken.
MAX_HELD_BYTES = 64 * 1024 * 1024


class Clients:
    """The connections, in the order of their last requests.

    Args:
        poller: what the loop listens with.
        config: gunicorn's configuration.
        log: gunicorn's log.
    """

    def __init__(self, poller: selectors.BaseSelector, config: Config, log: Any) -> None:
        self.poller, self.config, self.log = poller, config, log
        self.tls = ssl_context(config) if config.is_ssl else None  # type: ignore[no-untyped-call]
        self.listeners: Sequence[socket.socket] = ()
        self.connections: dict[Connection, None] = {}
        self.held_bytes, self.next_warning = 0, 0.0

    def __contains__(self, connection: Connection) -> bool:
        return connection in self.connections

    def start_accepting(self, listeners: Sequence[socket.socket]) -> None:
        """Accept connections from now on."""
        self.listeners = listeners
        for listener in listeners:
            listener.setblocking(False)
            self.poller.register(listener, selectors.EVENT_READ, partial(self._accept, listener))

    def stop_accepting(self) -> None:
        """Accept the connections that are already made, refuse later ones, and soon close those that are idle."""
        for listener in self.listeners:
            while self._accept(listener):
                pass
            self.poller.unregister(listener)
            listener.close()
        for connection in self.connections:
            if connection.is_idle:
                connection.deadline = min(connection.deadline, time.monotonic() + GRACE_SECONDS)

    def _accept(self, listener: socket.socket) -> bool:
        """Accept the connections that are there, and return whether there may be more."""
        for _ in range(MAX_ACCEPTS):
            try:
                client, address = listener.accept()
                client.setblocking(False)
                if self.tls:
                    client = self.tls.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
            except BlockingIOError:
                return False
            except ConnectionError:  # the client is gone
                continue
            except OSError as error:  # no file descriptor is left
                self._warn("A connection was not accepted: %s", error)
                self.make_room()
                return False
            if len(self.connections) >= self.config.worker_connections:
                self.make_room()
            connection = Connection(client, address, listener.getsockname(), time.monotonic() + REQUEST_SECONDS)
            self.connections[connection] = None
            self.listen(connection, selectors.EVENT_READ)
        return True

    def _warn(self, message: str, *arguments: object) -> None:
        """Log a warning, but no more than one a second."""
        if time.monotonic() >= self.next_warning:
            self.next_warning = time.monotonic() + 1
            self.log.warning(message, *arguments)

    def listen(self, connection: Connection, events: int) -> None:
        """Listen to these events of a connection, a mask of `selectors`; 0 for none."""
        if events == connection.events:
            return
        if not events:
            self.poller.unregister(connection.sock)
        elif connection.events:
            self.poller.modify(connection.sock, events, connection)
        else:
            self.poller.register(connection.sock, events, connection)
        connection.events = events

    def close(self, connection: Connection) -> None:
        """Close a connection, and forget all that was held for it."""
        if connection in self.connections:
            self.listen(connection, 0)
            del self.connections[connection]
            self.held_bytes -= connection.held_bytes
            connection.sock.close()

    def close_overdue(self) -> None:
        """Close the connections whose clients have taken too long."""
        now = time.monotonic()
        for connection in [connection for connection in self.connections if connection.deadline < now]:
            if not connection.is_busy:
                self.close(connection)

    def make_room(self, is_for_bytes: bool = False) -> bool:
        """Close the connection that waits the longest for its next request, or else the oldest that is not busy.

        If the room is for bytes, only one for which bytes are held. Returns whether one was closed.
        """
        can_go = [connection for connection in self.connections if not (connection.is_busy or connection.is_finished)]
        if is_for_bytes:
            can_go = [connection for connection in can_go if connection.held_bytes]
        can_go.sort(key=lambda connection: not (connection.number and connection.is_idle))
        if can_go:
            self.close(can_go[0])
        return bool(can_go)

    def count(self, connection: Connection) -> None:
        """Count the bytes that are held for a connection, and make room if they are too many."""
        if connection not in self.connections:
            return
        held_bytes = connection.count_bytes()
        self.held_bytes += held_bytes - connection.held_bytes
        connection.held_bytes = held_bytes
        while self.held_bytes > MAX_HELD_BYTES and self.make_room(is_for_bytes=True):
            pass

    def receive(self, connection: Connection) -> bool:
        """Keep what has arrived, and return whether the connection goes on."""
        is_idle, data = connection.is_idle, connection.receive()
        if data is None:
            return False
        if connection.is_finished:
            if not data:
                self.close(connection)
            return False
        if is_idle:
            connection.deadline = time.monotonic() + REQUEST_SECONDS
        connection.received += data
        connection.has_ended = not data
        self.count(connection)
        return connection in self.connections

    def reply(self, connection: Connection, answer: bytes, is_kept: bool) -> bool:
        """Send an answer, and return whether all of it is sent and another request may come."""
        self.connections[connection] = self.connections.pop(connection)
        connection.incoming, connection.unsent, connection.is_last = None, memoryview(answer), not is_kept
        return self.send(connection)

    def send(self, connection: Connection) -> bool:
        """Send what the client takes, and return whether all is sent and another request may come."""
        try:
            is_sent = connection.send()
        except OSError:
            self.close(connection)
            return False
        now = time.monotonic()
        if not is_sent:
            connection.deadline = now + REQUEST_SECONDS
            self.listen(connection, selectors.EVENT_WRITE)
        elif connection.is_last:
            connection.deadline = now + GRACE_SECONDS
            self.listen(connection, selectors.EVENT_READ) if connection.end() else self.close(connection)
        else:
            connection.deadline = now + (REQUEST_SECONDS if connection.received else self.config.keepalive)
        self.count(connection)
        return is_sent and not connection.is_last and connection in self.connections
