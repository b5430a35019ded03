"""The access log: one line of JSON for each request, to stdout. It never keeps an answer waiting."""

from __future__ import annotations

import os
import select
import socket
import stat
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from serve.client_address import Network, client_address
from serve.errors import path_of
from serve.metrics import note_dropped_log_line
from serve.responses import encode_json

# A pipe takes so many bytes as a whole (pipe(7)). Longer lines of several workers could be mixed.
MAX_LINE_BYTES = select.PIPE_BUF
# The characters of the path in a line that would be longer.
CUT_PATH = 400


class AccessLog:
    """The log of all requests.

    Args:
        trusted_proxies: the networks of proxies whose X-Forwarded-For is believed.
    """

    def __init__(self, trusted_proxies: Sequence[Network] = ()) -> None:
        self.trusted_proxies = trusted_proxies
        # Without a standard output, the lines go nowhere.
        self._lines = LineWriter(sys.stdout.fileno() if sys.stdout else os.open(os.devnull, os.O_WRONLY))

    def write(
        self, environ: dict[str, Any], request_id: str, trace: str, route: str, status: int, seconds: float
    ) -> None:
        """Write the line of a request, or drop it.

        Args:
            environ: the request.
            request_id: its ID.
            trace: its header `traceparent`, or an empty text.
            route: the pattern of its route.
            status: of the answer.
            seconds: from the request to the whole answer.
        """
        peer, forwarded_for = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "id": request_id,
            **({"traceparent": trace} if trace else {}),
            "client": client_address(peer, forwarded_for, self.trusted_proxies),
            "method": environ["REQUEST_METHOD"],
            "path": path_of(environ),
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 3),
        }
        data = encode_json(line)
        if len(data) > MAX_LINE_BYTES:
            data = encode_json(line | {"path": f"{line['path'][:CUT_PATH]}…"})
        if not self._lines.write(data):
            note_dropped_log_line()


class LineWriter:
    """Writes whole lines to a file, a pipe or a socket, without ever waiting for its reader.

    Args:
        descriptor: the open file.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self._lock, self._rest = descriptor, Lock(), b""
        self._socket: socket.socket | None = None
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISSOCK(kind):
            self._socket = socket.socket(fileno=os.dup(descriptor))
        elif not stat.S_ISREG(kind):
            self.descriptor = _open_without_waiting(descriptor)
        self._is_opened = self.descriptor != descriptor
        self._poll = select.poll()
        self._poll.register(self.descriptor, select.POLLOUT)

    def write(self, line: bytes) -> bool:
        """Write a line, and return whether it was taken. It is dropped if the reader has not read enough."""
        with self._lock:
            if self._rest:
                self._rest = self._rest[self._send(self._rest) :]
            if self._rest:
                return False
            sent = self._send(line)
            # What has begun must end, so that the next line is not appended to half of this one.
            self._rest = line[sent:] if sent else b""
            return sent > 0

    def close(self) -> None:
        """Close what was opened to write without waiting. The file that was given stays open."""
        if self._socket is not None:
            self._socket.close()
        elif self._is_opened:
            os.close(self.descriptor)

    def _send(self, data: bytes) -> int:
        """Write as much as is taken at once, and return how many bytes that were."""
        try:
            if self._socket is not None:
                return self._socket.send(data, socket.MSG_DONTWAIT)
            return os.write(self.descriptor, data) if self._poll.poll(0) else 0
        except OSError:  # nobody will read it any more, or not now
            return 0


def _open_without_waiting(descriptor: int) -> int:
    """The same pipe or terminal, opened once more, so that writing never waits.

    O_NONBLOCK belongs to the open file, which other processes may share. If it cannot be opened again, the file stays
    as it is: a line of PIPE_BUF bytes is then only written when there is room for it.
    """
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return descriptor
