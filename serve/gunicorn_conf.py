"""gunicorn's settings, for any WSGI application. WEB_CONCURRENCY sets the workers, NUDGE_THREADS the threads of each.

Workers are forked before the application is imported (no preload): JAX is multithreaded, and a fork after it has
started can deadlock.
"""

import os

bind = "127.0.0.1:8000"
preload_app = False
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = int(os.environ.get("NUDGE_THREADS", "1"))

# Seconds: a request may take 30, and after SIGTERM those accepted have 30 to be answered.
timeout = 30
graceful_timeout = 30
keepalive = 5

limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

accesslog = None
errorlog = "-"
loglevel = os.environ.get("NUDGE_LOG_LEVEL", "info")

# gunicorn 27's control socket under the home directory; nothing here uses it.
control_socket_disable = True
