"""gunicorn's settings, for any WSGI application. WEB_CONCURRENCY sets the workers, NUDGE_THREADS the threads of each.

Workers are forked before the application is imported (no preload): JAX is multithreaded, and a fork after it has
started can deadlock. Run as a script it only checks the settings: gunicorn reads WEB_CONCURRENCY before this file.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
from typing import Any

LEVELS = "debug|info|warning|error|critical"


def _setting(name: str, default: str, pattern: str, allowed: str) -> str:
    """A variable of the environment, or its default where it is empty; where it is neither, gunicorn does not start."""
    value = os.environ.get(name) or default
    if not re.fullmatch(pattern, value):
        sys.exit(f"{name}: expected {allowed}, found {value!r}; set it so, or leave it out")
    return value


def _count(name: str, default: str) -> int:
    return int(_setting(name, default, "[1-9][0-9]{0,2}", "a whole number from 1 to 999"))


bind = "127.0.0.1:8000"
preload_app = False
workers = _count("WEB_CONCURRENCY", "1")
# Threads even where there is one, so that a connection which is kept alive, or has sent nothing yet, holds up no other.
worker_class = "gthread"
threads = _count("NUDGE_THREADS", "4")

# Seconds. A worker whose main loop is silent for `timeout` is killed; what its threads do does not count, so that a
# request has no limit. After SIGTERM those accepted have `graceful_timeout` to be answered.
timeout = 30
graceful_timeout = 30
keepalive = 5
# A client that for so long neither sends the rest of its request nor takes its answer loses the connection; else a few
# of them would hold every thread for good.
SILENCE = 30

limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
# No header of a client, such as SCRIPT_NAME, stands in for what gunicorn itself says about a request.
forwarder_headers = ""

accesslog = None
errorlog = "-"
loglevel = _setting("NUDGE_LOG_LEVEL", "info", LEVELS, f"one of {LEVELS.replace('|', ', ')}")

# gunicorn 27's control socket under the home directory; nothing here uses it.
control_socket_disable = True


def when_ready(server: Any) -> None:
    """Set SILENCE on the listening sockets, from which connections inherit it, and keep its end out of the log."""
    for listener in server.LISTENERS:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", SILENCE, 0))
    server.log.error_log.addFilter(lambda record: not (record.exc_info and record.exc_info[0] is BlockingIOError))
