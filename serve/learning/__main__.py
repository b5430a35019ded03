"""`python -m serve.learning`: the process that computes for learners, on a port or on a unix socket."""

from __future__ import annotations

import argparse
import os


def main() -> None:
    """Serve until a signal, or until the parent is gone."""
    parser = argparse.ArgumentParser(prog="python -m serve.learning", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=8001, help="the port to listen on")
    parser.add_argument("--socket", help="a unix socket to listen on instead")
    parser.add_argument("--parent", type=int, help="the process with which this one ends")
    options = parser.parse_args()
    # XLA, OpenBLAS and OpenMP read these variables when they are loaded.
    for name in ("NPROC", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    from serve.learning.process import serve

    serve(options.host, options.port, options.socket, options.parent)


if __name__ == "__main__":
    main()
