"""The coordination service of `jax.distributed`, in a process of its own beside process 0.

    python -m model.commands.coordination_service ADDRESS PROCESSES

If process 0 ran it itself, as in JAX, all others would abort without a sentence when process 0 dies. It ends when
process 0 says so; if process 0 dies without a word, when the others have had time to see that.
"""

from __future__ import annotations

import sys
import time

from jaxlib import _jax

GOODBYE = b"q"
# How many signs of life in a row, one a second, a process may owe before it is taken for dead.
PATIENCE = 20
# Seconds without a heartbeat after which JAX itself gives a process up. The watchdog is earlier.
HEARTBEAT_TIMEOUT = 100 * PATIENCE


def main() -> None:
    """Run the service until standard input ends."""
    address, processes = sys.argv[1], int(sys.argv[2])
    service = _jax.get_distributed_runtime_service(
        address, processes, heartbeat_timeout=HEARTBEAT_TIMEOUT, shutdown_timeout=PATIENCE
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if sys.stdin.buffer.read() != GOODBYE:
        time.sleep(PATIENCE + 5)
    del service


if __name__ == "__main__":
    main()
