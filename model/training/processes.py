"""What the processes of one training run tell each other, over the coordination service of `jax.distributed`.

A single process has nobody to talk to: every function here then returns at once. JAX has no public name for the client
of its coordination service; Orbax uses the same one.
"""

from __future__ import annotations

import itertools
from typing import Any

import jax
from jax._src import distributed

# Waiting has no limit of its own here: `model.commands.watchdog` ends a process that waits for one that is gone.
LONGEST_WAIT = 2**31 - 1  # milliseconds
# So many of the last answers are kept. Processes wait for each other more often.
KEPT = 1000
# Every process asks in the same order, so the number of a question names it.
_numbers = itertools.count()


def is_first() -> bool:
    """Whether this process writes files and shows what happens: process 0, or the only one.

    Returns:
        True in exactly one process.

    Example:
        >>> is_first()
        True
    """
    return jax.process_index() == 0


def agree(value: int) -> int:
    """The value that process 0 has. All processes must call this at the same point.

    Args:
        value: what this process would choose.

    Returns:
        What process 0 chose.

    Example:
        >>> agree(3)
        3
    """
    if jax.process_count() == 1:
        return value
    number = next(_numbers)
    key = f"nudge/agreed/{number}"
    if is_first():
        client().key_value_set(key, str(int(value)))
        client().key_value_delete(f"nudge/agreed/{number - KEPT}")  # which all have read long ago
        return value
    return int(client().blocking_key_value_get(key, LONGEST_WAIT))


def meet() -> None:
    """Wait until all processes are here. All must call this at the same point.

    A collective waits for only 30 seconds, and a process may compile for longer: so they meet before it.
    """
    if jax.process_count() > 1:
        client().wait_at_barrier(f"nudge/met/{next(_numbers)}", LONGEST_WAIT)


def client() -> Any:
    """The client of the coordination service.

    Returns:
        JAX's own; None in a single process.

    Example:
        >>> client() is None
        True
    """
    return distributed.global_state.client
