"""`nudge serve`: the service under gunicorn, from any folder."""

from __future__ import annotations

import os
import signal
import sys

import click
from click.core import ParameterSource

from model.messages import DISTRIBUTION


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]})
@click.version_option(package_name=DISTRIBUTION, prog_name="nudge")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.argument("gunicorn_options", nargs=-1, type=click.UNPROCESSED)
def serve(host: str, port: int, gunicorn_options: tuple[str, ...]) -> None:
    """Serve the checkpoints in NUDGE_CHECKPOINTS, by default those in checkpoints/, over HTTP.

    All settings are environment variables, see docs/operating.md. Other options are gunicorn's, see `gunicorn --help`.
    If --bind is one of them, --host and --port do not count.
    """
    bind: list[str] = []
    if _is_given("host", "port") and not _has_bind(gunicorn_options):
        bind = ["--bind", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    _open_standard_streams()
    # Workers must be forked before JAX starts, and Ctrl-C is gunicorn's own: both need a fresh process. -P keeps the
    # current directory, where a model.py or a serve.py may be, off sys.path.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.execv(sys.executable, [sys.executable, "-P", "-m", "serve", *bind, *gunicorn_options])


def _open_standard_streams() -> None:
    """Open those that a supervisor has closed. Otherwise a socket takes their place, and gets what is printed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest descriptor that is free


def _is_given(*names: str) -> bool:
    """Whether one of the options is given. Without them, the address is gunicorn_conf's, or that of another `-c`."""
    context = click.get_current_context()
    return any(context.get_parameter_source(name) is not ParameterSource.DEFAULT for name in names)


def _has_bind(gunicorn_options: tuple[str, ...]) -> bool:
    return any(option.startswith(("--bind", "-b")) for option in gunicorn_options)
