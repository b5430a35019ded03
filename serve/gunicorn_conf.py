"""gunicorn's settings for the service.

WEB_CONCURRENCY sets the number of workers, NUDGE_THREADS the threads of each, and NUDGE_COMPUTE_THREADS the threads in
which each computes. Workers are forked before the application is imported: JAX is multithreaded, and a fork after it
has started can deadlock.

Run as a script, it only checks the settings, because gunicorn reads WEB_CONCURRENCY before this file.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOG_LEVELS = "debug|info|warning|error|critical"


def _setting(name: str, default: str, pattern: str, allowed: str) -> str:
    """The value of an environment variable, or its default if it is empty. If it is wrong, gunicorn does not start."""
    value = os.environ.get(name) or default
    if not re.fullmatch(pattern, value):
        sys.exit(f"{name}: expected {allowed}, found {value!r}; set it so, or leave it out")
    return value


def _whole_number(name: str, default: str) -> int:
    return int(_setting(name, default, "[1-9][0-9]{0,2}", "a whole number from 1 to 999"))


bind = "127.0.0.1:8000"
preload_app = False
workers = _whole_number("WEB_CONCURRENCY", "1")
worker_class = "serve.worker.Worker"
# Threads answer the requests that are not quick. They never wait for a client, and share the interpreter.
threads = _whole_number("NUDGE_THREADS", "2")
# Each connection needs a file descriptor, and the system limits their number.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_descriptors = min(_hard, 65_536) if _hard != resource.RLIM_INFINITY else 65_536
resource.setrlimit(resource.RLIMIT_NOFILE, (max(_soft, _descriptors), _hard))
worker_connections = min(4096, max(_soft, _descriptors) - 100)

# Seconds. A worker whose loop is silent for `timeout` is killed. After SIGTERM, requests that were accepted have
# `graceful_timeout` to be answered.
timeout = 60
graceful_timeout = 10 + _whole_number("NUDGE_REQUEST_SECONDS", "30")
# AWS's load balancer keeps an idle connection for 60 seconds and nginx for 75. They must close it, not the service.
keepalive = 80

# Workers share the cores: each computes in one thread by default. XLA, OpenBLAS and OpenMP read these variables when
# they are loaded, which is after the fork.
compute_threads = _whole_number("NUDGE_COMPUTE_THREADS", "1")
for _name in ("NPROC", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    if os.environ.get("NUDGE_COMPUTE_THREADS") or not os.environ.get(_name):
        os.environ[_name] = str(compute_threads)

# Whether a process beside the workers computes for learners.
learns = _setting("NUDGE_LEARN", "0", "[01]", "0 or 1") == "1"

limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
# No header of a client, such as SCRIPT_NAME or X-Forwarded-Proto, replaces what gunicorn itself says about a request.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

accesslog = None
errorlog = "-"
loglevel = _setting("NUDGE_LOG_LEVEL", "info", LOG_LEVELS, f"one of {LOG_LEVELS.replace('|', ', ')}")

# gunicorn 27 would make a control socket under the home directory. Nothing here uses it.
control_socket_disable = True

# prometheus_client would keep its counts in mapped files there, and a full disk would kill the worker that writes one.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


def on_starting(server: Any) -> None:
    """Make the directory that the workers share, for their reports and the last good checkpoints."""
    from serve import heartbeat
    from serve.reports import Reports
    from serve.shared_directory import SharedDirectory

    heartbeat.install()
    os.environ.pop("NUDGE_RUNTIME", None)  # after SIGUSR2 it names the directory of the old master
    directory = _make_directory(server)
    if directory is None:
        server.log.warning(
            "No directory for temporary files can be written: each worker keeps its metrics to itself, and no copies "
            "of checkpoints are kept; set TMPDIR to one that can be written"
        )
    else:
        os.environ["NUDGE_RUNTIME"] = directory
    server.reports = Reports(SharedDirectory(Path(directory) if directory else None, server.cfg.uid))
    _prepare_learning(server, directory)


def _prepare_learning(server: Any, directory: str | None) -> None:
    """Let the master's loop look after the process that computes for learners."""
    os.environ.pop("NUDGE_LEARNING_SOCKET", None)
    if not learns or directory is None:
        return
    from serve.learning_process import LearningProcess

    server.learning = learning = LearningProcess(Path(directory), server.cfg, server.log)
    os.environ["NUDGE_LEARNING_SOCKET"] = str(learning.socket)
    for name, before in (
        ("manage_workers", learning.look_after),
        ("reap_workers", learning.notice_end),
        ("stop", learning.prepare_end),
    ):
        setattr(server, name, _after(before, getattr(server, name)))


def _after(before: Callable[[], None], function: Callable[..., Any]) -> Callable[..., Any]:
    def both(*arguments: Any, **options: Any) -> Any:
        before()
        return function(*arguments, **options)

    return both


def when_ready(server: Any) -> None:
    """Say where the page for learners is, if there is one that a browser can open."""
    if getattr(server, "learning", None) and os.environ.get("NUDGE_PAGES") != "0":
        for listener in server.LISTENERS:
            if str(listener).startswith("http"):
                server.log.info("Learn at: %s/learn", listener)


def _make_directory(server: Any) -> str | None:
    for parent in (None, "/dev/shm"):
        try:
            directory = tempfile.mkdtemp(prefix="nudge-", dir=parent)
            os.chown(directory, server.cfg.uid, server.cfg.gid)
        except OSError:
            continue
        return directory
    return None


def post_fork(server: Any, worker: Any) -> None:
    """Tell a worker whether others have started before it. Its start then fails for no reason that they could mind."""
    os.environ["NUDGE_REPLACEMENT"] = str(int(_is_replacement(server, worker)))


def child_exit(server: Any, worker: Any) -> None:
    """Keep the counts of a worker that has ended. This runs in the master, which does not load JAX."""
    try:
        server.reports.end(worker.pid)
    except Exception:  # an exception here would end the service
        server.log.exception("The counts of worker %s are lost", worker.pid)


def worker_exit(server: Any, worker: Any) -> None:
    """End the process of a worker at once, even while XLA compiles in a thread, for which Python would wait or abort.

    If a worker that replaces another one cannot start, it ends alone: gunicorn ends the service at its own status.
    """
    if worker.pid != os.getpid():
        return
    error = sys.exception()
    code = error.code if isinstance(error, SystemExit) else 1
    publisher = getattr(getattr(worker, "wsgi", None), "extensions", {}).get("nudge.publisher")
    if publisher:
        publisher.publish()
    if code and not worker.booted and _is_replacement(server, worker):
        time.sleep(1)  # so that gunicorn does not start workers as fast as it can
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _is_replacement(server: Any, worker: Any) -> bool:
    return bool(worker.age > server.cfg.workers)


def on_exit(server: Any) -> None:
    """End the process that computes for learners, and remove the directory that the workers shared."""
    if getattr(server, "learning", None):
        server.learning.end()
    directory = os.environ.get("NUDGE_RUNTIME")
    if directory:
        shutil.rmtree(directory, ignore_errors=True)
