"""The connection between the processes of one run: the coordination service, and the addresses of the collectives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import click
import jax
from jax._src import distributed
from jaxlib import _jax

from model.commands.coordination_service import GOODBYE, HEARTBEAT_TIMEOUT
from model.commands.jax_setup import check_platform
from model.commands.watchdog import DEFAULT_TIMEOUT, STATUS
from model.messages import describe_error
from model.training.processes import LONGEST_WAIT

PLACE_OF_FIRST = "nudge/address"
# Seconds that the processes wait for each other at the start.
START_TIMEOUT = 300


class ProcessOptions(NamedTuple):
    """How the processes of a run find each other.

    Attributes:
        coordinator: the address of process 0, HOST:PORT; None if it is found or there is one process.
        processes: how many there are; None if that is found.
        process_id: which one this is, from 0; None if that is found.
        detect: whether they are found by what has started them: Slurm, Open MPI, Kubernetes, or environment variables.
        timeout: the seconds without a sign of life after which a process is taken for dead.
    """

    coordinator: str | None = None
    processes: int | None = None
    process_id: int | None = None
    detect: bool = False
    timeout: int = DEFAULT_TIMEOUT


class Service:
    """The coordination service, in a process of its own; nothing if another machine runs it."""

    def __init__(self, timeout: int) -> None:
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, address: str, processes: int, **options: Any) -> Service:
        """Start it at an address. It takes the place of JAX's own, which runs in process 0."""
        _wait_until_free(int(address.rpartition(":")[2]), 2 * self._timeout)
        module, numbers = "model.commands.coordination_service", (str(processes), str(self._timeout))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, address, *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise click.UsageError(f"process 0 cannot listen at {address}; name another port with --coordinator")
        return self

    def abandon(self) -> None:
        """Let it end a little later, when the others have seen why this process ended."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def shutdown(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.communicate(GOODBYE)
            self._process = None


def _wait_until_free(port: int, seconds: int) -> None:
    """Wait for the service of an earlier run at this port, which ends a little after process 0 has died."""
    reason = ""
    for _ in range(seconds):
        try:
            with socket.create_server(("", port), reuse_port=False):
                return
        except OSError as error:
            reason = describe_error(error)
        time.sleep(1)
    raise click.UsageError(f"process 0 cannot listen at port {port}: {reason}; name another with --coordinator")


def _wait_for_first(address: str) -> None:
    """Wait until process 0 can be reached. JAX would abort without a sentence if it never can."""
    host, _, port = address.rpartition(":")
    reason = ""
    for _ in range(START_TIMEOUT):
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=10):
                return
        except OSError as error:
            reason = describe_error(error)
        time.sleep(1)
    raise click.UsageError(
        f"process 0 cannot be reached at {address} for {START_TIMEOUT} seconds: {reason}; start it, or correct "
        "--coordinator"
    )


@contextmanager
def _limited_wait(words: str) -> Iterator[None]:
    """End this process with a sentence if it waits for longer than START_TIMEOUT."""

    def end() -> None:
        os.write(2, os.fsencode(f"nudge: {words}\n"))
        os._exit(STATUS)

    timer = threading.Timer(START_TIMEOUT, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def connect(options: ProcessOptions, service: Service) -> None:
    """Initialize `jax.distributed` and its devices, with the service of process 0 in a process of its own.

    Args:
        options: how the processes find each other.
        service: what process 0 starts.

    Raises:
        click.UsageError: if they do not find each other.
    """
    originals = _jax.get_distributed_runtime_service, _jax.make_gloo_tcp_collectives

    def make_collectives(distributed_client: Any, **others: Any) -> Any:
        return originals[1](distributed_client, hostname=_own_address(distributed_client), **others)

    if options.coordinator is not None and options.process_id != 0:
        _wait_for_first(options.coordinator)
    _jax.get_distributed_runtime_service, _jax.make_gloo_tcp_collectives = service.start, make_collectives
    where = "" if options.coordinator is None else f" at {options.coordinator}"
    missing = f"not all processes of this run have come{where} within {START_TIMEOUT} seconds; start all of them again"
    try:
        with _limited_wait(missing):
            jax.distributed.initialize(
                options.coordinator,
                options.processes,
                options.process_id,
                cluster_detection_method=None if options.detect else "deactivate",
                initialization_timeout=2 * START_TIMEOUT,
                heartbeat_timeout_seconds=HEARTBEAT_TIMEOUT,
                shutdown_timeout_seconds=options.timeout,
            )
            check_platform()
    except (RuntimeError, ValueError, OSError) as error:
        service.shutdown()
        first = str(error).splitlines()[0]
        raise click.UsageError(f"the processes of this run did not find each other{where}: {first}") from None
    finally:
        _jax.get_distributed_runtime_service, _jax.make_gloo_tcp_collectives = originals


def _own_address(client: Any) -> str:
    """The address at which other processes reach this one.

    Gloo would take what the machine's own name stands for, which in Debian is 127.0.1.1. It is the address from which
    this process reaches process 0; and of process 0, the one at which process 1 has reached it.
    """
    state = distributed.global_state
    if state.process_id == 0 and state.num_processes > 1:
        found: str = client.blocking_key_value_get(PLACE_OF_FIRST, LONGEST_WAIT)
        return found
    host, _, port = str(state.coordinator_address).rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port))) as connection:
        own, first = connection.getsockname()[0], connection.getpeername()[0]
    if state.process_id == 1:
        client.key_value_set(PLACE_OF_FIRST, first)
    return str(own)
