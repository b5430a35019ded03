"""Joining the processes of one run: the options, the connection, and the end."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn

import click
import jax
from jax._src import distributed
from jax.sharding import Mesh

from model.commands.cli import ending_of
from model.commands.connection import ProcessOptions, Service, connect
from model.commands.interrupts import STATUS as INTERRUPTED_STATUS
from model.commands.interrupts import interrupts
from model.commands.watchdog import DEFAULT_TIMEOUT, STATUS, Watch
from model.messages import escape_unprintable, quote
from model.training.mesh import make_mesh
from model.training.processes import client, meet

DETECTION_HELP = (
    "Find the other processes by Slurm, Open MPI or Kubernetes, or by JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and "
    "JAX_PROCESS_ID."
)


def process_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of several processes to a command.

    Args:
        command: a function that takes them as `process_options`.

    Returns:
        The function, which takes them as options of the command line.
    """

    @wraps(command)
    def with_options(
        coordinator: str | None,
        processes: int | None,
        process_id: int | None,
        distributed: bool,
        process_timeout: int,
        **others: Any,
    ) -> Any:
        if distributed:  # as Kubeflow Trainer sets them
            coordinator = coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
            processes = _number(processes, "JAX_NUM_PROCESSES")
            process_id = _number(process_id, "JAX_PROCESS_ID")
        given = (coordinator, processes, process_id)
        if any(each is not None for each in given) and any(each is None for each in given) and not distributed:
            raise click.UsageError("--coordinator, --processes and --process-id go together; name all three or none")
        if processes is not None and process_id is not None and process_id >= processes:
            raise click.UsageError(f"--process-id must be from 0 to {processes - 1}, not {process_id}")
        if coordinator is not None and not _is_address(coordinator):
            raise click.UsageError(f"--coordinator must be HOST:PORT, not {coordinator!r}")
        is_joined = distributed or coordinator is not None
        options = ProcessOptions(*given, distributed, process_timeout)
        return command(process_options=options if is_joined else ProcessOptions(), **others)

    for option in reversed(
        (
            click.option("--coordinator", metavar="HOST:PORT", help="Where process 0 of several is reached by all."),
            click.option("--processes", type=click.IntRange(1), help="How many processes train together."),
            click.option("--process-id", type=click.IntRange(0), help="Which of them this is, from 0."),
            click.option(
                "--distributed",
                is_flag=True,
                help=DETECTION_HELP,
            ),
            click.option(
                "--process-timeout",
                type=click.IntRange(2, 600),
                default=DEFAULT_TIMEOUT,
                show_default=True,
                help="Seconds without a sign of life after which a process is taken for dead, and all end.",
            ),
        )
    ):
        with_options = option(with_options)
    return with_options


def _number(given: int | None, variable: str) -> int | None:
    """A number from the command line, or otherwise from the environment."""
    text = os.environ.get(variable)
    if given is not None or text is None:
        return given
    if not text.isdecimal() or (variable.endswith("PROCESSES") and int(text) < 1):
        raise click.UsageError(f"{variable} must be a whole number, and at least one process, not {quote(text)}")
    return int(text)


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 2**16


@contextmanager
def joined(options: ProcessOptions) -> Iterator[Watch | None]:
    """Join the other processes of a run, and at the end wait for them.

    Args:
        options: how they find each other.

    Yields:
        What watches over them; None if there is a single process.

    Raises:
        click.UsageError: if they do not find each other.
    """
    if options == ProcessOptions():
        yield None
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # type: ignore[no-untyped-call]
    _silence_gloo()
    service = Service(options.timeout)
    connect(options, service)
    state = distributed.global_state
    watch = Watch(
        client(), state.process_id, state.num_processes, options.timeout, end_at_once, lambda: interrupts.pressed
    )
    watch.start()
    interrupts.farewell = watch.finish
    # As a cluster ends a process that must give way: it stops as after Ctrl-C, and the checkpoint is saved.
    signal.signal(signal.SIGTERM, lambda *_: interrupts.press())
    try:
        yield watch
    except (Exception, SystemExit) as error:
        _end_with(error, watch, service)
    meet()
    watch.finish()
    jax.distributed.shutdown()  # type: ignore[no-untyped-call]
    service.shutdown()


def _silence_gloo() -> None:
    """Let what Gloo prints to standard output go nowhere. What Python prints goes where it went."""
    if sys.stdout is not None:
        sys.stdout.flush()
        sys.stdout = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _end_with(error: Exception | SystemExit, watch: Watch, service: Service) -> NoReturn:
    """End this process after an error. JAX would wait here for the others, which do not come any more.

    If nobody expected the error, it may be that of a collective whose other end is gone: the watch is about to tell.
    """
    if isinstance(error, SystemExit):  # it has said why
        watch.finish("see what it printed")
        service.abandon()
        os._exit(int(error.code or 0))
    ending = ending_of(error)
    if ending is None or isinstance(error, jax.errors.JaxRuntimeError):
        time.sleep(watch.timeout + 5)
    words, status = ending or ("".join(traceback.format_exception(error)), STATUS)
    watch.finish(words)
    service.abandon()
    end_at_once(words, status)


def mesh_of(shape: dict[str, int] | None) -> Mesh:
    """The mesh that --mesh asks for.

    Args:
        shape: the numbers of devices by axis; None for all devices on the axis of restarts.

    Returns:
        The mesh.

    Raises:
        click.UsageError: if there are not so many devices.
    """
    try:
        return make_mesh(**(shape or {}))
    except ValueError as error:
        hint = "" if jax.default_backend() != "cpu" else "; JAX_NUM_CPU_DEVICES makes several of a processor"
        raise click.UsageError(f"--mesh: {error}{hint}") from None


def end_at_once(words: str, status: int = STATUS) -> NoReturn:
    """End this process with a sentence, whatever it is doing.

    Args:
        words: the sentence.
        status: of the exit.
    """
    with interrupts.lock:
        os.write(2, os.fsencode(f"nudge: {escape_unprintable(words)}\n"))
        os._exit(INTERRUPTED_STATUS if interrupts.pressed else status)
