"""gunicorn's settings, for any WSGI application. WEB_CONCURRENCY sets the workers, NUDGE_THREADS the threads of each,
NUDGE_COMPUTE_THREADS those in which each computes.

Workers are forked before the application is imported (no preload): JAX is multithreaded, and a fork after it has
started can deadlock. Run as a script it only checks the settings: gunicorn reads WEB_CONCURRENCY before this file.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import sys
import tempfile
from pathlib import Path
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
worker_class = "serve.worker.Worker"
# For requests that are not short; they are started as they are needed.
threads = _count("NUDGE_THREADS", "128")
# Each has a file descriptor, of which there may be as many as the system lets us have.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_most = min(_hard, 65_536) if _hard != resource.RLIM_INFINITY else 65_536
resource.setrlimit(resource.RLIMIT_NOFILE, (max(_soft, _most), _hard))
worker_connections = min(4096 + threads, max(_soft, _most) - 100)

# Seconds. A worker whose main loop is silent for `timeout` is killed; serve/worker.py bounds a request's own time.
# After SIGTERM those accepted have `graceful_timeout` to be answered.
timeout = 60
graceful_timeout = 10 + _count("NUDGE_REQUEST_SECONDS", "30")
keepalive = 5

# Workers share the cores: each computes in one thread, unless told otherwise. XLA, OpenBLAS and OpenMP read these when
# they are loaded, which is after the fork.
compute_threads = _count("NUDGE_COMPUTE_THREADS", "1")
for _name in ("NPROC", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    if os.environ.get("NUDGE_COMPUTE_THREADS") or not os.environ.get(_name):
        os.environ[_name] = str(compute_threads)

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


_counts = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
if _counts and not Path(_counts).is_dir():
    sys.exit(f"PROMETHEUS_MULTIPROC_DIR: expected a directory, found none at {_counts!r}; make it, or leave it out")


def on_starting(server: Any) -> None:
    """Make the directory in which the workers keep what they share: their counts, and the last good checkpoints."""
    shared, inherited = Path(tempfile.mkdtemp(prefix="nudge-")), os.environ.get("NUDGE_RUNTIME")
    os.environ["NUDGE_RUNTIME"] = str(shared)
    counts = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not counts or (inherited and counts.startswith(inherited)):  # after SIGUSR2, which hands the environment on
        (shared / "metrics").mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared / "metrics")


def child_exit(server: Any, worker: Any) -> None:
    """Forget what only a living worker counts, in the process that does not load JAX."""
    for path in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob(f"gauge_live*_{worker.pid}.db"):
        path.unlink(missing_ok=True)


def on_exit(server: Any) -> None:
    """Remove the directory."""
    shutil.rmtree(os.environ["NUDGE_RUNTIME"], ignore_errors=True)
