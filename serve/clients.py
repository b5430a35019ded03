"""All connections of a worker: what its loop listens to, what it holds for them, and which it closes."""

from __future__ import annotations

import os
import selectors
import time

from gunicorn.config import Config

from serve.connection import Connection
from serve.gunicorn_errors import OVERLOADED

# Seconds that a client may take to send a request, or to take some of its answer.
REQUEST_SECONDS = int(os.environ.get("NUDGE_REQUEST_SECONDS") or 30)
# Seconds that a client may take to close the connection after its last answer.
GRACE_SECONDS = 2
# The most bytes that are held for all clients together: requests that arrive, and answers that are not taken.
MAX_HELD_BYTES = 64 * 1024 * 1024


class Clients:
    """The connections, in the order of their last requests.

    Args:
        poller: what the loop listens with.
        config: gunicorn's configuration.
    """

    def __init__(self, poller: selectors.BaseSelector, config: Config) -> None:
        self.poller, self.config = poller, config
        self.connections: dict[Connection, None] = {}
        self.held_bytes, self.idle_seconds = 0, float(config.keepalive)

    def __contains__(self, connection: Connection) -> bool:
        return connection in self.connections

    def add(self, connection: Connection) -> bool:
        """Listen to a new connection, and return whether another one was closed to make room for it."""
        is_full = len(self.connections) >= self.config.worker_connections
        made_room = is_full and self.make_room()
        self.connections[connection] = None
        self.listen(connection, selectors.EVENT_READ)
        return made_room

    def stop(self) -> None:
        """Soon close the connections that are idle, now and later."""
        self.idle_seconds = GRACE_SECONDS
        for connection in self.connections:
            if connection.is_idle:
                connection.deadline = min(connection.deadline, time.monotonic() + GRACE_SECONDS)

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

    def make_room(self) -> bool:
        """Close a connection that waits for its end or for its next request, or else the oldest that is not busy.

        Returns whether one was closed.
        """
        oldest = None
        for connection in self.connections:
            if connection.is_finished or (connection.number and connection.is_idle):
                self.close(connection)
                return True
            if oldest is None and not connection.is_busy:
                oldest = connection
        if oldest is not None:
            self.close(oldest)
        return oldest is not None

    def count(self, connection: Connection) -> None:
        """Count the bytes that are held for a connection. If all are too many, end the oldest that has not sent all."""
        if connection not in self.connections:
            return
        held_bytes = connection.count_bytes()
        self.held_bytes += held_bytes - connection.held_bytes
        connection.held_bytes = held_bytes
        while self.held_bytes > MAX_HELD_BYTES:
            oldest = next((each for each in self.connections if each.can_be_ended), None)
            if oldest is None:
                return
            if oldest.unsent:
                self.close(oldest)
            else:
                oldest.received.clear()
                self.reply(oldest, OVERLOADED, is_kept=False)

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
        connection.set_answer(answer, is_last=not is_kept)
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
            connection.deadline = now + (REQUEST_SECONDS if connection.received else self.idle_seconds)
        self.count(connection)
        return is_sent and not connection.is_last and connection in self.connections
