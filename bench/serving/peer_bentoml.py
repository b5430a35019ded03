"""BentoML with one worker. Metrics, traces and the access log are off."""

from __future__ import annotations

import os
import sys

import bentoml
import numpy as np

from bench.serving.forward import Forward


@bentoml.service(workers=1, metrics={"enabled": False}, logging={"access": {"enabled": False}})
class Xor:
    """Answers {"rows": [[a, b], …]} with [prediction, …]."""

    def __init__(self) -> None:
        self.forward = Forward.from_environment()

    @bentoml.api
    async def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.forward(np.asarray(rows, np.float32))


if __name__ == "__main__":
    address = ["--host", "127.0.0.1", "--port", os.environ["PORT"]]
    command = [sys.executable, "-m", "bentoml", "serve", "bench.serving.peer_bentoml:Xor", *address, "--quiet"]
    os.execv(sys.executable, command)
