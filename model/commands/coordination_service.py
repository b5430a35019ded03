"""The coordination service of `jax.distributed`, in a process of its own beside process 0.

    python -m model.commands.coordination_service ADDRESS PROCESSES SECONDS

If process 0 ran it itself, as in JAX, all others would abort without a sentence when process 0 dies. It ends when
process 0 says so; if process 0 dies without a word, when the others have had the SECONDS to see that.
"""

from __future__ import annotations

import sys
import time

from jaxlib import _jax

GOODBYE = b"q"
# Seconds without a heartbeat after which JAX itself gives a process up: never before the watchdog does.
HEARTBEAT_TIMEOUT = 24 * 3600


def main() -> None:
    """Run the service until standard input ends."""
    address, processes, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    service = _jax.get_distributed_runtime_service(
        address, processes, heartbeat_timeout=HEARTBEAT_TIMEOUT, shutdown_timeout=seconds
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if sys.stdin.buffer.read() != GOODBYE:
        time.sleep(seconds + 5)
    del service


if __name__ == "__main__":
    main()
