"""`nudge serve`: the service under gunicorn, from any folder."""

from __future__ import annotations

import os
import signal
import sys

import click

BIND_OPTIONS = ("-b", "--bind")


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.argument("gunicorn_options", nargs=-1, type=click.UNPROCESSED)
def serve(host: str, port: int, gunicorn_options: tuple[str, ...]) -> None:
    """Serve the checkpoints in NUDGE_CHECKPOINTS, by default those in checkpoints/, over HTTP.

    All settings are environment variables, see docs/operating.md. Other options are gunicorn's.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    is_bound = any(option.partition("=")[0] in BIND_OPTIONS for option in gunicorn_options)
    bind = () if is_bound else ("--bind", address)
    # Workers must be forked before JAX starts, and Ctrl-C is gunicorn's own: both need a fresh process. -P keeps the
    # current directory, where a model.py or a serve.py may be, off sys.path.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.execv(sys.executable, [sys.executable, "-P", "-m", "serve", *bind, *gunicorn_options])
